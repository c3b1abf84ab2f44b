"""Rules of reviews: each reader has at most one per book, and the average and count of the book are up to date.

Every change of a review, also in the admin, computes both from all reviews of the book in the same transaction. Rows
are always locked in the same order: the review, then its book.
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
    """Create or replace the reader's review of the book, and return it."""
    fields = {"rating": rating, "text": text, "written": timezone.now()}
    review, _ = Review.objects.update_or_create(book=book, reader=reader, defaults=fields)
    return review


@receiver([post_save, post_delete], sender=Review)
def _refresh(instance: Review, **_):
    refresh_rating(instance.book_id)


@transaction.atomic
def refresh_rating(book_id: int) -> None:
    """Update the readers' rating and the number of reviews of a book.

    The lock makes a concurrent change wait, so that it also counts the review of this one.
    """
    # no_key, because orders and reviews that only refer to the book need not wait.
    book = Book.objects.select_for_update(no_key=True).filter(pk=book_id).only("pk").first()
    if book is None:
        return
    figures = Review.objects.filter(book=book).aggregate(average=Avg("rating"), count=Count("pk"))
    average = figures["average"]
    book.readers_rating = None if average is None else round(Decimal(average), 2)
    book.review_count = figures["count"]
    book.save(update_fields=["readers_rating", "review_count"])
