"""What caches may store: under the paths in CACHED the same response for everyone, elsewhere nothing of a visitor."""

import itertools
import json
import re

import pytest
from book_shop.caching import CACHED
from books import covers
from django.conf import settings as current
from django.test import Client
from django.utils.cache import patch_vary_headers
from shop_fixtures import text
from shop_program import PROJECT

pytestmark = pytest.mark.django_db
READING = ["GET", "HEAD"]
METHODS = [*READING, "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "INVENTED"]
PATHS = {
    "a static file of this build": "{style}",
    "a static file of another build": "/static/book_shop/style.0123456789ab.css",
    "a static file without a hash": "/static/book_shop/style.css",
    "an unknown static file": "/static/no/such.css",
    "no static file": "/static/",
    "a path that leads out of the static files": "/static/../account/",
    "the same, encoded": "/static/%2e%2e%2faccount/",
    "a cover": "/book-cover/{book}.svg",
    "an unknown cover": "/book-cover/0.svg",
    "a cover without a number": "/book-cover/x.svg",
    "a path below a cover": "/book-cover/{book}.svg/account/",
    "no cover": "/book-cover/",
}
WORKING = {*list(PATHS)[:3], "a cover"}
VISITORS = [
    {},
    {"query": "?next=/account/&language=ar", "accept-language": "ar"},
    {"accept-language": "ar,en;q=0.5", "authorization": "Basic eDp5", "user-agent": "another"},
]


@pytest.fixture
def places(dune, client):
    """Return the paths with the names and numbers of this build and its book."""
    style = re.search(r'href="(/static/book_shop/style\.[0-9a-f]{12}\.css)"', text(client.get("/")))[1]
    return {what: path.format(style=style, book=dune.pk) for what, path in PATHS.items()}


@pytest.fixture
def people(reader, settings):
    """Return a guest and a signed-in reader, both of whom get a cookie with each other response."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    guest, member = (Client(raise_request_exception=False) for _ in range(2))
    member.force_login(reader)
    member.post("/language", {"language": "ar"})
    assert member.get("/account/").cookies
    return [guest, member]


def careless_middleware(get_response):
    """A middleware that sets a cookie on each page, and divides caches by it."""

    def respond(request):
        response = get_response(request)
        response.set_cookie("careless", "1")
        patch_vary_headers(response, ["Cookie"])
        return response

    return respond


def answers(people, method, path, **headers):
    """Return the different responses to all visitors: status, headers and body."""
    found = []
    for person in people:
        for visitor in VISITORS:
            names = {name: value for name, value in visitor.items() if name != "query"} | headers
            answer = person.generic(method, path + visitor.get("query", ""), headers=names)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            del answer.headers["Expires"]  # of no-store: the time of the response
            one = (answer.status_code, sorted(answer.headers.items()), answer.cookies.output(), body)
            if one not in found:
                found.append(one)
    return found


def assert_same_for_everyone(found):
    ((status, headers, cookies, _),) = found
    headers = dict(headers)
    assert cookies == ""
    assert headers.get("Vary", "Accept-Encoding") == "Accept-Encoding"
    if status in (200, 304):
        assert "max-age" in headers["Cache-Control"]
    else:
        assert "no-store" in headers["Cache-Control"]
    return status


def test_list_of_cached_paths_is_that_of_the_delivery():
    assert json.loads((PROJECT.parent / "application.json").read_text())["cached"] == CACHED


@pytest.mark.parametrize("method", METHODS)
def test_response_under_a_cached_path_is_the_same_for_everyone(places, people, method):
    statuses = {what: assert_same_for_everyone(answers(people, method, path)) for what, path in places.items()}
    assert {what for what, status in statuses.items() if status < 400} == (WORKING if method in READING else set())


def test_cookie_on_each_page_is_not_set_under_a_cached_path(places, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.careless_middleware"]
    people = [Client()]
    assert "careless" in people[0].get("/").cookies
    for path in places.values():
        assert_same_for_everyone(answers(people, "GET", path))


def test_unchanged_cover_and_static_file_are_the_same_for_everyone(places, people):
    for what, name in (("a cover", "ETag"), ("a static file of this build", "Last-Modified")):
        value = people[0].get(places[what]).headers[name]
        header = {"ETag": "if-none-match", "Last-Modified": "if-modified-since"}[name]
        assert assert_same_for_everyone(answers(people, "GET", places[what], **{header: value})) == 304


def test_part_of_a_static_file_is_the_same_for_everyone(places, people):
    ((status, headers, cookies, _),) = answers(people, "GET", places["a static file of this build"], range="bytes=0-9")
    assert (status, cookies) == (206, "")
    assert "immutable" in dict(headers)["Cache-Control"]


def test_failure_under_a_cached_path_is_the_same_for_everyone(places, people, monkeypatch):
    def fail(*arguments):
        raise RuntimeError

    monkeypatch.setattr(covers, "draw", fail)
    assert assert_same_for_everyone(answers(people, "GET", places["a cover"])) == 500


def test_unknown_host_under_a_cached_path_is_the_same_for_everyone(places, people):
    assert assert_same_for_everyone(answers(people, "GET", places["a cover"], host="evil.test")) == 400


def test_redirect_to_https_under_a_cached_path_is_the_same_for_everyone(places, configure):
    configure(PUBLIC_URL="https://shop.example")
    people = [Client(), Client()]
    people[1].cookies[current.LANGUAGE_COOKIE_NAME] = "ar"
    for path in places.values():
        assert assert_same_for_everyone(answers(people, "GET", path)) == 301


PAGES = [
    "/", "/book-list", "/book-list?q=x", "/book-list?sort=no", "/book-detail/{book}/", "/book-detail/{book}/review",
    "/cart", "/checkout", "/orders", "/account/", "/account/login/", "/account/register/", "/account/password/",
    "/account/invitation/x/?token=y", "/admin/", "/admin/login/", "/admin/orders/order/", "/admin/jsi18n/",
    "/api/books", "/api/categories", "/api/openapi.json", "/sitemap.xml", "/sitemap-pages.xml", "/robots.txt",
    "/favicon.ico", "/no/such", "/healthz", "/readyz", "/version", "/cart/{book}/add", "/language", "/order/x/",
    # An edge that compares normalized paths takes them for cached ones, and sends them as they are (CloudFront).
    "/x/../static/no.css", "//static/no.css", "/admin/books/book/../../../book-cover/1/change/",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_response_elsewhere_is_private(dune, people, admin_client, method):
    for person, page in itertools.product([*people, admin_client], PAGES):
        answer = person.generic(method, page.format(book=dune.pk))
        control = re.split(r",\s*", answer.headers.get("Cache-Control", ""))
        assert "public" not in control, page
        assert not any(each.startswith("s-maxage") for each in control), page
        assert "private" in control, page
