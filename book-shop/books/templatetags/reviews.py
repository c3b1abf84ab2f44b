"""Template tag for the reviews of a book."""

from django import template

from books.models import Book, Review

register = template.Library()


@register.simple_tag
def latest_reviews(book: Book, most: int) -> list[Review]:
    """Return the latest reviews of a book, without a query if it has none."""
    return list(book.reviews.select_related("reader")[:most]) if book.review_count else []
