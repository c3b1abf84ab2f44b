"""The site as visitors see it: its public address, and whether it is a preview."""

from functools import wraps

from django import template
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest

register = template.Library()


def url(request) -> str:
    """Return the address of the site without a slash at the end: PUBLIC_URL, or that of the request."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def address(request):
    """Context processor: add the address of the site. Only pages that show it need a valid host name."""
    return {"public_url": lambda: url(request)}


def as_public(view):
    """Let a view of Django that takes the address of its links from the request take it from PUBLIC_URL."""

    @wraps(view)
    def inner(request, *args, **kwargs):
        if settings.PUBLIC_URL:
            scheme, host = settings.PUBLIC_URL.split("://")
            public = {"HTTP_HOST": host, "HTTP_X_FORWARDED_PROTO": scheme, "wsgi.url_scheme": scheme}
            request = WSGIRequest(request.environ | public)
        return view(request, *args, **kwargs)

    return inner


@register.simple_tag
def is_preview() -> bool:
    """Return whether the site is a preview. A tag, because some error pages are rendered without a request."""
    return settings.PREVIEW
