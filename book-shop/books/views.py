"""The pages of the shop."""

from django.views.generic import DetailView, ListView, TemplateView

from books.models import Book


class HomeView(TemplateView):
    """The front page with the best-rated books."""

    template_name = "books/home.html"

    def get_context_data(self, **kwargs):
        """Add the four books to show first and how many there are."""
        best = Book.objects.order_by("-rating", "title", "pk")[:4]
        return super().get_context_data(best=best, count=Book.objects.count(), **kwargs)


class BookListView(ListView):
    """All books, a page at a time."""

    model = Book
    paginate_by = 10
    template_name = "books/book_list.html"


class BookDetailView(DetailView):
    """One book."""

    model = Book
    template_name = "books/book_detail.html"
