"""A reader in the shop: looks around, searches, buys, registers, reviews, in both languages and without JavaScript."""

import re

import pytest

LANGUAGES = ["en", "ar"]
# The picture's width and height, and for each line of its text: its box, and how many heights its letters stand at.
COVER_LINES = """() => {
  const svg = document.documentElement;
  const lines = [...svg.querySelectorAll("text")].map(text => {
    const letters = [...Array(text.getNumberOfChars()).keys()];
    const { x, y, width, height } = text.getBBox();
    return {
      text: text.textContent,
      left: x, right: x + width, top: y, bottom: y + height,
      baselines: new Set(letters.map(letter => text.getStartPositionOfChar(letter).y)).size,
    };
  });
  return [svg.width.baseVal.value, svg.height.baseVal.value, lines];
}"""
# The baselines of the labels, and the middles of the fields and the button, from the top of the page.
FILTER_POSITIONS = """() => {
  const form = document.querySelector(".filter");
  const baseline = label => {
    const mark = document.createElement("span"); // empty and inline-block: its bottom is on the baseline
    mark.style.display = "inline-block";
    label.prepend(mark);
    return mark.getBoundingClientRect().bottom;
  };
  const middle = control => {
    const { top, bottom } = control.getBoundingClientRect();
    return (top + bottom) / 2;
  };
  return [
    [...form.querySelectorAll("label")].map(baseline),
    [...form.querySelectorAll("select, input:not([type=hidden]), button")].map(middle),
  ];
}"""
BUYER = {
    "name": "Layla Haddad",
    "email": "layla@example.com",
    "street": "12 Rainbow Street",
    "postcode": "11181",
    "city": "Amman",
    "country": "Jordan",
}


def fill(page, fields):
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)


def send(page):
    """Send the page's own form, whatever the language of its button."""
    page.locator("main form[method=post]:has([name]:not([type=hidden])) button").last.click()


def put_into_cart(page):
    page.goto("/book-list")
    page.locator(".books a").first.click()
    page.locator("form.buy button").click()


