"""What caches between the shop and a visitor may store (docs/decisions/0089-shop-behind-https.md).

The edge stores responses under the paths in CACHED and gives them to everyone. So they are the same for everyone:
a request there has no cookies, language or query, whatever its view or its error page does.
"""

from django.conf import settings
from django.utils.cache import add_never_cache_headers, has_vary_header, patch_cache_control

# application.json has the same list.
CACHED = ["/static/*", "/book-cover/*"]
_PREFIXES = tuple(path.removesuffix("*") for path in CACHED)
_OF_THE_VISITOR = ["HTTP_COOKIE", "HTTP_ACCEPT_LANGUAGE"]


class CachingMiddleware:
    """Keeps what belongs to a visitor out of shared caches, and failures out of all caches."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        """Return the response."""
        is_cached = request.path_info.startswith(_PREFIXES)
        if is_cached:
            for name in _OF_THE_VISITOR:
                request.META.pop(name, None)
            request.META["QUERY_STRING"] = ""
        response = self.get_response(request)
        if is_cached:
            _make_impersonal(response)
        else:
            # Even without "Vary: Cookie": an error page without it is in the language of the visitor's cookie.
            patch_cache_control(response, private=True)
        # Caches keep a permanent redirect for long. If the proxy in front is not trusted for a moment, the redirect
        # leads from the public URL to itself.
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            add_never_cache_headers(response)
        return response


def _make_impersonal(response) -> None:
    response.cookies.clear()
    # LocaleMiddleware adds Accept-Language, which divides the cache.
    if has_vary_header(response, "Accept-Encoding"):
        response.headers["Vary"] = "Accept-Encoding"
    else:
        response.headers.pop("Vary", None)
    if response.status_code not in (200, 206, 304):
        add_never_cache_headers(response)
