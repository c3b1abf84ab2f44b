"""make smoke-dev and make smoke-prod: an environment at its public address."""

import io
import json
import urllib.error
import urllib.request

import pytest
from delivery import pages, smoke

SHEET = "/static/style.1a2b.css"
PAGE = f'books <link rel="stylesheet" href="{SHEET}">'
DECLARED = [
    {"path": "/", "status": 200, "marker": "books"},
    {"path": "/book-list", "status": 200, "marker": "books"},
    {"link": r'/static/[^"]+\.css', "on": "/", "status": 200, "marker": "body"},
    {"path": "/no-such-page", "status": 404, "marker": "not found"},
]


class Answer(io.BytesIO):
    """What urlopen returns."""

    def __init__(self, url, text):
        super().__init__(text.encode())
        self.url, self.status = url, 200


class Site:
    """An environment at the address `url`: `pages` are its answers by path, `requests` the paths so far.

    NGINX answers other addresses with 421, and the paths in `locked` with 401.
    """

    url = "http://localhost:8080"

    def __init__(self):
        self.pages, self.requests = {"/readyz": "ready", "/": PAGE, "/book-list": PAGE, SHEET: "body {}"}, []
        self.locked = set()

    def serve(self, version, revision):
        self.pages["/version"] = json.dumps({"version": version, "revision": revision})

    def open(self, url, timeout, context):
        """As urlopen."""
        path = url.removeprefix(self.url)
        self.requests.append(path)
        if path == url or path in self.locked:
            status = 421 if path == url else 401
            raise urllib.error.HTTPError(url, status, "refused", {}, io.BytesIO(b"NGINX"))
        if path not in self.pages:
            raise urllib.error.HTTPError(url, 404, "Not Found", {}, io.BytesIO(b"not found"))
        return Answer(url, self.pages[path])


def push(shop, tag=None, declared=DECLARED):
    """Pushes an image that declares these pages."""
    return shop.push(tag, shop.labels() | {pages.LABEL: json.dumps(declared)})


@pytest.fixture
def site(shop, local_host, monkeypatch):
    """The Site, which serves HEAD's snapshot."""
    made = Site()
    made.serve("1.0.0", shop.head())
    push(shop)
    monkeypatch.setattr(urllib.request, "urlopen", made.open)
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "0")
    return made


def test_requests_the_build_and_the_pages_that_the_image_declares(shop, site):
    result = shop.verb("smoke", "dev")
    result.must_print(site.url)
    assert result.err == "==> the host's status\n"
    assert site.requests == ["/version", "/readyz", "/", "/book-list", SHEET, "/no-such-page"]


def test_an_image_that_is_older_than_the_list_of_pages_must_be_ready(shop, site):
    shop.push()
    shop.verb("smoke", "dev").must_print(site.url)
    assert site.requests == ["/version", "/readyz"]


def test_an_invalid_list_of_pages_is_reported(shop, site):
    push(shop, declared=[])
    shop.verb("smoke", "dev").must_fail("has an invalid list of pages", "expected a list of pages, and at least one")
    assert site.requests == []


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_requests_the_public_url(shop, site, local_host, environment):
    """ALLOWED_HOSTS may lack the address of the host."""
    push(shop, "1.0.0")
    site.url = local_host.entries[environment]["url"] = "https://shop.example"
    shop.verb("smoke", environment).must_print("https://shop.example")
    assert site.requests == ["/version", "/readyz", "/", "/book-list", SHEET, "/no-such-page"]


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("stored", [None, "http://192.0.2.1"])
def test_an_address_that_the_shop_does_not_answer_names_the_command_that_stores_another(
    shop, site, local_host, environment, stored
):
    push(shop, "1.0.0")
    site.url, local_host.entries[environment]["url"] = "https://shop.example", stored
    shop.verb("smoke", environment).must_fail(
        f"the shop does not answer at '{stored or local_host.url(environment)}/version'",
        "status 421: its host name is neither in ALLOWED_HOSTS nor that of PUBLIC_URL",
        f"make set-{environment} SETTING=PUBLIC_URL",
    )


@pytest.fixture
def preview(site, local_host):
    """dev, whose pages have a password."""
    local_host.entries["dev"]["asks_password"] = True
    site.locked = {"/", "/book-list", SHEET, "/no-such-page"}
    return site


def test_the_pages_of_a_preview_must_ask_for_the_password(shop, preview):
    result = shop.verb("smoke", "dev")
    result.must_print(preview.url, "the pages of dev have a password; the host requested them itself")
    assert preview.requests == ["/version", "/readyz", "/"]
    preview.locked = set()
    shop.verb("smoke", "dev").must_fail(f"'{preview.url}/' asks for no password", "status 200", "bin/bootstrap")


