"""Orders and their lines, with titles and prices at the time of the order."""

import uuid

from books import money
from books.models import Book
from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Order(models.Model):
    """An order. Its key comes from the checkout form, so that a form sent twice creates one order."""

    class Status(models.TextChoices):
        """The status of an order."""

        PLACED = "placed", _("placed")
        SHIPPED = "shipped", _("shipped")
        CANCELLED = "cancelled", _("cancelled")

    key = models.UUIDField(_("key"), unique=True, default=uuid.uuid4, editable=False)
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("reader"),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PLACED)
    placed = models.DateTimeField(_("placed on"), default=timezone.now, editable=False)

    # The database has the default too, because the previous release inserts no value.
    preview = models.BooleanField(_("preview"), default=False, db_default=False, editable=False)

    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("email address"))
    street = models.CharField(_("street and number"), max_length=200)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    city = models.CharField(_("city"), max_length=100)
    country = models.CharField(_("country"), max_length=100)

    payment = models.CharField(_("payment"), max_length=20)
    currency = models.CharField(_("currency"), max_length=3, choices=money.Currency.choices)
    total = models.PositiveBigIntegerField(_("total"), help_text=_("In cents (fils)."))

    class Meta:
        ordering = ["-placed", "-pk"]
        verbose_name = _("order")
        verbose_name_plural = _("orders")

    def __str__(self):
        return str(self.key)

    def get_absolute_url(self):
        """Return the URL of the order."""
        return reverse("order", args=[self.key])

    @property
    def total_written(self) -> str:
        """Return the total as text."""
        return money.written(self.total, self.currency)


class OrderLine(models.Model):
    """Copies of a book, with its title and price at the time of the order."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines", verbose_name=_("order"))
    book = models.ForeignKey(Book, models.PROTECT, related_name="order_lines", verbose_name=_("book"))
    title = models.CharField(_("title"), max_length=200)
    price = models.PositiveIntegerField(_("price"), help_text=_("Of one copy, in cents (fils)."))
    quantity = models.PositiveSmallIntegerField(_("copies"), validators=[MinValueValidator(1)])

    class Meta:
        ordering = ["pk"]
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(name="order_line_one_per_book", fields=["order", "book"]),
            models.CheckConstraint(name="order_line_of_at_least_one", condition=models.Q(quantity__gte=1)),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.title}"  # noqa: RUF001

    @property
    def price_written(self) -> str:
        """Return the price of one copy as text."""
        return money.written(self.price, self.order.currency)

    @property
    def total_written(self) -> str:
        """Return the price of all copies as text."""
        return money.written(self.price * self.quantity, self.order.currency)
