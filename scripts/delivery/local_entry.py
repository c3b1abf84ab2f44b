"""NGINX on a host, as the host itself reaches it."""

from delivery import http_client


class LocalEntry:
    """An Entry (environments/base.py) at a URL that does not change."""

    web = http_client

    def __init__(self, url):
        self._url = url

    def url(self, settings=None):
        """As Entry.url."""
        return self._url

    def patches(self, settings):
        """As Entry.patches."""
        return []

    def is_patched(self, settings):
        """As Entry.is_patched."""
        return True

    def failure(self, url, revision):
        """As Entry.failure."""
        return f"{url} did not answer with {revision}", "make logs-prod"
