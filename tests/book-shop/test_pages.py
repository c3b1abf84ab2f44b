"""Pages of the shop: URLs, contents, links, error pages, headers and static files."""

import re
from html import unescape
from unittest import mock

import pytest
from books.models import Category
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import reverse
from django.views.defaults import permission_denied
from shop_fixtures import text


@pytest.mark.parametrize(
    ("name", "arguments", "url"),
    [
        ("book-template", [], "/"),
        ("book-list", [], "/book-list"),
        ("book-detail", [7], "/book-detail/7/"),
        ("admin:index", [], "/admin/"),
    ],
)
def test_public_url_names_are_stable(name, arguments, url):
    assert reverse(name, args=arguments) == url


def test_home_page_shows_the_best_books_latest_first(client, make_books):
    make_books("A fair one")
    make_books(*(f"Best {letter}" for letter in "ABCDEFGHI"), rating=5)
    page = client.get("/")
    assert [book.title for book in page.context["best"]] == [f"Best {letter}" for letter in "IHGFEDCB"]
    assert "A fair one" not in text(page)


@pytest.mark.parametrize("url", ["/", "/book-list"])
def test_empty_shop_shows_a_message(client, db, url):
    assert "There are no books in the shop yet." in text(client.get(url))


def test_book_page_shows_all_fields(client, make_books):
    category = Category.objects.create(name="Science fiction", slug="science-fiction")
    (book,) = make_books(
        "Dune",
        author="Frank Herbert",
        publisher="Chilton",
        publishing_year=1965,
        rating=4,
        reviewer="Sami",
        isbn="9780441013593",
        category=category,
        description="Sand.",
        price=1250,
        stock=3,
    )
    page = text(client.get(f"/book-detail/{book.pk}/"))
    shown = ["Dune", "Frank Herbert", "Chilton", "1965", "★★★★☆", "4 out of 5 stars", "Sami", "9780441013593"]
    for value in [*shown, "Science fiction", "Sand.", "12.50 EUR", "<dd>3</dd>"]:
        assert value in page


def test_book_page_shows_missing_price_and_stock(client, make_books):
    (book,) = make_books("Dune")
    page = text(client.get(book.get_absolute_url()))
    assert "not for sale" in page
    assert "sold out" in page


def test_titles_are_escaped(client, make_books):
    (book,) = make_books("<script>alert(1)</script>")
    for url in ("/", "/book-list", book.get_absolute_url()):
        assert "<script>" not in text(client.get(url))


def test_all_links_work(client, make_books):
    novels = Category.objects.create(name="Novels", slug="novels")
    make_books(*(f"Book {number:02}" for number in range(25)), category=novels)
    seen, todo = set(), ["/"]
    while todo:
        url = todo.pop()
        if url in seen:
            continue
        seen.add(url)
        page = client.get(url)
        if page.status_code == 302:
            todo.append(page.headers["Location"])
            continue
        assert page.status_code == 200, url
        if not url.startswith("/static/"):
            for link in map(unescape, re.findall(r'href="([^"#]+)"', text(page))):
                todo.append(f"/book-list{link}" if link.startswith("?") else link)
    assert {"/", "/book-list", "/book-list?category=novels"} <= seen
    assert len([url for url in seen if re.fullmatch(r"/book-detail/\d+/", url)]) == 25


def test_only_staff_sees_the_link_to_the_admin(client, admin_client):
    assert 'href="/admin/"' in text(admin_client.get("/"))
    assert 'href="/admin/"' not in text(client.get("/"))


def test_missing_book_returns_404(client, make_books):
    make_books("One")
    page = client.get("/book-detail/99/")
    assert (page.status_code, "Page not found" in text(page)) == (404, True)


# Error pages must work without the database, which pytest-django blocks here. The session cookie of the visitor would
# make a page that needs the user query it.


@pytest.fixture
def visitor():
    visitor = Client(raise_request_exception=False)
    visitor.cookies[settings.SESSION_COOKIE_NAME] = "0123456789abcdef0123456789abcdef"
    return visitor


@pytest.mark.parametrize(
    ("path", "host", "status", "heading"),
    [
        ("/no/such/page", "testserver", 404, "Page not found"),
        ("/", "evil.test", 400, "Bad request"),
        ("/", "testserver", 500, "Something went wrong"),  # its query fails
    ],
)
def test_error_page_needs_no_database_and_is_not_indexed(visitor, path, host, status, heading):
    page = visitor.get(path, headers={"host": host})
    assert (page.status_code, f"<h1>{heading}</h1>" in text(page)) == (status, True)
    assert '<meta name="robots" content="noindex">' in text(page)


def test_missing_permission_returns_403(rf):
    page = permission_denied(rf.get("/"), PermissionDenied())
    assert (page.status_code, "Access denied" in text(page)) == (403, True)


def test_form_without_a_csrf_token_returns_403():
    page = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert (page.status_code, "Form expired" in text(page)) == (403, True)


@pytest.mark.parametrize("host", ["shop.test", "shop.test:8080", "localhost", "localhost:8000", "127.0.0.1:8000"])
def test_allowed_host_names_are_served(client, host):
    assert client.get("/version", headers={"host": host}).status_code == 200


def test_security_headers_are_sent(client):
    headers = client.get("/version").headers
    expected = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}
    assert headers.items() >= expected.items()
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    # Browsers ignore these over plain HTTP, or report an error.
    assert not {"Strict-Transport-Security", "Cross-Origin-Opener-Policy"} & set(headers)


@pytest.fixture
def stylesheet(client, db):
    """Return the URL of the stylesheet of this build."""
    return re.search(r'href="(/static/book_shop/style\.[0-9a-f]{12}\.css)"', text(client.get("/"))).group(1)


def test_the_list_of_static_files_does_not_depend_on_the_file_system(static_files, tmp_path):
    """Another machine lists directories in another order."""
    listdir = FileSystemStorage.listdir
    with (
        mock.patch.object(FileSystemStorage, "listdir", lambda *arguments: [x[::-1] for x in listdir(*arguments)]),
        override_settings(STATIC_ROOT=tmp_path),
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / "staticfiles.json").read_bytes() == (static_files / "staticfiles.json").read_bytes()


def test_static_files_are_immutable_and_compressed(client, stylesheet):
    style = client.get(stylesheet)
    assert style.status_code == 200
    assert "immutable" in style.headers["Cache-Control"]
    assert client.get(stylesheet, headers={"accept-encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_static_file_of_another_build_is_served_uncached(client, stylesheet):
    other = client.get("/static/book_shop/style.0123456789ab.css")
    assert other.status_code == 200
    assert other.getvalue() == client.get(stylesheet).getvalue()
    assert other.headers["Content-Type"] == "text/css"
    assert "no-store" in other.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["no/such.0123456789ab.css", "../settings.0123456789ab.py", "%2e%2e/manage.py"])
def test_missing_static_file_returns_404(client, db, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_footer_shows_the_build(client, db):
    assert "Book Shop 1.2.3 · 0123456789ab<" in text(client.get("/"))
