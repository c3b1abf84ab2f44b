"""The shop in a browser: browsing, buying, accounts and reviews, in both languages and without JavaScript."""

import re

import pytest

LANGUAGES = ["en", "ar"]
BUYER = {
    "name": "Layla Haddad",
    "email": "layla@example.com",
    "street": "12 Rainbow Street",
    "postcode": "11181",
    "city": "Amman",
    "country": "Jordan",
}
# Returns the size of a cover and, for each line of text, its box and the number of different baselines of its letters.
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
# Returns the baselines of the labels of the filter, and the middles of its fields and its button.
FILTER_POSITIONS = """() => {
  const form = document.querySelector(".filter");
  const baseline = label => {
    const mark = document.createElement("span"); // the bottom of an empty inline block is on the baseline
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

# Returns whether the first letter of an element is at its left edge.
BEGINS_ON_THE_LEFT = """element => {
  const letter = document.createRange();
  letter.setStart(element.firstChild, 0);
  letter.setEnd(element.firstChild, 1);
  return letter.getBoundingClientRect().left === element.getBoundingClientRect().left;
}"""


def fill(page, fields):
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)


def submit(page):
    """Submit the form in the content of the page, which is not one of the buttons with hidden fields only."""
    page.locator("main form[method=post]:has([name]:not([type=hidden])) button").last.click()


def buy_first_book(page):
    page.goto("/book-list")
    page.locator(".books a").first.click()
    page.locator("form.buy button").click()


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_browsing_and_searching(visit, look, locale):
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
def test_guest_buys_a_book(visit, look, locale, javascript):
    def look_with_javascript(name):
        if javascript:
            look(page, f"{name}-{locale}")

    page = visit("/", locale=locale, javascript=javascript)
    buy_first_book(page)
    assert page.url.endswith("/cart")
    assert page.get_by_role("status").is_visible()
    look_with_javascript("cart")
    page.locator("main a[href='/checkout']").click()
    look_with_javascript("checkout")
    fill(page, BUYER)
    submit(page)
    assert re.search(r"/order/[0-9a-f-]{36}/$", page.url)
    assert "Layla Haddad" in page.locator("main").inner_text()
    assert "12.50 EUR" in page.locator("main").inner_text()
    look_with_javascript("order")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_reader_registers_writes_a_review_and_finds_an_order(visit, look, locale):
    name = f"layla-{locale}"
    page = visit("/account/login/?next=/orders", locale=locale)
    look(page, f"sign-in-{locale}")
    page.locator("main a[href^='/account/register/']").click()
    look(page, f"register-{locale}")
    fill(page, {"username": name, "password1": "correct horse", "password2": "correct horse"})
    submit(page)
    assert page.url.endswith("/orders")
    look(page, f"no-orders-{locale}")

    page.goto("/book-list")
    page.locator(".books a").nth(2).click()
    book = page.url
    page.locator("a[href$='/review']").click()
    look(page, f"review-{locale}")
    page.locator("[name=rating]").select_option("4")
    page.locator("[name=text]").fill("Stayed up all night.")
    submit(page)
    assert page.url == book
    assert page.get_by_role("status").is_visible()
    assert "Stayed up all night." in page.locator(".review", has_text=name).inner_text()
    look(page, f"reviewed-{locale}")

    page.locator("form.buy button").click()
    page.goto("/checkout")
    fill(page, BUYER)
    submit(page)
    assert page.get_by_text(BUYER["street"]).evaluate(BEGINS_ON_THE_LEFT)
    order = page.evaluate("location.pathname")
    page.goto("/orders")
    look(page, f"orders-{locale}")
    assert page.locator(f"main a[href='{order}']").is_visible()
    page.goto("/account/")
    look(page, f"account-{locale}")
    page.goto("/account/password/")
    look(page, f"password-{locale}")
    page.locator("header form[action='/account/logout/'] button").click()
    assert page.locator("header a[href='/account/login/']").is_visible()


def test_error_of_an_invalid_field_is_connected_to_it(visit):
    page = visit("/", javascript=False)  # also disables the validation of the browser
    buy_first_book(page)
    page.goto("/checkout")
    fill(page, BUYER | {"email": "layla@nowhere"})
    submit(page)
    field = page.locator("[name=email]")
    assert field.get_attribute("aria-invalid") == "true"
    descriptions = [page.locator(f"#{id}").inner_text() for id in field.get_attribute("aria-describedby").split()]
    assert "Enter a valid email address." in descriptions
    assert page.locator("[name=city]").input_value() == "Amman"


@pytest.mark.parametrize(("locale", "other", "direction"), [("en", "ar", "rtl"), ("ar", "en", "ltr")])
def test_change_of_language_keeps_the_page(visit, locale, other, direction):
    page = visit("/book-list?q=earthsea", locale=locale)
    page.locator(f"button[value={other}]").click()
    assert page.url.endswith("/book-list?q=earthsea")
    assert page.locator("html").get_attribute("lang") == other
    assert page.locator("html").get_attribute("dir") == direction
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == other
    # The name of the shop is on the side where lines begin.
    brand, search = page.locator(".brand").bounding_box(), page.get_by_role("search").bounding_box()
    assert (brand["x"] < search["x"]) == (direction == "ltr")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_covers_keep_each_line_inside_the_picture(visit, locale):
    page = visit("/book-list?sort=newest", locale=locale)
    covers = {image.get_attribute("src") for image in page.locator("img.cover").all()}
    texts = set()
    for cover in covers:
        page.goto(cover)
        width, height, lines = page.evaluate(COVER_LINES)
        for line in lines:
            assert line["left"] >= 0 and line["right"] <= width, (cover, line)
            assert line["top"] >= 0 and line["bottom"] <= height, (cover, line)
            assert line["baselines"] == 1, (cover, line)
            texts.add(line["text"])
    assert {"Beloved", "الطيب صالح"} <= texts


@pytest.mark.parametrize("locale", LANGUAGES)
def test_filter_has_its_labels_on_one_baseline(visit, locale):
    page = visit("/book-list", locale=locale)
    baselines, middles = page.evaluate(FILTER_POSITIONS)
    assert (len(baselines), len(middles)) == (6, 7)
    assert max(baselines) - min(baselines) < 0.5, baselines
    assert max(middles) - min(middles) < 0.5, middles


# Slow: the layout of each page is computed for each language and width.
@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_is_wider_than_the_window(visit, look, locale, width):
    page = visit("/", locale=locale, viewport={"width": width, "height": 700})
    assert fits(page)
    buy_first_book(page)
    for path in ("/cart", "/checkout", "/book-list", "/book-detail/1/"):
        page.goto(path)
        assert fits(page), path
    look(page, f"book-{width}-{locale}")


def test_keyboard_reaches_the_content(visit):
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('main a')")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colour_schemes_have_enough_contrast(visit, look, scheme):
    page = visit("/", color_scheme=scheme)
    buy_first_book(page)
    look(page, f"cart-{scheme}")
    page.goto("/book-list")
    look(page, f"list-{scheme}")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_missing_page_links_to_the_home_page(visit, look, locale):
    page = visit("/", locale=locale)
    page.goto("/no/such/page")
    look(page, f"404-{locale}")
    assert all("404" in complaint for complaint in page.complaints)
    page.complaints.clear()
    page.locator("main a.button").click()
    assert page.url.endswith("/")
