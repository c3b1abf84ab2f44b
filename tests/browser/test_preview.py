"""A preview in a browser: its banner in both writing directions, its orders, and the admin's sign-in page."""

import re
from dataclasses import replace

import pytest
from shop_program import Server
from test_shop import BUYER, LANGUAGES, buy_first_book, fill, fits, submit


# Slow: a second gunicorn, with the same database.
@pytest.fixture(scope="module")
def preview(shop, project):
    """Return the shop as a preview."""
    server = Server(project, **shop.environment, PREVIEW="1")
    yield replace(shop, url=f"http://localhost:{server.port}")
    server.kill()


def is_on_top(page) -> bool:
    """Return whether the banner is visible above the header and as wide as that."""
    banner, header = page.locator(".preview").bounding_box(), page.locator("header").first.bounding_box()
    return banner["y"] + banner["height"] <= header["y"] + 1 and abs(banner["width"] - header["width"]) < 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", LANGUAGES)
def test_banner_is_above_each_page(visit, look, preview, locale, scheme):
    page = visit("/", base_url=preview.url, locale=locale, color_scheme=scheme)
    assert is_on_top(page)
    look(page, f"preview-home-{locale}-{scheme}")
    page.goto("/admin/")
    assert is_on_top(page)
    assert page.locator(".notice").count() == 2
    look(page, f"preview-admin-login-{locale}-{scheme}")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_order_of_a_preview_is_marked(visit, look, preview, locale):
    page = visit("/account/register/?next=/orders", base_url=preview.url, locale=locale)
    fill(page, {"username": f"tester-{locale}", "password1": "correct horse", "password2": "correct horse"})
    submit(page)
    buy_first_book(page)
    page.goto("/checkout")
    fill(page, BUYER)
    submit(page)
    assert re.search(r"/order/[0-9a-f-]{36}/$", page.url)
    assert page.locator("main strong").is_visible()
    look(page, f"preview-order-{locale}")
    page.goto("/orders")
    look(page, f"preview-orders-{locale}")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_banner_fits_a_narrow_window(visit, preview, locale):
    page = visit("/", base_url=preview.url, locale=locale, viewport={"width": 320, "height": 700})
    for path in ("/", "/admin/", "/book-list"):
        page.goto(path)
        assert fits(page), path


def test_admin_lists_the_orders_of_a_preview(visit, show, preview):
    page = visit("/admin/", base_url=preview.url)
    page.locator("[name=username]").fill("owner")
    page.locator("[name=password]").fill("a long pass phrase")
    page.locator("[type=submit]").click()
    page.goto("/admin/orders/order/")
    assert is_on_top(page)
    show(page, "preview-admin-orders")
    page.goto("/admin/books/category/add/?_popup=1")
    assert page.locator(".preview").is_visible()
