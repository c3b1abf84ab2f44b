"""The books application."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BooksConfig(AppConfig):
    """Books, categories and reviews."""

    name = "books"
    verbose_name = _("Books")

    def ready(self):
        """Connect the signal receivers of reviews."""
        from books import reviews  # noqa: F401 - the import connects them
