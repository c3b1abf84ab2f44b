"""The filter of the list of books."""

from django import forms
from django.utils.translation import gettext_lazy as _

from books import money
from books.catalogue import SORT_NAMES
from books.models import Category


class BookFilter(forms.Form):
    """The fields above the list of books, all optional. The cleaned data are the arguments of catalogue.select."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200, widget=forms.TextInput({"type": "search"}))
    category = forms.ModelChoiceField(
        Category.objects, label=_("Category"), required=False, to_field_name="slug", empty_label=_("All")
    )
    price_from = forms.DecimalField(label=_("Price from"), required=False, min_value=0, max_digits=10)
    price_to = forms.DecimalField(label=_("Price up to"), required=False, min_value=0, max_digits=10)
    currency = forms.ChoiceField(label=_("Currency"), required=False, choices=money.Currency.choices)
    in_stock = forms.BooleanField(label=_("In stock only"), required=False)
    sort = forms.ChoiceField(label=_("Sort by"), required=False, choices=[("", _("Best match")), *SORT_NAMES.items()])

    def clean(self):
        """Convert the prices to minor units of the currency."""
        cleaned = super().clean()
        cleaned["currency"] = cleaned.get("currency") or money.Currency.EUR
        for name in ("price_from", "price_to"):
            if cleaned.get(name) is not None:
                try:
                    cleaned[name] = money.minor(cleaned[name], cleaned["currency"])
                except ValueError as error:
                    self.add_error(name, str(error))
        return cleaned
