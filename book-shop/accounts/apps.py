"""The accounts application."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Readers sign in with Django's own users and views."""

    name = "accounts"
    verbose_name = _("Accounts")
