"""The smoke test of a process, before /readyz reports that it is ready."""

import json
import logging
import threading

import page_lists
import pytest
from book_shop import smoke
from books.models import Book
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from prometheus_client import REGISTRY
from shop_fixtures import text

MESSAGE = "secret detail"
HOME = {
    "a static file that is missing": ("{% load static %}{% static 'no/such.css' %}", "ValueError"),
    "a template that is missing": ("{% include 'no/such.html' %}", "TemplateDoesNotExist"),
    "a template with a syntax error": ("{% if %}", "TemplateSyntaxError"),
    "an unknown template tag": ("{% load no_such_tags %}", "TemplateSyntaxError"),
    "the name of a URL that is wrong": ("{% url 'no-such-name' %}", "NoReverseMatch"),
}


def broken(*args, **kwargs):
    """A context processor, a middleware or a view that fails."""
    raise RuntimeError(MESSAGE)


def broken_middleware(get_response):
    """A middleware that fails on all pages except the probe."""
    return lambda request: get_response(request) if request.path == "/readyz" else broken()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Return the smoke test of a process that has just started."""
    monkeypatch.setattr(smoke, "test", smoke.SmokeTest())
    return smoke.test


@pytest.fixture
def client():
    """Return a client that does not raise the exceptions of views, which the smoke test has caught."""
    return Client(raise_request_exception=False)


@pytest.fixture
def log(caplog):
    """Return caplog with the records of Django, which do not reach the root logger."""
    logging.getLogger("django").addHandler(caplog.handler)
    yield caplog
    logging.getLogger("django").removeHandler(caplog.handler)


@pytest.fixture
def templates(settings, tmp_path):
    """Return a directory whose templates replace those of the shop."""
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path, *engine["DIRS"]]}]
    return tmp_path


def write(directory, name, content):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def assert_not_ready(client, log, page, error, detail=""):
    """Assert that the answer names the page and the type of the error, and that the log has the reason too."""
    answer = client.get("/readyz")
    assert answer.status_code == 503, text(answer)
    assert answer.json() == {"ready": False, "reason": "the smoke test failed", "page": page, "error": error}
    (line,) = [message for message in log.messages if message.startswith("Not ready: ")]
    escaped = error.encode("unicode_escape").decode()  # as Django writes it
    assert line.startswith(f"Not ready: the smoke test failed: {page}: {escaped}")
    assert detail in line


def samples():
    """Return the metrics as {(name, label...): value}."""
    return {(s.name, *s.labels.items()): s.value for metric in REGISTRY.collect() for s in metric.samples}


@pytest.mark.parametrize("titles", [(), ("Dune",)])
def test_ready_when_all_pages_work(client, make_books, titles):
    make_books(*titles)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_pages_write_no_rows(client, db, settings, monkeypatch):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    page = smoke._body

    def writing(*arguments):
        Book.objects.create(title="x", author="x", publishing_year=2001, rating=3, reviewer="x")
        return page(*arguments)

    monkeypatch.setattr(smoke, "_body", writing)
    assert client.get("/readyz").status_code == 200
    assert (Book.objects.count(), Session.objects.count()) == (0, 0)


def test_pages_are_not_counted_in_the_metrics(client, db):
    client.get("/readyz")  # creates the samples of /readyz
    client.get("/")
    before = samples()
    smoke.test = smoke.SmokeTest()
    client.get("/readyz")
    after = samples()
    views = {dict(key[1:]).get("view") for key in after if after[key] != before.get(key)} - {None}
    assert views == {"readyz"}
    total = ("django_http_requests_before_middlewares_total",)
    assert after[total] - before[total] == 1


def test_pages_are_requested_once(client, db, monkeypatch):
    requested = []
    page = smoke._body
    monkeypatch.setattr(
        smoke, "_body", lambda handler, path, expected: requested.append(path) or page(handler, path, expected)
    )
    for _ in range(3):
        assert client.get("/readyz").status_code == 200
    assert len(requested) == len(set(requested)) >= 10
    assert any(path.endswith(".css") for path in requested)


@pytest.mark.parametrize(("content", "error"), HOME.values(), ids=HOME)
@pytest.mark.parametrize(
    ("template", "page"),
    [
        ("books/home.html", "/"),
        ("books/book_list.html", "/book-list"),
        ("books/book_detail.html", "/book-detail/"),
        ("accounts/login.html", "/account/login/"),
        ("404.html", "/no-such-page"),
        ("error.html", "/no-such-page"),
        ("base.html", "/"),  # the page of error 500 has the same fault
    ],
)
def test_not_ready_with_a_broken_template(client, dune, templates, log, template, page, content, error):
    write(templates, template, content)
    page = f"/book-detail/{dune.pk}/" if page == "/book-detail/" else page
    if page == "/no-such-page" and error == "TemplateDoesNotExist":
        error = "'<h1>Page not found</h1>' is not on the page"  # Django has a page of its own for this case
    assert_not_ready(client, log, page, error)


def test_not_ready_while_the_template_of_a_view_is_missing_and_ready_afterwards(client, db, log, monkeypatch):
    with monkeypatch.context() as wrong:
        wrong.setattr("books.views.HomeView.template_name", "books/no-such.html")
        assert_not_ready(client, log, "/", "TemplateDoesNotExist", "books/no-such.html")
    assert client.get("/readyz").status_code == 200


def test_not_ready_with_a_view_whose_query_fails(client, db, log):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE books_category RENAME TO renamed")
    assert_not_ready(client, log, "/book-list", "ProgrammingError", "books_category")


def test_not_ready_with_a_context_processor_that_fails(client, db, settings, log):
    (engine,) = settings.TEMPLATES
    options = engine["OPTIONS"]
    options = options | {"context_processors": [*options["context_processors"], f"{__name__}.broken"]}
    settings.TEMPLATES = [engine | {"OPTIONS": options}]
    assert_not_ready(client, log, "/", "RuntimeError", MESSAGE)


def test_not_ready_with_a_middleware_that_fails(client, db, settings, log):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.broken_middleware"]
    assert_not_ready(client, log, "/", "RuntimeError", MESSAGE)


def test_not_ready_when_a_page_has_another_status(client, db, log, monkeypatch):
    monkeypatch.setattr("books.views.HomeView.http_method_names", [])
    assert_not_ready(client, log, "/", "status 405, expected 200")


def test_not_ready_without_the_marker(client, db, templates, log):
    write(templates, "orders/cart.html", "an empty page")
    assert_not_ready(client, log, "/cart", "'<h1>Cart</h1>' is not on the page")


def test_not_ready_without_a_required_link(client, db, templates, log):
    write(templates, "base.html", "{% block content %}{% endblock %}")
    assert_not_ready(client, log, "/", 'no link to /static/[^"]+\\.css')


def test_ready_later_if_the_database_fails_during_the_test(client, db, log, monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("connection to db.internal refused")

    with monkeypatch.context() as away:
        away.setattr("books.views.page", refuse)
        assert_not_ready(client, log, "/", "OperationalError", "db.internal")
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr("books.views.page", refuse)
    assert client.get("/readyz").status_code == 200  # it has passed; the probe checks the database itself


def test_not_ready_if_the_database_fails_before_the_first_page(client, db, log, monkeypatch):
    def refuse():
        raise OperationalError("connection to db.internal refused")

    monkeypatch.setattr("book_shop.smoke.transaction.atomic", refuse)
    assert_not_ready(client, log, "smoke.json", "OperationalError", "db.internal")


def test_a_second_probe_waits_for_the_running_test(fresh, monkeypatch):
    started, proceed, runs = threading.Event(), threading.Event(), []

    def request_pages():
        runs.append(1)
        started.set()
        assert proceed.wait(60)

    monkeypatch.setattr(smoke, "WAIT", 60)
    monkeypatch.setattr(fresh, "_request_pages", request_pages)
    threads = [threading.Thread(target=fresh.run) for _ in range(2)]
    threads[0].start()
    assert started.wait(60)
    threads[1].start()
    proceed.set()
    for thread in threads:
        thread.join(60)
    fresh.run()
    assert runs == [1]


def test_a_page_that_hangs_is_named_and_occupies_one_thread(client, db, fresh, log, monkeypatch):
    monkeypatch.setattr(smoke, "WAIT", 0)
    answers = []

    def probe_meanwhile(handler, path, page):
        answers.append(client.get("/readyz").json())
        raise smoke.Failed(path, "ended")

    monkeypatch.setattr(smoke, "_body", probe_meanwhile)
    with pytest.raises(smoke.Failed):
        fresh.run()
    assert answers == [{"ready": False, "reason": "the smoke test failed", "page": "/", "error": "not answered yet"}]


@pytest.mark.parametrize("pages", page_lists.VALID)
def test_a_valid_list_of_pages_is_accepted(tmp_path, pages):
    (tmp_path / "smoke.json").write_text(json.dumps(pages))
    assert smoke.load(tmp_path / "smoke.json") == pages


INVALID = [pages for lists in page_lists.INVALID.values() for pages in lists]


@pytest.mark.parametrize("pages", INVALID, ids=[json.dumps(pages)[:200] for pages in INVALID])
def test_an_invalid_list_of_pages_is_refused(tmp_path, pages):
    (tmp_path / "smoke.json").write_text(json.dumps(pages))
    with pytest.raises(ValueError, match=r"expected a list|invalid page"):
        smoke.load(tmp_path / "smoke.json")


@pytest.mark.parametrize(
    ("content", "error"), [(None, "FileNotFoundError"), ("[", "JSONDecodeError"), ("[]", "ValueError")]
)
def test_not_ready_without_a_valid_list_of_pages(client, db, tmp_path, log, monkeypatch, content, error):
    path = tmp_path / "smoke.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(smoke, "test", smoke.SmokeTest(path))
    assert_not_ready(client, log, "smoke.json", error)


@pytest.mark.parametrize("link", page_lists.LINKS_OUT_OF_THE_SITE)
def test_a_link_out_of_the_site_is_not_followed(client, db, tmp_path, templates, log, monkeypatch, link):
    write(templates, "books/home.html", f"books {link}")
    pages = [page_lists.HOME, page_lists.LINK | {"link": r"/\S+"}]
    (tmp_path / "smoke.json").write_text(json.dumps(pages))
    monkeypatch.setattr(smoke, "test", smoke.SmokeTest(tmp_path / "smoke.json"))
    assert_not_ready(client, log, "/", r"no link to /\S+")
