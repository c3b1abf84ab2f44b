"""The registration form."""

from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import gettext_lazy as _


class RegisterForm(UserCreationForm):
    """Asks for a name, a password and an optional email address."""

    class Meta(UserCreationForm.Meta):
        fields = ["username", "email"]
        help_texts = {
            "username": _("Up to 150 letters, digits and @.+-_. Your reviews are published under this name."),
            "email": _("Optional. We fill it in for you at checkout."),
        }
