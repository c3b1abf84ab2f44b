"""The admin in a browser, under the Content-Security-Policy of the shop."""

import pytest


@pytest.fixture
def admin(visit):
    """Return a function that signs the owner in."""

    def sign_in(locale="en"):
        page = visit("/admin/", locale=locale)
        page.locator("[name=username]").fill("owner")
        page.locator("[name=password]").fill("a long pass phrase")
        page.locator("[type=submit]").click()
        assert page.url.endswith("/admin/")
        return page

    return sign_in


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_all_pages_of_the_admin_load_without_errors(admin, show, locale):
    page = admin(locale)
    links = [link.get_attribute("href") for link in page.locator("#content-main a[href$='/add/'], th a").all()]
    assert len(links) > 4
    for link in links:
        page.goto(link)
        assert page.locator("#content").is_visible()
        show(page, f"admin{link.replace('/', '-')}{locale}")


def test_book_added_in_the_admin_is_found_in_the_shop(admin):
    page = admin()
    page.goto("/admin/books/book/add/")
    book = {"title": "Season of Migration to the North", "author": "Tayeb Salih", "publishing_year": "1966"}
    for name, value in (book | {"rating": "5", "reviewer": "Nadia"}).items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=_save]").click()
    page.goto("/book-list?q=migration")
    assert page.get_by_role("link", name="Season of Migration to the North").first.is_visible()
