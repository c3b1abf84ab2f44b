"""What search engines are told: robots.txt, the sitemap and the metadata of pages."""

import re
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from books.sitemaps import Books


def locations(answer) -> list[str]:
    """Return the addresses that a sitemap or an index of them holds."""
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/xml"
    return [place.text for place in ElementTree.fromstring(answer.content).iter() if place.tag.endswith("}loc")]


def test_robots(client):
    answer = client.get("/robots.txt", headers={"host": "shop.test:8080"})
    assert answer.headers["Content-Type"] == "text/plain"
    rules = RobotFileParser()
    rules.parse(answer.content.decode().splitlines())
    assert rules.site_maps() == ["http://shop.test:8080/sitemap.xml"]
    for open_to_all in ("/", "/book-list", "/book-detail/7/", "/static/book_shop/style.css"):
        assert rules.can_fetch("any", open_to_all)
    for closed in ("/admin/", "/account/login/", "/cart", "/checkout", "/order/7/", "/orders", "/api/books"):
        assert not rules.can_fetch("any", closed)


def test_the_sitemap_leads_to_every_page_and_every_book_once(client, make_books, monkeypatch):
    monkeypatch.setattr(Books, "limit", 4)
    books = make_books(*(f"Book {number}" for number in range(10)))
    books.pop(4).delete()
    found = [place for part in locations(client.get("/sitemap.xml")) for place in locations(client.get(part))]
    expected = ["/", "/book-list", *(book.get_absolute_url() for book in books)]
    assert sorted(found) == sorted(f"http://testserver{path}" for path in expected)


def test_sitemaps_of_an_empty_shop(client, db):
    parts = locations(client.get("/sitemap.xml"))
    assert [len(locations(client.get(part))) for part in parts] == [2, 0]


def test_a_sitemap_never_counts_the_books(client, make_books, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(Books, "limit", 4)
    make_books("First", pk=1)
    make_books("Last", pk=40_000)
    with django_assert_num_queries(1) as asked:
        assert len(locations(client.get("/sitemap.xml"))) == 1 + 10_000
    with django_assert_num_queries(2) as asked_of_a_part:
        assert locations(client.get("/sitemap-books.xml?p=10000"))[0].endswith("/book-detail/40000/")
    for query in [*asked, *asked_of_a_part]:
        assert "COUNT(" not in query["sql"]
        assert "LIMIT" in query["sql"] or "<=" in query["sql"]


@pytest.mark.parametrize("address", ["/sitemap-no.xml", "/sitemap-books.xml?p=2", "/sitemap-books.xml?p=x"])
def test_no_such_sitemap(client, make_books, address):
    make_books("One")
    assert client.get(address).status_code == 404


def test_metadata_of_a_page(client, make_books):
    make_books("One")
    page = client.get("/book-list?q=one", headers={"host": "shop.test:8080"}).content.decode()
    assert '<link rel="canonical" href="http://shop.test:8080/book-list">' in page
    assert '<meta property="og:url" content="http://shop.test:8080/book-list">' in page
    assert re.search(r'<meta name="description" content="[^"]{20,200}">', page)


def test_error_pages_are_not_indexed(client):
    assert '<meta name="robots" content="noindex">' in client.get("/no/such/page").content.decode()
