"""Views of books."""

import hashlib

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.generic import DetailView, TemplateView

from books import covers
from books.catalogue import SORTS, select
from books.forms import BookFilter
from books.models import Book, Category
from books.pages import BadCursor, page


class HomeView(TemplateView):
    """The home page."""

    template_name = "books/home.html"
    best = 8

    def get_context_data(self, **kwargs):
        """Add the best-rated books and the categories."""
        best = page(Book.objects.all(), SORTS["best"], size=self.best).books
        return super().get_context_data(best=best, categories=Category.objects.all(), **kwargs)


@require_safe
def book_list(request):
    """List the matching books page by page. An invalid filter returns 400 with the errors of the form."""
    form = BookFilter(request.GET)
    if not form.is_valid():
        return render(request, "books/book_list.html", {"form": form}, status=400)
    found = select(**form.cleaned_data)
    try:
        place = {name: request.GET.get(name, "") for name in ("after", "before")}
        here = page(found.books, found.order, few=found.few, **place)
    except BadCursor as error:
        raise Http404(_("Page not found: %s.") % error) from None
    asked = request.GET.copy()
    turned = [asked.pop(name, None) for name in ("after", "before")]
    context = {
        "form": form,
        "page": here,
        "category": form.cleaned_data["category"],
        "instead": found.instead,
        "more": found.more,
        "asked": asked.urlencode(),
        "turned": any(turned),
    }
    return render(request, "books/book_list.html", context)


class BookDetailView(DetailView):
    """The page of a book."""

    queryset = Book.objects.select_related("category")
    template_name = "books/book_detail.html"


@require_safe
def book_cover(request, pk):
    """Return the generated cover of a book. Caches revalidate it after an hour."""
    book = get_object_or_404(Book.objects.only("title", "author"), pk=pk)
    svg = covers.draw(book.title, book.author)
    response = HttpResponse(svg, content_type="image/svg+xml")
    response["ETag"] = f'"{hashlib.sha256(svg.encode()).hexdigest()[:32]}"'
    patch_cache_control(response, public=True, max_age=3600)
    return get_conditional_response(request, etag=response["ETag"], response=response)
