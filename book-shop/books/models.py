"""Categories, books and reviews."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from books import money


def next_year() -> int:
    """Return the latest year of publication that a book may have."""
    return timezone.now().year + 1


def isbn_13(value: str) -> None:
    """Raise ValidationError unless the value is an ISBN of 13 digits with a valid check digit (ISO 2108)."""
    if not (len(value) == 13 and value.isascii() and value.isdigit() and value.startswith(("978", "979"))):
        raise ValidationError(_("Enter an ISBN of 13 digits that begins with 978 or 979."))
    if sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(value)) % 10:
        raise ValidationError(_("The check digit of this ISBN is wrong. Please check for a typing error."))


class Category(models.Model):
    """A category of books."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True, help_text=_("Its part of the address."))

    class Meta:
        ordering = ["name"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the URL of the list of its books."""
        return reverse("book-list", query={"category": self.slug})


class Book(models.Model):
    """A book with the rating of the shop's reviewer, its price and its stock.

    Each new column must be nullable or have a database default, because the previous release still inserts rows.
    """

    MAX_RATING = 5

    isbn = models.CharField("ISBN", max_length=13, null=True, blank=True, unique=True, validators=[isbn_13])
    title = models.CharField(_("title"), max_length=200)
    author = models.CharField(_("authors"), max_length=200)
    publisher = models.CharField(_("publisher"), max_length=200, blank=True, default="", db_default="")
    publishing_year = models.PositiveSmallIntegerField(
        _("published"),
        validators=[MinValueValidator(1), MaxValueValidator(next_year)],
    )
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="books", verbose_name=_("category")
    )
    cover = models.CharField(
        _("cover"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[URLValidator(schemes=["https"])],
        help_text=_("The address of a picture; one is drawn when there is none."),
    )

    price = models.PositiveIntegerField(
        _("price"), null=True, blank=True, help_text=_("In cents (fils); empty: not for sale.")
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        choices=money.Currency.choices,
        default=money.Currency.EUR,
        db_default=money.Currency.EUR,
    )
    stock = models.PositiveIntegerField(_("in stock"), default=0, db_default=0)

    rating = models.PositiveSmallIntegerField(
        _("rating"),
        help_text=_("0 (worst) to 5 (best)."),
        validators=[MinValueValidator(0), MaxValueValidator(MAX_RATING)],
    )
    reviewer = models.CharField(_("reviewed by"), max_length=200)
    # Computed from the reviews whenever one changes (reviews.py), so that lists need not read the reviews.
    readers_rating = models.DecimalField(
        _("readers' rating"), max_digits=3, decimal_places=2, null=True, blank=True, editable=False
    )
    review_count = models.PositiveIntegerField(_("reviews"), default=0, db_default=0, editable=False)

    class Meta:
        # The primary key makes the order total: without it, pages could repeat or skip books with the same title.
        ordering = ["title", "pk"]
        verbose_name = _("book")
        verbose_name_plural = _("books")
        constraints = [
            models.CheckConstraint(
                name="book_rating_0_to_5",
                condition=models.Q(rating__gte=0, rating__lte=5),
                violation_error_message=_("The rating must be 0 to 5."),
            ),
        ]
        # One for each sort order of catalogue.SORTS. No index contains `stock`, so that a sale is a heap-only update.
        indexes = [
            models.Index(fields=["title", "id"], name="book_title"),
            models.Index(fields=["publishing_year", "id"], name="book_year"),
            models.Index(fields=["rating", "id"], name="book_rating"),
            models.Index(fields=["currency", "price", "id"], name="book_price"),
            models.Index(fields=["category", "title", "id"], name="book_category_title"),
            models.Index(fields=["category", "publishing_year", "id"], name="book_category_year"),
            models.Index(fields=["category", "rating", "id"], name="book_category_rating"),
            models.Index(fields=["category", "currency", "price", "id"], name="book_category_price"),
        ]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        """Return the URL of the book."""
        return reverse("book-detail", args=[self.pk])

    @property
    def cover_address(self) -> str:
        """Return the URL of the cover, or of a generated one."""
        return self.cover or reverse("book-cover", args=[self.pk])

    @property
    def stars(self) -> str:
        """Return the rating as five stars, such as ★★★☆☆."""
        return "★" * self.rating + "☆" * (self.MAX_RATING - self.rating)

    @property
    def can_be_bought(self) -> bool:
        """Return whether the book has a price and is in stock."""
        return self.price is not None and self.stock > 0

    @property
    def price_written(self) -> str:
        """Return the price as text, empty if the book is not for sale."""
        return "" if self.price is None else money.written(self.price, self.currency)


class Review(models.Model):
    """A reader's review of a book, at most one per reader and book."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="reviews", verbose_name=_("book"))
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews", verbose_name=_("reader")
    )
    rating = models.PositiveSmallIntegerField(
        _("rating"), validators=[MinValueValidator(0), MaxValueValidator(Book.MAX_RATING)]
    )
    text = models.TextField(_("text"), blank=True, max_length=5000)
    written = models.DateTimeField(_("written"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["-written", "-pk"]
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.UniqueConstraint(
                name="review_one_per_reader",
                fields=["book", "reader"],
                violation_error_message=_("You have reviewed this book already."),
            ),
            models.CheckConstraint(
                name="review_rating_0_to_5",
                condition=models.Q(rating__gte=0, rating__lte=5),
                violation_error_message=_("The rating must be 0 to 5."),
            ),
        ]

    def __str__(self):
        return f"{self.reader}: {self.book}"

    @property
    def stars(self) -> str:
        """Return the rating as five stars, such as ★★★☆☆."""
        return "★" * self.rating + "☆" * (Book.MAX_RATING - self.rating)
