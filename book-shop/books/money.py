"""Amounts in minor units (cents of a euro, fils of a dinar) and how they are written."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext as _


class Currency(models.TextChoices):
    """What the shop sells in, by ISO 4217 code."""

    EUR = "EUR", "EUR"
    USD = "USD", "USD"
    JOD = "JOD", "JOD"


# Digits after the point, ISO 4217.
DIGITS = {Currency.EUR: 2, Currency.USD: 2, Currency.JOD: 3}


def written(minor: int, currency: str) -> str:
    """Return an amount of minor units as people read it: 1250 of EUR is "12.50 EUR"."""
    digits = DIGITS[currency]
    whole, part = divmod(minor, 10**digits)
    return f"{whole}.{part:0{digits}} {currency}"


def minor(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units: 12.50 of EUR is 1250. Raises ValueError for what is no price."""
    if not amount.is_finite() or amount < 0 or amount.adjusted() > 9:
        raise ValueError(_("This is no price."))
    digits = DIGITS[currency]
    units = amount.scaleb(digits)
    if units != units.to_integral_value():
        raise ValueError(
            _("%(currency)s has %(digits)d digits after the point.") % {"currency": currency, "digits": digits}
        )
    return int(units)