def fits(page):
    """Tell whether nothing sticks out sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_browse_and_search(visit, look, locale):
    page = visit("/", locale=locale)
    assert page.locator("html").get_attribute("lang") == locale
    look(page, f"home-{locale}")
    page.get_by_role("navigation").locator("a").first.click()
    assert page.url.endswith("/book-list")
    look(page, f"list-{locale}")
    page.get_by_role("searchbox").fill("earthsea")
    page.get_by_role("search").get_by_role("button").click()
    assert "q=earthsea" in page.url
    look(page, f"search-{locale}")
    page.locator(".books").get_by_role("link", name="A Wizard of Earthsea").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "A Wizard of Earthsea"
    look(page, f"book-{locale}")


@pytest.mark.parametrize("javascript", [True, False], ids=["", "without-javascript"])
@pytest.mark.parametrize("locale", LANGUAGES)
def test_buy_as_a_guest(visit, look, locale, javascript):
    page = visit("/", locale=locale, javascript=javascript)
    put_into_cart(page)
    assert page.url.endswith("/cart")
    assert page.get_by_role("status").is_visible()
    if javascript:
        look(page, f"cart-{locale}")
    page.locator("main a[href='/checkout']").click()
    if javascript:
        look(page, f"checkout-{locale}")
    fill(page, BUYER)
    send(page)
    assert re.search(r"/order/[0-9a-f-]{36}/$", page.url)
    assert "Layla Haddad" in page.locator("main").inner_text()
    assert "12.50 EUR" in page.locator("main").inner_text()
    if javascript:
        look(page, f"order-{locale}")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_register_review_and_find_the_order_again(visit, look, locale):
    name = f"layla-{locale}"
    page = visit("/account/login/?next=/orders", locale=locale)
    look(page, f"sign-in-{locale}")
    page.locator("main a[href^='/account/register/']").click()
    look(page, f"register-{locale}")
    for field, value in {"username": name, "password1": "correct horse", "password2": "correct horse"}.items():
        page.locator(f"[name={field}]").fill(value)
    send(page)
    assert page.url.endswith("/orders")
    look(page, f"no-orders-{locale}")

    page.goto("/book-list")
    page.locator(".books a").nth(2).click()
    book = page.url
    page.locator("a[href$='/review']").click()
    look(page, f"review-{locale}")
    page.locator("[name=rating][value='4'], select[name=rating]").first.evaluate(
        "field => field.tagName === 'SELECT' ? (field.value = '4') : field.click()"
    )
    page.locator("[name=text]").fill("Stayed up all night.")
    send(page)
    assert page.url == book
    assert page.get_by_role("status").is_visible()
    said = page.locator(".review", has_text=name)
    assert "Stayed up all night." in said.inner_text()
    look(page, f"reviewed-{locale}")

    page.locator("form.buy button").click()
    page.goto("/checkout")
    fill(page, BUYER)
    send(page)
    order = page.url
    page.goto("/orders")
    look(page, f"orders-{locale}")
    assert page.locator(f"main a[href='{order.removeprefix(page.evaluate('location.origin'))}']").is_visible()
    page.goto("/account/")
    look(page, f"account-{locale}")
    page.goto("/account/password/")
    look(page, f"password-{locale}")
    page.locator("header form[action='/account/logout/'] button").click()
    assert page.locator("header a[href='/account/login/']").is_visible()


def test_a_wrong_address_is_explained_beside_its_field(visit, look):
    page = visit("/", javascript=False)  # the browser's own checks ask for JavaScript in no way: they are switched off
    put_into_cart(page)
    page.goto("/checkout")
    fill(page, BUYER | {"email": "layla@nowhere"})
    send(page)
    field = page.locator("[name=email]")
    assert field.get_attribute("aria-invalid") == "true"
    said = [page.locator(f"#{place}").inner_text() for place in field.get_attribute("aria-describedby").split()]
    assert "Enter a valid email address." in said
    assert page.locator("[name=city]").input_value() == "Amman"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_change_the_language_and_stay(visit, locale):
    other = {"en": "ar", "ar": "en"}[locale]
    page = visit("/book-list?q=earthsea", locale=locale)
    page.locator(f"button[value={other}]").click()
    assert page.url.endswith("/book-list?q=earthsea")
    assert page.locator("html").get_attribute("lang") == other
    assert page.locator("html").get_attribute("dir") == {"en": "ltr", "ar": "rtl"}[other]
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == other
    # The brand is where reading begins.
    brand, search = page.locator(".brand").bounding_box(), page.get_by_role("search").bounding_box()
    assert (brand["x"] < search["x"]) == (other == "en")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_cover_keeps_each_line_inside_the_picture(visit, locale):
    page = visit("/book-list?sort=newest", locale=locale)
    covers = {image.get_attribute("src") for image in page.locator("img.cover").all()}
    texts = []
    for cover in covers:
        page.goto(cover)
        width, height, lines = page.evaluate(COVER_LINES)
        texts += [line["text"] for line in lines]
        for line in lines:
            assert line["left"] >= 0 and line["right"] <= width, (cover, line)
            assert line["top"] >= 0 and line["bottom"] <= height, (cover, line)
            assert line["baselines"] == 1, (cover, line)
    assert {"Beloved", "الطيب صالح"} <= set(texts)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_filter_has_its_labels_on_one_baseline(visit, locale):
    page = visit("/book-list", locale=locale)
    baselines, middles = page.evaluate(FILTER_POSITIONS)
    assert len(baselines) == 6
    assert max(baselines) - min(baselines) < 0.5, baselines
    assert len(middles) == 7
    assert max(middles) - min(middles) < 0.5, middles


# Slow: every page is drawn and its layout measured in each language and width.
@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_is_wider_than_its_window(visit, look, locale, width):
    page = visit("/", locale=locale, viewport={"width": width, "height": 700})
    assert fits(page)
    put_into_cart(page)
    for path in ("/cart", "/checkout", "/book-list", "/book-detail/1/"):
        page.goto(path)
        assert fits(page), path
    look(page, f"book-{width}-{locale}")


def test_the_keyboard_is_enough(visit):
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('main a')")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_have_contrast(visit, look, scheme):
    page = visit("/", color_scheme=scheme)
    put_into_cart(page)
    look(page, f"cart-{scheme}")
    page.goto("/book-list")
    look(page, f"list-{scheme}")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_page_that_is_not_there(visit, look, locale):
    page = visit("/", locale=locale)
    page.goto("/no/such/page")
    look(page, f"404-{locale}")
    assert [told for told in page.complaints if "404" not in told] == []
    page.complaints.clear()
    page.locator("main a.button").click()
    assert page.url.endswith("/")
