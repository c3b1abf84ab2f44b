"""What search engines are told of: the shop's pages and every book (sitemaps.org, protocol 0.9)."""

from django.contrib.sitemaps import Sitemap
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.functional import cached_property

from books.models import Book


class KeyRanges(Paginator):
    """Pages of `per_page` keys each, whether all of them are taken or not.

    The last of a million books costs what the first does: no row is counted or skipped.
    """

    @cached_property
    def num_pages(self):
        """The number of pages up to the greatest key."""
        greatest = self.object_list.order_by("-pk").values_list("pk", flat=True).first() or 1
        return -(-greatest // self.per_page)

    def page(self, number):
        """Return the page of this number. Raises EmptyPage past the last one, PageNotAnInteger for no number."""
        number = self.validate_number(number)
        end = number * self.per_page
        return Page(self.object_list.filter(pk__gt=end - self.per_page, pk__lte=end), number, self)


class Pages(Sitemap):
    """The pages that lead to the books."""

    def items(self):
        """Return their names."""
        return ["book-template", "book-list"]

    def location(self, item):
        """Return the address of one."""
        return reverse(item)


class Books(Sitemap):
    """Every book."""

    # 50,000 are allowed; so few are rendered within a tenth of a second.
    limit = 2000

    def items(self):
        """Return the books, of which only the key is asked."""
        return Book.objects.order_by("pk").only("pk")

    @property
    def paginator(self):
        """The books by ranges of their keys."""
        return KeyRanges(self.items(), self.limit)


SITEMAPS = {"pages": Pages, "books": Books}
