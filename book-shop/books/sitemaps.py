"""Sitemaps of the pages and of all books (sitemaps.org, protocol 0.9)."""

from django.contrib.sitemaps import Sitemap
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.functional import cached_property

from books.models import Book


class KeyRanges(Paginator):
    """Pages of `per_page` consecutive primary keys, some of which may be unused.

    All pages are equally fast, because the database neither counts nor skips rows.
    """

    @cached_property
    def num_pages(self):
        """The number of pages up to the highest key."""
        greatest = self.object_list.order_by("-pk").values_list("pk", flat=True).first() or 1
        return -(-greatest // self.per_page)

    def page(self, number):
        """Return a page. Raise EmptyPage after the last one, and PageNotAnInteger."""
        number = self.validate_number(number)
        end = number * self.per_page
        return Page(self.object_list.filter(pk__gt=end - self.per_page, pk__lte=end), number, self)


class Pages(Sitemap):
    """The home page and the list of books."""

    def items(self):
        """Return the names of their URLs."""
        return ["book-template", "book-list"]

    def location(self, item):
        """Return the URL of a page."""
        return reverse(item)


class Books(Sitemap):
    """The pages of all books."""

    # The protocol allows 50,000. This many are rendered within a tenth of a second.
    limit = 2000

    def items(self):
        """Return the books with their primary keys only."""
        return Book.objects.order_by("pk").only("pk")

    @property
    def paginator(self):
        """A paginator by ranges of keys."""
        return KeyRanges(self.items(), self.limit)


SITEMAPS = {"pages": Pages, "books": Books}
