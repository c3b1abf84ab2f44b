"""Conversion between minor units (cents, fils) and decimal amounts."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext as _


class Currency(models.TextChoices):
    """The currencies of the shop (ISO 4217)."""

    EUR = "EUR", "EUR"
    USD = "USD", "USD"
    JOD = "JOD", "JOD"


# Decimal places (ISO 4217).
DIGITS = {Currency.EUR: 2, Currency.USD: 2, Currency.JOD: 3}


def written(minor: int, currency: str) -> str:
    """Return an amount in minor units as text: 1250 in EUR is "12.50 EUR"."""
    digits = DIGITS[currency]
    whole, part = divmod(minor, 10**digits)
    return f"{whole}.{part:0{digits}} {currency}"


def minor(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units: 12.50 in EUR is 1250. Raise ValueError if it is not a valid price."""
    if not amount.is_finite() or amount < 0 or amount.adjusted() > 9:
        raise ValueError(_("Enter a valid price."))
    digits = DIGITS[currency]
    units = amount.scaleb(digits)
    if units != units.to_integral_value():
        raise ValueError(
            _("A price in %(currency)s has at most %(digits)d decimal places.")
            % {"currency": currency, "digits": digits}
        )
    return int(units)