def test_a_preview_must_be_ready_and_have_the_build(shop, preview):
    del preview.pages["/readyz"]
    shop.verb("smoke", "dev").must_fail(f"cannot load '{preview.url}/readyz'")
    preview.serve("0.9.0", "old")
    shop.verb("smoke", "dev").must_fail("serves another build")


def test_prod_has_the_release_which_another_commit_may_have_built(shop, site):
    site.url = "http://localhost:80"
    push(shop, "1.0.0")
    shop.commit({"docs/notes.md": "a merge, for example"})
    shop.verb("smoke", "prod").must_print(site.url)


@pytest.mark.parametrize("answer", ['"1.0.0", "revision": "0000"}', '"0.9.0", "revision": "{}"}', "<html>a login page"])
def test_fails_for_another_build_and_prints_both(shop, site, answer):
    site.pages["/version"] = '{"version": ' + answer.replace("{}", shop.head())
    shop.verb("smoke", "dev").must_fail("serves another build", site.pages["/version"], shop.head())


@pytest.mark.parametrize("path", ["/version", "/readyz", "/", "/book-list", SHEET])
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


@pytest.fixture
def run_of_a_pipeline(shop, site, local_host, monkeypatch, tmp_path):
    """A function that deploys HEAD's image in a new run and makes its smoke test fail. The live image before is old."""
    local_host.deploy("dev", f"{shop.reference}@{OLD}")
    runs = iter("abc")

    def run(meanwhile=lambda: None):
        monkeypatch.setenv("DELIVERY_STEPS", str(tmp_path / next(runs)))
        shop.verb("deploy", "dev").must_succeed()
        meanwhile()
        site.pages["/book-list"] = "an empty page"
        return shop.verb("smoke", "dev")

    return run


OLD = f"sha256:{'0' * 64}"
FAILURE = "cannot load 'http://localhost:8080/book-list'\n  why: 'books' is not on the page"


def test_a_failure_in_a_pipeline_rolls_back_the_deploy_of_the_run(run_of_a_pipeline, local_host):
    run_of_a_pipeline().must_fail(FAILURE, "roll back the deploy of this run", "the host's undo")
    assert local_host.live("dev") == OLD


def test_a_run_whose_deploy_changed_nothing_rolls_back_nothing(shop, run_of_a_pipeline, local_host):
    shop.verb("deploy", "dev").must_succeed()  # by an earlier run, or from a laptop
    live = local_host.live("dev")
    run_of_a_pipeline().must_fail(FAILURE, "nothing to roll back: the deploy of this run did not make")
    assert local_host.live("dev") == live


def test_a_failed_deploy_of_another_user_in_between_changes_nothing(shop, run_of_a_pipeline, local_host):
    shop.verb("deploy", "dev").must_succeed()
    live = local_host.live("dev")
    failed = {"environment": "dev", "verb": "deploy", "result": "failed", "digest": live}
    run_of_a_pipeline(meanwhile=lambda: local_host.deploys.append(failed)).must_fail(FAILURE, "nothing to roll back")
    assert local_host.live("dev") == live


@pytest.mark.parametrize("in_a_pipeline", [True, False])
def test_without_a_deploy_nothing_is_rolled_back(shop, site, local_host, monkeypatch, tmp_path, in_a_pipeline):
    shop.verb("deploy", "dev").must_succeed()
    if in_a_pipeline:
        monkeypatch.setenv("DELIVERY_STEPS", str(tmp_path / "steps"))
    site.pages["/book-list"] = "an empty page"
    shop.verb("smoke", "dev").must_fail(FAILURE)
    assert "undo" not in local_host.calls


def test_a_rollback_that_fails_is_reported_with_the_failure_of_the_smoke_test(run_of_a_pipeline, local_host):
    local_host.failures["undo"] = (1, "the host's error")
    run_of_a_pipeline().must_fail(
        FAILURE, "the host's error", "the deploy of this run was not rolled back", "make rollback-dev"
    )


def test_a_working_deploy_of_a_pipeline_stays(shop, site, local_host, monkeypatch, tmp_path):
    monkeypatch.setenv("DELIVERY_STEPS", str(tmp_path / "steps"))
    shop.verb("deploy", "dev").must_succeed()
    shop.verb("smoke", "dev").must_print(site.url)
    assert "undo" not in local_host.calls
