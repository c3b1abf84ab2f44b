"""What the shop knows about a book."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone


def next_year() -> int:
    """Return the latest year a book can be announced for."""
    return timezone.now().year + 1


class Book(models.Model):
    """A book, and what its reviewer thought of it."""

    MAX_RATING = 5

    title = models.CharField(max_length=200)
    author = models.CharField(max_length=200)
    publishing_year = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(next_year)],
    )
    rating = models.PositiveSmallIntegerField(
        help_text="0 (worst) to 5 (best).",
        validators=[MinValueValidator(0), MaxValueValidator(MAX_RATING)],
    )
    reviewer = models.CharField(max_length=200)

    class Meta:
        # The key makes the order total: pages neither repeat nor skip a book when two share a title.
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(
                name="book_rating_0_to_5",
                condition=models.Q(rating__gte=0, rating__lte=5),
                violation_error_message="The rating must be 0 to 5.",
            ),
        ]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        """Return the address of the book's page."""
        return reverse("book-detail", args=[self.pk])

    @property
    def stars(self) -> str:
        """Return the rating as five stars, full ones first."""
        return "★" * self.rating + "☆" * (self.MAX_RATING - self.rating)
