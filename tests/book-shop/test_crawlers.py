"""Search engines: robots.txt, sitemaps and the metadata of pages."""

import re
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from books.sitemaps import Books
from shop_fixtures import text


def locations(answer) -> list[str]:
    """Return the URLs of a sitemap or of an index of sitemaps."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml")
    return [element.text for element in ElementTree.fromstring(answer.content).iter() if element.tag.endswith("}loc")]


def test_robots_txt_disallows_private_pages_and_names_the_sitemap(client):
    answer = client.get("/robots.txt", headers={"host": "shop.test:8080"})
    assert answer.headers["Content-Type"] == "text/plain"
    rules = RobotFileParser()
    rules.parse(text(answer).splitlines())
    assert rules.site_maps() == ["http://shop.test:8080/sitemap.xml"]
    for allowed in ("/", "/book-list", "/book-detail/7/", "/static/book_shop/style.css"):
        assert rules.can_fetch("any", allowed)
    for disallowed in ("/admin/", "/account/login/", "/cart", "/checkout", "/order/7/", "/orders", "/api/books"):
        assert not rules.can_fetch("any", disallowed)


def test_sitemap_contains_each_page_once(client, make_books, monkeypatch):
    monkeypatch.setattr(Books, "limit", 4)
    books = make_books(*(f"Book {number}" for number in range(10)))
    books.pop(4).delete()
    found = [url for part in locations(client.get("/sitemap.xml")) for url in locations(client.get(part))]
    expected = ["/", "/book-list", *(book.get_absolute_url() for book in books)]
    assert sorted(found) == sorted(f"http://testserver{path}" for path in expected)


def test_sitemaps_of_an_empty_shop_are_valid(client, db):
    parts = locations(client.get("/sitemap.xml"))
    assert [len(locations(client.get(part))) for part in parts] == [2, 0]


def test_sitemap_neither_counts_nor_skips_rows(client, make_books, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(Books, "limit", 4)
    make_books("First", pk=1)
    make_books("Last", pk=40_000)
    with django_assert_num_queries(1) as index:
        assert len(locations(client.get("/sitemap.xml"))) == 1 + 10_000
    with django_assert_num_queries(2) as part:
        assert locations(client.get("/sitemap-books.xml?p=10000"))[0].endswith("/book-detail/40000/")
    for query in [*index, *part]:
        assert "COUNT(" not in query["sql"]
        assert "LIMIT" in query["sql"] or "<=" in query["sql"]


@pytest.mark.parametrize("url", ["/sitemap-no.xml", "/sitemap-books.xml?p=2", "/sitemap-books.xml?p=x"])
def test_missing_sitemap_returns_404(client, make_books, url):
    make_books("One")
    assert client.get(url).status_code == 404


def test_page_has_a_canonical_url_and_a_description(client, make_books):
    make_books("One")
    page = text(client.get("/book-list?q=one", headers={"host": "shop.test:8080"}))
    assert '<link rel="canonical" href="http://shop.test:8080/book-list">' in page
    assert '<meta property="og:url" content="http://shop.test:8080/book-list">' in page
    assert re.search(r'<meta name="description" content="[^"]{20,200}">', page)
