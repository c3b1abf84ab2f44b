"""The accounts application."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Accounts of readers, with the users and views of Django."""

    name = "accounts"
    verbose_name = _("Accounts")
