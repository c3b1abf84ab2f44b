"""The readers' reviews of a book, for its page."""

from django import template

from books.models import Book, Review

register = template.Library()


@register.simple_tag
def latest_reviews(book: Book, most: int) -> list[Review]:
    """Return the newest reviews of a book. One query, none when it has no review."""
    return list(book.reviews.select_related("reader")[:most]) if book.review_count else []
