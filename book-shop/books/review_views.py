"""Views to write, change and delete a reader's own review."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from books.models import Book, Review
from books.reviews import write_review


class ReviewForm(forms.ModelForm):
    """The rating and text of a review."""

    rating = forms.TypedChoiceField(
        label=gettext_lazy("Rating"),
        coerce=int,
        choices=[
            (stars, format_lazy(gettext_lazy("{rating} out of {best} stars"), rating=stars, best=Book.MAX_RATING))
            for stars in range(Book.MAX_RATING, -1, -1)
        ],
    )

    class Meta:
        model = Review
        fields = ["rating", "text"]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def review(request, pk):
    """Show or save the form of the reader's review."""
    book = get_object_or_404(Book, pk=pk)
    own = Review.objects.filter(book=book, reader=request.user).first()
    form = ReviewForm(request.POST or None, instance=own)
    if form.is_valid():
        write_review(book, request.user, form.cleaned_data["rating"], form.cleaned_data["text"])
        messages.success(request, _("Thank you for your review."))
        return redirect(book)
    return render(request, "books/review.html", {"book": book, "form": form, "own": own})


@require_POST
@login_required
def delete_review(request, pk):
    """Delete the reader's review."""
    book = get_object_or_404(Book, pk=pk)
    with transaction.atomic():
        Review.objects.filter(book=book, reader=request.user).delete()
    messages.success(request, _("Your review has been deleted."))
    return redirect(book)
