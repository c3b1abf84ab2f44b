"""The pages: names, links, pagination, error pages, headers, static files."""

import re
from html import unescape

import pytest
from books.models import Category
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.views.defaults import permission_denied


def text(response) -> str:
    return response.content.decode()


@pytest.mark.parametrize(
    ("name", "arguments", "address"),
    [
        ("book-template", [], "/"),
        ("book-list", [], "/book-list"),
        ("book-detail", [7], "/book-detail/7/"),
        ("admin:index", [], "/admin/"),
    ],
)
def test_route_names_are_those_of_the_original(name, arguments, address):
    assert reverse(name, args=arguments) == address


def test_home_shows_the_best_books_the_latest_first(client, make_books):
    make_books("A fair one")
    make_books(*(f"Best {letter}" for letter in "ABCDEFGHI"), rating=5)
    page = client.get("/")
    assert [book.title for book in page.context["best"]] == [f"Best {letter}" for letter in "IHGFEDCB"]
    assert "A fair one" not in text(page)


def test_empty_shop(client, db):
    assert "The shelves are empty" in text(client.get("/"))
    assert "The shelves are empty" in text(client.get("/book-list"))


def test_detail_shows_every_field(client, make_books):
    (book,) = make_books(
        "Dune",
        author="Frank Herbert",
        publisher="Chilton",
        publishing_year=1965,
        rating=4,
        reviewer="Sami",
        isbn="9780441013593",
        category=Category.objects.create(name="Science fiction", slug="science-fiction"),
        description="Sand.",
        price=1250,
        stock=3,
    )
    page = text(client.get(f"/book-detail/{book.pk}/"))
    shown = ["Dune", "Frank Herbert", "Chilton", "1965", "★★★★☆", "4 of 5 stars", "Sami", "9780441013593"]
    for value in [*shown, "Science fiction", "Sand.", "12.50 EUR", "<dd>3</dd>"]:
        assert value in page


def test_a_book_without_price_or_stock_says_so(client, make_books):
    (book,) = make_books("Dune")
    page = text(client.get(f"/book-detail/{book.pk}/"))
    assert "not for sale" in page
    assert "sold out" in page


def test_what_a_reviewer_typed_is_escaped(client, make_books):
    (book,) = make_books("<script>alert(1)</script>")
    for address in ("/", "/book-list", book.get_absolute_url()):
        assert "<script>" not in text(client.get(address))


def test_every_link_leads_somewhere(client, make_books):
    novels = Category.objects.create(name="Novels", slug="novels")
    make_books(*(f"Book {number:02}" for number in range(25)), category=novels)
    seen, todo = set(), ["/"]
    while todo:
        address = todo.pop()
        if address in seen:
            continue
        seen.add(address)
        page = client.get(address)
        if page.status_code == 302:
            todo.append(page.headers["Location"])
            continue
        assert page.status_code == 200, address
        if not address.startswith("/static/"):
            for link in re.findall(r'href="([^"#]+)"', text(page)):
                todo.append(f"/book-list{unescape(link)}" if link.startswith("?") else unescape(link))
    assert {"/", "/book-list", "/book-list?category=novels"} <= seen
    assert len([address for address in seen if re.fullmatch(r"/book-detail/\d+/", address)]) == 25


def test_only_staff_is_shown_the_way_to_the_administration(client, admin_client):
    assert 'href="/admin/"' in text(admin_client.get("/"))
    assert 'href="/admin/"' not in text(client.get("/"))


def test_no_such_book(client, make_books):
    make_books("One")
    page = client.get("/book-detail/99/")
    assert page.status_code == 404
    assert "Page not found" in text(page)


# The tests of error pages have no database: pytest-django refuses them every access to it. Who asks says to be logged
# in, which a page that wants to know the user would look up.


@pytest.fixture
def visitor():
    visitor = Client(raise_request_exception=False)
    visitor.cookies[settings.SESSION_COOKIE_NAME] = "0123456789abcdef0123456789abcdef"
    return visitor


def test_404(visitor):
    page = visitor.get("/no/such/page")
    assert (page.status_code, "Page not found" in text(page)) == (404, True)


def test_400_for_a_foreign_host_name(visitor):
    page = visitor.get("/", headers={"host": "evil.test"})
    assert (page.status_code, "Bad request" in text(page)) == (400, True)


def test_403(rf):
    page = permission_denied(rf.get("/"), PermissionDenied())
    assert (page.status_code, "Not allowed" in text(page)) == (403, True)


def test_403_for_a_form_from_elsewhere():
    page = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert (page.status_code, "Form expired" in text(page)) == (403, True)


def test_500_when_the_database_is_gone(visitor):
    page = visitor.get("/")
    assert (page.status_code, "Something went wrong" in text(page)) == (500, True)


@pytest.mark.parametrize("host", ["shop.test", "shop.test:8080", "localhost", "localhost:8000", "127.0.0.1:8000"])
def test_names_the_shop_answers_to(client, host):
    assert client.get("/version", headers={"host": host}).status_code == 200


def test_headers(client):
    headers = client.get("/version").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    # Over plain HTTP these would only do harm.
    assert "Strict-Transport-Security" not in headers
    assert "Cross-Origin-Opener-Policy" not in headers


def test_static_files_have_hashed_names_and_are_cached_for_good(client, db):
    address = re.search(r'href="(/static/book_shop/style\.[0-9a-f]{12}\.css)"', text(client.get("/"))).group(1)
    style = client.get(address)
    assert style.status_code == 200
    assert "immutable" in style.headers["Cache-Control"]
    assert client.get(address, headers={"accept-encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_a_static_file_of_another_build_is_answered_with_this_one_and_not_kept(client, db):
    own = re.search(r'href="(/static/book_shop/style\.[0-9a-f]{12}\.css)"', text(client.get("/"))).group(1)
    other = client.get("/static/book_shop/style.0123456789ab.css")
    assert other.status_code == 200
    assert other.getvalue() == client.get(own).getvalue()
    assert other.headers["Content-Type"] == "text/css"
    assert "no-store" in other.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["no/such.0123456789ab.css", "../settings.0123456789ab.py", "%2e%2e/manage.py"])
def test_no_such_static_file(client, db, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_the_footer_names_the_build(client, db):
    assert "Book Shop 1.2.3 · 0123456789ab<" in text(client.get("/"))
