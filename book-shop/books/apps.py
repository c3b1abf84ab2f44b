"""The books of the shop."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    """The one application of the project."""

    name = "books"
