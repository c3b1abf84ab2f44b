"""The books of the shop."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BooksConfig(AppConfig):
    """Books, their shelves and their reviews."""

    name = "books"
    verbose_name = _("Books")

    def ready(self):
        """Have the reviews' rules listen to every change of one."""
        from books import reviews  # noqa: F401 - its receivers are connected by the import
