"""Pagination of the lists in the admin."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Shows the first MOST rows only, because an exact count of a large table is slow.

    Search and filters find the other rows.
    """

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most MOST."""
        return self.object_list.order_by()[: self.MOST].count()
