"""A change of SECRET_KEY signs no one out and loses no cart, also while processes with both keys run."""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from accounts import middleware
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from shop_fixtures import PASSWORD, text
from shop_program import LIMIT

OLD, NEW = "the-old-key-" * 4, "the-new-key-" * 4
ORDER = {"name": "L", "email": "l@example.org", "street": "S 7", "city": "Amman", "country": "JO", "payment": "invoice"}
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def use(settings):
    """Return a function that changes the key and the other accepted keys."""

    def use(key, *fallbacks):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)

    use(OLD)
    return use


# A new process, and one that still has the old settings, as after an aborted change.
BOTH_WAYS = pytest.mark.parametrize("key", [(NEW, OLD), (OLD, NEW)], ids=["new", "old"])


def signed_in(client) -> bool:
    return "signed in as lina" in text(client.get("/account/"))


def copy_of(client) -> Client:
    """Return another client with the same cookies, as of a second request that the browser has already sent."""
    copy = Client()
    copy.cookies.load({name: morsel.value for name, morsel in client.cookies.items()})
    return copy


@BOTH_WAYS
def test_session_keeps_its_key_and_stays_signed_in(client, use, reader, key):
    use(key[1])
    client.force_login(reader)
    parallel, before = copy_of(client), client.session.session_key
    use(*key)
    assert signed_in(client)
    assert signed_in(parallel)
    assert client.session.session_key == before
    use(key[0])  # the session has been renewed, so the other key is no longer needed
    assert signed_in(client)


def test_each_of_two_processes_accepts_the_sessions_of_the_other(client, use, reader):
    client.force_login(reader)
    for keys in [(NEW, OLD), (OLD, NEW)] * 3:
        use(*keys)
        assert signed_in(client)


def test_session_of_an_unknown_key_ends(client, use, reader):
    client.force_login(reader)
    use(NEW)
    assert not signed_in(client)


def test_changed_password_ends_other_sessions_also_during_a_key_change(client, use, reader):
    other = Client()
    for each in (client, other):
        each.force_login(reader)
    use(NEW, OLD)
    form = {"old_password": PASSWORD, "new_password1": "another long phrase", "new_password2": "another long phrase"}
    assert client.post("/account/password/", form).status_code == 302
    assert signed_in(client)
    assert not signed_in(other)


def test_renewing_a_session_keeps_what_another_request_writes_meanwhile(client, use, reader, dune, monkeypatch):
    client.force_login(reader)
    parallel = copy_of(client)
    use(NEW, OLD)
    get_user = auth.get_user

    def interrupted(request):
        user = get_user(request)  # this request has read its session
        monkeypatch.setattr(auth, "get_user", get_user)
        parallel.post(f"/cart/{dune.pk}/add", {"copies": "2"})
        return user

    monkeypatch.setattr(middleware.auth, "get_user", interrupted)
    assert signed_in(client)
    assert client.session["cart"] == {str(dune.pk): 2}
    assert signed_in(client)
    use(NEW)
    assert signed_in(client)


def test_renewing_a_session_does_not_bring_back_one_that_ended_meanwhile(client, use, reader, monkeypatch):
    client.force_login(reader)
    parallel = copy_of(client)
    use(NEW, OLD)
    get_user = auth.get_user

    def interrupted(request):
        user = get_user(request)
        monkeypatch.setattr(auth, "get_user", get_user)
        parallel.post("/account/logout/")
        return user

    monkeypatch.setattr(middleware.auth, "get_user", interrupted)
    client.get("/account/")
    assert not Session.objects.exists()


def test_renewing_a_session_does_not_extend_it(client, use, reader):
    client.force_login(reader)
    end = timezone.now() + timedelta(hours=1)
    Session.objects.update(expire_date=end)
    use(NEW, OLD)
    assert signed_in(client)
    assert Session.objects.get().expire_date == end


def test_page_without_a_user_reads_no_session(client, use, dune, django_assert_num_queries):
    client.post(f"/cart/{dune.pk}/add", {"copies": "1"})
    use(NEW, OLD)
    with django_assert_num_queries(0):
        client.get("/robots.txt")


@BOTH_WAYS
def test_guest_keeps_cart_message_language_order_and_form(use, dune, key):
    guest = Client(enforce_csrf_checks=True)
    use(key[1])
    token = guest.get(f"/book-detail/{dune.pk}/").context["csrf_token"]
    guest.post("/language", {"language": "ar", "next": "/", "csrfmiddlewaretoken": str(token)})
    guest.post("/language", {"language": "en", "next": "/", "csrfmiddlewaretoken": str(token)})
    add = {"copies": "1", "csrfmiddlewaretoken": str(token)}
    guest.post(f"/cart/{dune.pk}/add", add)
    page = guest.get("/checkout")
    order = ORDER | {"key": str(page.context["key"]), "total": "12.50 EUR", "csrfmiddlewaretoken": str(token)}
    use(*key)
    assert "“Dune” is in your cart." in text(guest.get("/cart")) + text(page)
    # The form that was opened before the change places the order, which its session can still see afterwards.
    answer = guest.post("/checkout", order)
    assert answer.status_code == 302
    use(*reversed(key))
    assert guest.get(answer.headers["Location"]).status_code == 200
    assert guest.cookies[settings.LANGUAGE_COOKIE_NAME].value == "en"
    assert guest.get("/cart").status_code == 200


def test_no_cookie_depends_on_the_key(client, use, reader, dune):
    client.force_login(reader)
    client.post(f"/cart/{dune.pk}/add", {"copies": "1"})
    client.post("/language", {"language": "ar"})
    pages = ("/account/", "/cart", f"/book-detail/{dune.pk}/", "/checkout", "/orders")
    statuses = [client.get(page).status_code for page in pages]
    before = {name: morsel.value for name, morsel in client.cookies.items()}
    use(NEW, OLD)
    assert [client.get(page).status_code for page in pages] == statuses
    assert {name: morsel.value for name, morsel in client.cookies.items()} == before
    # As the prefix __Host- demands.
    assert {(morsel["path"], morsel["domain"]) for morsel in client.cookies.values()} == {("/", "")}


def test_parallel_requests_of_a_browser_stay_signed_in(on_postgresql, serve):
    """Against gunicorn with the new key. Each request has the cookie from before the change."""
    User.objects.create_user("lina", password=PASSWORD)
    client = Client()
    assert client.login(username="lina", password=PASSWORD)
    name = settings.SESSION_COOKIE_NAME
    cookie = client.cookies[name].value
    server = serve(
        "--threads", "16", DATABASE_URL=on_postgresql, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=settings.SECRET_KEY
    )
    together = threading.Barrier(20, timeout=LIMIT)

    def get(_):
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)) as connection:
            connection.connect()
            together.wait()
            connection.request("GET", "/account/", headers={"Host": "shop.test", "Cookie": f"{name}={cookie}"})
            answer = connection.getresponse()
            return answer.status, name in str(answer.headers), b"signed in as lina" in answer.read()

    with ThreadPoolExecutor(20) as senders:
        assert set(senders.map(get, range(20))) == {(200, False, True)}
