"""What a buyer fills in."""

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from orders.cart import MOST_COPIES
from orders.models import Order
from orders.payments import METHODS


class CopiesForm(forms.Form):
    """How many copies."""

    copies = forms.IntegerField(
        min_value=1,
        max_value=MOST_COPIES,
        error_messages=dict.fromkeys(
            ["required", "invalid", "min_value", "max_value"],
            format_lazy(_("Please give a number of copies from 1 to {most}."), most=MOST_COPIES),
        ),
    )


class CheckoutForm(forms.ModelForm):
    """Where the books go, and how they are paid."""

    payment = forms.ChoiceField(
        label=_("Payment"),
        choices=lambda: [
            (method.code, format_lazy("{}: {}", method.label, method.explanation)) for method in METHODS.values()
        ],
        initial=next(iter(METHODS)),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Order
        fields = ["name", "email", "street", "postcode", "city", "country"]
        # What browsers fill in by themselves (HTML, autofill field names).
        widgets = {
            "name": forms.TextInput({"autocomplete": "name"}),
            "email": forms.EmailInput({"autocomplete": "email"}),
            "street": forms.TextInput({"autocomplete": "address-line1"}),
            "postcode": forms.TextInput({"autocomplete": "postal-code"}),
            "city": forms.TextInput({"autocomplete": "address-level2"}),
            "country": forms.TextInput({"autocomplete": "country-name"}),
        }
