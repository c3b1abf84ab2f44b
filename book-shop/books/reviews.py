"""The rules of readers' reviews: one of each reader for a book, and the book's average and count are right.

They are computed anew from the reviews in the transaction of whatever changed one, the administration included, and
never counted up and down. Rows are locked in one order everywhere, first the review, then its book.
"""

from decimal import Decimal

from django.db import transaction
from django.db.models import Avg, Count
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from books.models import Book, Review


@transaction.atomic
def write_review(book: Book, reader, rating: int, text: str) -> Review:
    """Return the reader's review of the book, which replaces the one before."""
    fields = {"rating": rating, "text": text, "written": timezone.now()}
    review, _ = Review.objects.update_or_create(book=book, reader=reader, defaults=fields)
    return review


@receiver([post_save, post_delete], sender=Review)
def _refresh(instance: Review, **_):
    refresh_rating(instance.book_id)


@transaction.atomic
def refresh_rating(book_id: int) -> None:
    """Compute the readers' rating and the number of reviews of a book from its reviews.

    Whoever comes second waits for the row and then counts the first one's review too.
    """
    # Its key stays free: an order or a review that only points at the book needs not wait.
    book = Book.objects.select_for_update(no_key=True).filter(pk=book_id).only("pk").first()
    if book is None:
        return
    figures = Review.objects.filter(book=book).aggregate(average=Avg("rating"), count=Count("pk"))
    average = figures["average"]
    book.readers_rating = None if average is None else round(Decimal(average), 2)
    book.review_count = figures["count"]
    book.save(update_fields=["readers_rating", "review_count"])
