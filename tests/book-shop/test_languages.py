"""Languages: which one a page is in, how a visitor changes it, and what remembers that."""

import pytest
from django.conf import settings


def opening(page) -> str:
    """Return the html element's start tag."""
    text = page.content.decode()
    return text[text.index("<html") : text.index(">", text.index("<html")) + 1]


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("", '<html lang="en" dir="ltr">'),
        ("ar-JO,ar;q=0.9,en;q=0.5", '<html lang="ar" dir="rtl">'),
        ("de,en;q=0.5", '<html lang="en" dir="ltr">'),
        ("xx", '<html lang="en" dir="ltr">'),
    ],
)
def test_a_page_is_in_the_language_that_the_browser_asks_for(client, db, wanted, tag):
    page = client.get("/", headers={"accept-language": wanted})
    assert opening(page) == tag
    assert "Accept-Language" in page.headers["Vary"]


def test_the_visitor_chooses_another_and_stays_on_the_page(client, db):
    answer = client.post("/language", {"language": "ar", "next": "/book-list?q=x"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/book-list?q=x")
    cookie = answer.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("ar", True, "Lax")
    assert opening(client.get("/", headers={"accept-language": "en"})) == '<html lang="ar" dir="rtl">'


def test_nobody_is_led_to_another_site(client, db):
    answer = client.post("/language", {"language": "ar", "next": "https://evil.test/"})
    assert answer.headers["Location"] == "/"


def test_an_unknown_language_changes_nothing(client, db):
    client.post("/language", {"language": "xx", "next": "/"})
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
