"""What a reader fills in to have an account."""

from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import gettext_lazy as _


class RegisterForm(UserCreationForm):
    """A name, a password, and an address for the order form if the reader likes."""

    class Meta(UserCreationForm.Meta):
        fields = ["username", "email"]
        help_texts = {
            "username": _("At most 150 letters, digits and @.+-_; it is shown with your reviews."),
            "email": _("Optional; it is filled in for you when you order."),
        }
