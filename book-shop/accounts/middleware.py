"""Recognizes the user of a session, also after a change of SECRET_KEY."""

from django.contrib import auth
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoMiddleware
from django.contrib.sessions.models import Session
from django.utils.functional import SimpleLazyObject


class AuthenticationMiddleware(DjangoMiddleware):
    """Django's middleware, except that a change of the key does not give sessions a new key of their own."""

    def process_request(self, request):
        """Set request.user, which is loaded when it is used."""
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: get_user(request))


def get_user(request):
    """Return the user of the request's session.

    A session contains a hash that is signed with SECRET_KEY. If only a fallback key verifies it, Django renews the hash
    and moves the session to a new session key. Another request that the browser sends with the old cookie meanwhile
    would find no session, and its answer would delete the cookie. So the session keeps its key.
    """
    if not hasattr(request, "_cached_user"):
        session = request.session
        before, was_modified = session.get(HASH_SESSION_KEY), session.modified
        session.cycle_key = lambda: None
        try:
            user = auth.get_user(request)
        finally:
            del session.cycle_key
        if user.is_authenticated and session[HASH_SESSION_KEY] != before:
            # Saving the whole session would undo what other requests write to it meanwhile, such as the cart.
            session.modified = was_modified
            _renew(session, before)
        request._cached_user = user
    return request._cached_user


def _renew(session, before: str) -> None:
    """Replace the hash in the stored session, unless another request has changed the session since it was read.

    Then a later request replaces it.
    """
    stored = Session.objects.filter(session_key=session.session_key)
    for data in stored.values_list("session_data", flat=True):
        content = session.decode(data)
        if content.get(HASH_SESSION_KEY) == before:
            content[HASH_SESSION_KEY] = session[HASH_SESSION_KEY]
            stored.filter(session_data=data).update(session_data=session.encode(content))
