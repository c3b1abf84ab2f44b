"""Pages of the administration's lists."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Counts no further than it has to: an exact count of a large table costs more than everything else on the page.

    What lies beyond the first rows is found by search and filters.
    """

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, at most MOST."""
        return self.object_list.order_by()[: self.MOST].count()
