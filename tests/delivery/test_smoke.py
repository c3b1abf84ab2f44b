"""make smoke-dev and make smoke-prod: an environment at its public address."""

import io
import json
import urllib.request

import pytest
from delivery import smoke

SHEET = "/static/style.1a2b.css"
PAGE = f'<link rel="stylesheet" href="{SHEET}">'


class Site:
    """dev at its public address: `pages` are its answers by path, `requests` the paths so far."""

    url = "http://localhost:8080"

    def __init__(self):
        self.pages, self.requests = {"/readyz": "ready", "/": PAGE, "/book-list": PAGE, SHEET: ""}, []

    def serve(self, version, revision):
        self.pages["/version"] = json.dumps({"version": version, "revision": revision})

    def open(self, url, timeout):
        """As urlopen."""
        path = url.removeprefix(self.url)
        self.requests.append(path)
        if path not in self.pages:
            raise OSError("HTTP Error 404: Not Found")
        return io.BytesIO(self.pages[path].encode())


@pytest.fixture
def site(shop, local_host, monkeypatch):
    """The Site, which serves HEAD's snapshot."""
    made = Site()
    made.serve("1.0.0", shop.head())
    shop.push()
    monkeypatch.setattr(urllib.request, "urlopen", made.open)
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "0")
    return made


def test_requests_the_build_the_pages_and_their_style_sheets(shop, site):
    result = shop.verb("smoke", "dev")
    result.must_print(site.url)
    assert result.err == ""
    assert site.requests == ["/version", "/readyz", "/", SHEET, "/book-list", SHEET]


def test_prod_has_the_release_which_another_commit_may_have_built(shop, site):
    site.url = "http://localhost:80"
    shop.push("1.0.0")
    shop.commit({"docs/notes.md": "a merge, for example"})
    shop.verb("smoke", "prod").must_print(site.url)


@pytest.mark.parametrize("answer", ['"1.0.0", "revision": "0000"}', '"0.9.0", "revision": "{}"}', "<html>a login page"])
def test_fails_for_another_build_and_prints_both(shop, site, answer):
    site.pages["/version"] = '{"version": ' + answer.replace("{}", shop.head())
    shop.verb("smoke", "dev").must_fail("serves another build", site.pages["/version"], shop.head())


@pytest.mark.parametrize("path", ["/version", "/readyz", "/book-list", SHEET])
def test_fails_for_a_missing_page_and_names_it(shop, site, path):
    del site.pages[path]
    shop.verb("smoke", "dev").must_fail(f"cannot load '{site.url}{path}'")


def test_waits_within_the_limit(shop, site, monkeypatch):
    site.serve("0.9.0", "old")
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "20")
    monkeypatch.setattr(smoke.time, "sleep", lambda seconds: site.serve("1.0.0", shop.head()))
    shop.verb("smoke", "dev").must_print(site.url)


def test_fails_when_nothing_listens(shop, local_host, monkeypatch):
    shop.push()
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "0")
    monkeypatch.setattr(local_host, "url", lambda environment: "http://localhost:1")
    messages = ("cannot load 'http://localhost:1/version'", "refused", "make status")
    shop.verb("smoke", "dev").must_fail(*messages)


@pytest.mark.parametrize(
    ("environment", "remedy"), [("dev", "make image push deploy-dev"), ("prod", "make promote deploy-prod")]
)
def test_names_what_makes_a_missing_image(shop, site, environment, remedy):
    shop.commit({"book-shop/x": "new"})
    tag = shop.snapshot() if environment == "dev" else "1.0.0"
    shop.verb("smoke", environment).must_fail(f"{shop.reference} has no tag {tag}", f"remedy: {remedy}")
