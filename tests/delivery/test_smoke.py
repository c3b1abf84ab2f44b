"""make smoke-dev and make smoke-prod: an environment at its public address."""

import http.server
import json
import threading

import pytest
from delivery import smoke

SHEET = "/static/style.1a2b.css"
PAGE = f'<link rel="stylesheet" href="{SHEET}">'


class Site(http.server.ThreadingHTTPServer):
    """An environment at a public address: `pages` are its answers by path, `requests` the paths so far."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.requests = {"/readyz": "ready", "/": PAGE, "/book-list": PAGE, SHEET: ""}, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def serve(self, version, revision):
        self.pages["/version"] = json.dumps({"version": version, "revision": revision})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_response_only(200 if self.path in self.server.pages else 404)
        self.end_headers()
        self.wfile.write(self.server.pages.get(self.path, "").encode())


@pytest.fixture
def site(shop, local_host, monkeypatch):
    """dev, which serves HEAD's snapshot."""
    made = Site()
    made.serve("1.0.0", shop.head())
    shop.push()
    monkeypatch.setattr(local_host, "url", {"dev": made.url, "prod": "http://localhost:1"}.get)
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "0")
    yield made
    made.shutdown()
    made.server_close()


def test_requests_the_build_the_pages_and_their_style_sheets(shop, site):
    result = shop.verb("smoke", "dev")
    result.must_print(site.url)
    assert result.err == ""
    assert site.requests == ["/version", "/readyz", "/", SHEET, "/book-list", SHEET]


def test_prod_has_the_release_which_another_commit_may_have_built(shop, site, local_host, monkeypatch):
    monkeypatch.setattr(local_host, "url", {"dev": "http://localhost:1", "prod": site.url}.get)
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
    shop.verb("smoke", "dev").must_fail(f"{site.url}{path} does not answer as it should")


def test_waits_within_the_limit(shop, site, monkeypatch):
    site.serve("0.9.0", "old")
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "20")
    monkeypatch.setattr(smoke.time, "sleep", lambda seconds: site.serve("1.0.0", shop.head()))
    shop.verb("smoke", "dev").must_print(site.url)


def test_fails_when_nothing_listens(shop, site):
    shop.push("1.0.0")
    messages = ("http://localhost:1/version does not answer as it should", "refused", "make status")
    shop.verb("smoke", "prod").must_fail(*messages)


@pytest.mark.parametrize(
    ("environment", "remedy"), [("dev", "make image push deploy-dev"), ("prod", "make promote deploy-prod")]
)
def test_names_what_makes_a_missing_image(shop, site, environment, remedy):
    shop.commit({"book-shop/x": "new"})
    tag = shop.snapshot() if environment == "dev" else "1.0.0"
    shop.verb("smoke", environment).must_fail(f"{shop.reference} has no tag {tag}", f"remedy: {remedy}")
