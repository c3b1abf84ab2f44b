"""Payment methods. To add one, write a class and add it to METHODS."""

from typing import Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Order


class Method(Protocol):
    """A payment method."""

    code: str  # stored in Order.payment: at most 20 characters, and it must never change
    label: str | Promise
    explanation: str | Promise

    def place(self, order: Order) -> None:
        """Process a new order, inside its transaction.

        Raise orders.checkout.Refused to reject the payment and the order.
        """


class Invoice:
    """Payment by invoice, which is sent with the books."""

    code = "invoice"
    label = _("Invoice")
    explanation = _("We send the invoice with the books. Payment is due within 14 days.")

    def place(self, order: Order) -> None:
        """Do nothing: the order contains all that the invoice needs."""


METHODS: dict[str, Method] = {method.code: method for method in [Invoice()]}
