"""Forms of the cart and the checkout."""

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from orders.cart import MOST_COPIES
from orders.models import Order
from orders.payments import METHODS


class CopiesForm(forms.Form):
    """A number of copies."""

    copies = forms.IntegerField(
        min_value=1,
        max_value=MOST_COPIES,
        error_messages=dict.fromkeys(
            ["required", "invalid", "min_value", "max_value"],
            format_lazy(_("Enter a number of copies from 1 to {most}."), most=MOST_COPIES),
        ),
    )


class CheckoutForm(forms.ModelForm):
    """The delivery address and the payment method."""

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
        # Autofill field names (HTML).
        widgets = {
            "name": forms.TextInput({"autocomplete": "name"}),
            "email": forms.EmailInput({"autocomplete": "email"}),
            "street": forms.TextInput({"autocomplete": "address-line1"}),
            "postcode": forms.TextInput({"autocomplete": "postal-code"}),
            "city": forms.TextInput({"autocomplete": "address-level2"}),
            "country": forms.TextInput({"autocomplete": "country-name"}),
        }
