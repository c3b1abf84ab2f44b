"""The language of a page, and how a visitor changes it."""

import re

import pytest
from django.conf import settings
from shop_fixtures import text

ENGLISH, ARABIC = '<html lang="en" dir="ltr">', '<html lang="ar" dir="rtl">'


def html_tag(page) -> str:
    return re.search("<html[^>]*>", text(page)).group()


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [("", ENGLISH), ("ar-JO,ar;q=0.9,en;q=0.5", ARABIC), ("de,en;q=0.5", ENGLISH), ("xx", ENGLISH)],
)
def test_page_has_the_preferred_language_of_the_browser(client, db, accepted, tag):
    page = client.get("/", headers={"accept-language": accepted})
    assert html_tag(page) == tag
    assert "Accept-Language" in page.headers["Vary"]


def test_chosen_language_is_remembered_and_the_page_kept(client, db):
    answer = client.post("/language", {"language": "ar", "next": "/book-list?q=x"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/book-list?q=x")
    cookie = answer.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("ar", True, "Lax")
    assert html_tag(client.get("/", headers={"accept-language": "en"})) == ARABIC


def test_change_of_language_does_not_redirect_to_another_site(client, db):
    assert client.post("/language", {"language": "ar", "next": "https://evil.test/"}).headers["Location"] == "/"


def test_unknown_language_is_ignored(client, db):
    client.post("/language", {"language": "xx", "next": "/"})
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
