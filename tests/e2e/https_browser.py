"""Usage: https_browser.py URL KEY NAME OWNER PASSWORD. Uses the shop in Chromium as a reader and as an administrator.

NAME registers, reviews and buys; OWNER, an administrator, uses the admin. Fails if a page, a cookie or a request is
not as it should be with the URL's protocol. Prints whether the order has the mark of a preview, and the names of the
cookies. KEY is the SHA-256 of the certificate's public key in Base64, which the browser accepts in addition.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

url, key, name, owner, password = sys.argv[1:]
BUYER = {"name": name, "email": "reader@example.com", "street": "1 Rainbow Street", "postcode": "11181"}
BUYER |= {"city": "Amman", "country": "Jordan"}
SWITCHES = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
SWITCHES += ["--no-sandbox"] if os.getuid() == 0 else []
is_https = url.startswith("https://")
os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(Path(__file__).parents[2] / ".venv" / "browsers"))


def fill(fields):
    for field, value in fields.items():
        page.locator(f"main [name={field}]").fill(value)


def press(locator):
    """Click a button or a link, and wait until the page is complete: leaving it earlier would cancel its requests."""
    locator.click()
    page.wait_for_load_state()


def submit():
    press(page.locator("main form[method=post]:has([name]:not([type=hidden])) button").last)


def failed(request):
    if request.failure != "net::ERR_ABORTED":  # by the next page
        complaints.append(f"failed: {request.url}: {request.failure}")


def sign_out():
    press(page.locator("header form[action='/account/logout/'] button"))
    page.locator("header a[href='/account/login/']").wait_for()


def shop():
    """A reader registers, reviews and buys a book, and signs out and in again."""
    page.goto("/account/register/?next=/orders")
    fill({"username": name, "password1": password, "password2": password})
    submit()
    assert page.url == f"{url}/orders", page.url
    page.goto("/book-list")
    press(page.locator(".books a").first)
    book = page.url
    press(page.locator("a[href$='/review']"))
    page.locator("[name=rating]").select_option("4")
    page.locator("[name=text]").fill("Stayed up all night.")
    submit()
    assert page.url == book, page.url
    assert "Stayed up all night." in page.locator(".review", has_text=name).inner_text()
    press(page.locator("form.buy button"))
    assert page.url == f"{url}/cart", page.url
    page.goto("/checkout")
    fill(BUYER)
    submit()
    assert page.url.startswith(f"{url}/order/"), page.url
    print("mark" if "preview" in page.locator("main").inner_text() else "no mark")
    assert page.locator("link[rel=canonical]").get_attribute("href").startswith(f"{url}/")
    press(page.locator("button[value=ar]"))
    page.locator("html[dir=rtl]").wait_for()
    press(page.locator("button[value=en]"))
    page.locator("html[dir=ltr]").wait_for()
    sign_out()
    page.goto("/account/login/?next=/account/")
    fill({"username": name, "password": password})
    submit()
    assert f"signed in as {name}." in page.locator("main").inner_text()
    sign_out()


def administer():
    """An administrator signs in and changes a book."""
    page.goto("/admin/")
    warning = "This connection is not encrypted"
    assert (warning in page.locator("body").inner_text()) is not is_https
    page.locator("[name=username]").fill(owner)
    page.locator("[name=password]").fill(password)
    press(page.locator("[type=submit]"))
    assert page.url == f"{url}/admin/", page.url
    page.goto("/admin/books/book/")
    press(page.locator("#result_list tbody th a").first)
    press(page.locator("[name=_save]"))
    page.locator(".messagelist .success, .errornote").wait_for()
    assert page.locator(".errornote").count() == 0, page.locator("#content").inner_text()
    page.goto("/admin/orders/order/")
    page.locator("#result_list").wait_for()


requests, complaints = [], []
with sync_playwright() as playwright:
    switches = [*SWITCHES, f"--ignore-certificate-errors-spki-list={key}"]
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
    context = browser.new_context(base_url=url, locale="en")
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda entry: entry.type in ("error", "warning") and complaints.append(entry.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", failed)
    shop()
    administer()
    assert page.evaluate("isSecureContext && location.protocol") == ("https:" if is_https else "http:")
    cookies = context.cookies()
    browser.close()

assert complaints == [], complaints
assert [other for other in requests if not other.startswith((f"{url}/", "data:"))] == []  # no mixed content
assert cookies
for cookie in cookies:
    assert cookie["secure"] is is_https, cookie
    assert cookie["name"].startswith("__Host-") is is_https, cookie
    assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/", True, "Lax"), cookie
print("cookies", *sorted(cookie["name"].rpartition("_")[0] for cookie in cookies))
