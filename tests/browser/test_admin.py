"""The owner in the administration, under the shop's own policy of what a page may load."""

import pytest


@pytest.fixture
def admin(visit):
    """Return a function that signs the owner in."""

    def sign_in(locale="en", **options):
        page = visit("/admin/", locale=locale, **options)
        page.locator("[name=username]").fill("owner")
        page.locator("[name=password]").fill("a long pass phrase")
        page.locator("[type=submit]").click()
        assert page.url.endswith("/admin/")
        return page

    return sign_in


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_every_page_of_the_administration_loads_all_it_has(admin, show, locale):
    page = admin(locale)
    places = [link.get_attribute("href") for link in page.locator("#content-main a[href$='/add/'], th a").all()]
    assert len(places) > 4
    for place in places:
        page.goto(place)
        assert page.locator("#content").is_visible()
        show(page, f"admin{place.replace('/', '-')}{locale}")


def test_add_and_find_a_book(admin, shop):
    page = admin()
    page.goto("/admin/books/book/add/")
    page.locator("[name=title]").fill("Season of Migration to the North")
    page.locator("[name=author]").fill("Tayeb Salih")
    page.locator("[name=publishing_year]").fill("1966")
    page.locator("[name=rating]").fill("5")
    page.locator("[name=reviewer]").fill("Nadia")
    page.locator("[name=_save]").click()
    page.goto("/book-list?q=migration")
    assert page.get_by_role("link", name="Season of Migration to the North").first.is_visible()
