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
    """dev at its public address: `pages` are its answers by path, `requests` the paths so far."""

    url = "http://localhost:8080"

    def __init__(self):
        self.pages, self.requests = {"/readyz": "ready", "/": PAGE, "/book-list": PAGE, SHEET: "body {}"}, []

    def serve(self, version, revision):
        self.pages["/version"] = json.dumps({"version": version, "revision": revision})

    def open(self, url, timeout):
        """As urlopen."""
        path = url.removeprefix(self.url)
        self.requests.append(path)
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
    assert result.err == ""
    assert site.requests == ["/version", "/readyz", "/", "/book-list", SHEET, "/no-such-page"]


def test_an_image_that_is_older_than_the_list_of_pages_must_be_ready(shop, site):
    shop.push()
    shop.verb("smoke", "dev").must_print(site.url)
    assert site.requests == ["/version", "/readyz"]


def test_an_invalid_list_of_pages_is_reported(shop, site):
    push(shop, declared=[])
    shop.verb("smoke", "dev").must_fail("has an invalid list of pages", "expected a list of pages, and at least one")
    assert site.requests == []


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
