"""The list of pages of an image, and requests to them at an address."""

import http.client
import json
from pathlib import Path

import pytest
from delivery import application_log, pages
from delivery.cli import CommandError
from page_lists import HOME, INVALID, LINKS_OUT_OF_THE_SITE, VALID

ROOT = Path(__file__).parents[2]
SHEET = {"link": '/static/[^"]+\\.css', "on": "/", "status": 200, "marker": "body"}
BOOK = {"link": "/book/[0-9]+", "on": "/", "optional": True, "status": 200, "marker": "Dune"}
MISSING = {"path": "/no-such-page", "status": 404, "marker": "not found"}
URL = "http://shop.test"


class Site:
    """A site with `answers` by path: (status, text), (status, text, URL after redirects) or an error to raise."""

    def __init__(self, answers):
        self.answers, self.requests = answers, []

    def page(self, url, timeout=10):
        path = url.removeprefix(URL)
        self.requests.append(path)
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer if len(answer) == 3 else (*answer, url)


def working():
    return {
        "/": (200, 'books <link href="/static/a.1b.css"> <a href="/book/7">'),
        "/static/a.1b.css": (200, "body {}"),
        "/book/7": (200, "Dune"),
        "/no-such-page": (404, "not found"),
    }


def test_the_shop_declares_a_valid_list_that_covers_each_kind_of_page():
    declared = pages.parse((ROOT / pages.FILE).read_text())
    places = [page.get("path") or page["link"] for page in declared]
    for expected in ("/", "/book-list", "/book-detail/", "/account/login/", "/api/books", "/static/", "/robots.txt"):
        assert [place for place in places if place.startswith(expected)], expected


def test_all_pages_and_their_links_are_requested():
    site = Site(working())
    pages.check(URL, [HOME, SHEET, BOOK, MISSING], site)
    assert site.requests == list(working())


def test_an_optional_link_may_be_missing():
    site = Site(working() | {"/": (200, 'books "/static/a.1b.css"')})
    pages.check(URL, [HOME, SHEET, BOOK], site)
    assert site.requests == ["/", "/static/a.1b.css"]


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        ("/", (500, "books"), "status 500, expected 200"),
        ("/", (200, "an empty page"), "'books' is not on the page"),
        ("/", (200, "books"), "it has no link to /static/"),
        ("/", (200, "books", f"{URL}/account/login/?next=/"), "it redirects to http://shop.test/account/login/"),
        ("/", OSError("connection refused"), "connection refused"),
        ("/", http.client.BadStatusLine("x"), "x"),
        ("/static/a.1b.css", (404, ""), "status 404, expected 200"),
        ("/book/7", (500, ""), "status 500, expected 200"),
        ("/no-such-page", (200, "not found"), "status 200, expected 404"),
    ],
)
def test_a_page_that_is_not_as_expected_is_named_with_the_reason(path, answer, why):
    with pytest.raises(CommandError) as failure:
        pages.check(URL, [HOME, SHEET, BOOK, MISSING], Site(working() | {path: answer}))
    assert failure.value.what == f"cannot load '{URL}{path}'"
    assert why in str(failure.value.why)


@pytest.mark.parametrize("link", LINKS_OUT_OF_THE_SITE)
def test_a_link_out_of_the_site_is_not_followed(link):
    site = Site({"/": (200, f"books {link}")})
    with pytest.raises(CommandError, match="has no link to"):
        pages.check(URL, [HOME, SHEET | {"link": r"/\S+"}], site)
    assert site.requests == ["/"]


def test_a_redirect_to_https_is_followed():
    pages.check(URL, [HOME], Site({"/": (200, "books", "https://shop.test/")}))


@pytest.mark.parametrize("declared", VALID)
def test_a_valid_list_is_accepted(declared):
    assert pages.of_label("the-image", json.dumps(declared)) == declared


@pytest.mark.parametrize(
    ("declared", "problem"), [(declared, problem) for problem, lists in INVALID.items() for declared in lists]
)
def test_an_invalid_list_is_refused_with_the_reason(declared, problem):
    with pytest.raises(CommandError) as failure:
        pages.of_label("the-image", json.dumps(declared))
    assert failure.value.what == "'the-image' has an invalid list of pages"
    assert problem in str(failure.value.why)


@pytest.mark.parametrize("text", ["", "[", "[" * 99999, "<html>", "é"])
def test_a_list_that_is_not_json_is_refused_at_the_build(shop, text):
    shop.commit({pages.FILE: text or " "})
    shop.verb("version", "pages").must_fail(f"invalid {pages.FILE} in commit {shop.head()}", "remedy: fix")


def test_the_list_of_a_commit_is_one_line_and_an_older_commit_has_none(shop):
    shop.verb("version", "pages").must_print("")
    shop.commit({pages.FILE: json.dumps([HOME, SHEET], indent=2)})
    shop.commit({"docs/notes.md": "later"})
    printed = shop.verb("version", "pages")
    assert (printed.status, json.loads(printed.out), printed.out.count("\n")) == (0, [HOME, SHEET], 1)


LOG = [
    {"message": "Internal Server Error: /", "exc_info": "Traceback\n  File x\nValueError: no such.css"},
    {"message": "Not ready: the smoke test failed: /: ValueError: no such.css"},
    {"message": "GET / 200"},
]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (LOG, "the smoke test failed: /: ValueError: no such.css"),
        (LOG[:1], "Internal Server Error: /: ValueError: no such.css"),
        (LOG[2:], None),
        ([], None),
        ([[], 1, None, {}, {"message": None}, {"message": 1, "exc_info": 2}], None),
    ],
)
def test_the_reason_of_a_failure_is_read_from_the_log(lines, reason):
    text = "\n".join(["not JSON", *map(json.dumps, lines), "", "{"])
    assert application_log.failure(text) == reason
