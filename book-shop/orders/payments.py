"""How an order is paid. Another method is one class more, and its place in METHODS."""

from typing import Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Order


class Method(Protocol):
    """A way to pay."""

    code: str  # as Order.payment keeps it: at most 20 characters, and it never changes
    label: str | Promise
    explanation: str | Promise

    def place(self, order: Order) -> None:
        """Do what the method needs when an order is placed, in the order's transaction.

        Raises orders.checkout.Refused when it can't be paid this way: then nothing is ordered.
        """


class Invoice:
    """The invoice comes with the books: nothing is taken beforehand."""

    code = "invoice"
    label = _("Invoice")
    explanation = _("The invoice comes with the books, to be paid within 14 days.")

    def place(self, order: Order) -> None:
        """Need nothing: the order itself says what is owed."""


METHODS: dict[str, Method] = {method.code: method for method in [Invoice()]}
