"""Chromium with the shop: gunicorn as in the image, on a real PostgreSQL.

Errors and warnings in the console of the browser, including violations of the Content-Security-Policy, fail the test.
Screenshots are saved in the directory SHOP_SCREENSHOTS, by default .artifacts/screenshots.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from shop_fixtures import *  # noqa: F403 - fixtures
from shop_fixtures import create_database
from shop_program import Server, run

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = Path(os.environ.get("SHOP_SCREENSHOTS") or ROOT / ".artifacts" / "screenshots")
SWITCHES = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
STOCK = """
from books.models import Book, Category
from django.contrib.auth.models import User
Book.objects.create(
    title="موسم الهجرة إلى الشمال", author="الطيب صالح", publishing_year=2026, rating=5, reviewer="Nadia"
)
Book.objects.update(price=1250, stock=9)
User.objects.create_superuser("owner", password="a long pass phrase")
"""


@dataclass
class Shop:
    """The running shop."""

    url: str
    environment: dict

    def manage(self, *arguments):
        """Run manage.py in the environment of the shop."""
        done = run("manage.py", *arguments, **self.environment)
        assert done.returncode == 0, done.stderr


# Slow: PostgreSQL and gunicorn start once for all tests.
@pytest.fixture(scope="session")
def shop(project, postgresql, migrated):
    """Return a shop with nine copies of each sample book and of an Arabic book, and an owner."""
    environment = {"DATABASE_URL": create_database(postgresql, migrated)}
    shop = Shop("", environment)
    shop.manage("load_sample_books")
    shop.manage("shell", "--verbosity", "0", "-c", STOCK)
    server = Server(project, **environment)
    shop.url = f"http://localhost:{server.port}"
    yield shop
    server.kill()


@pytest.fixture(scope="session")
def chromium():
    """Return the browser of the distribution, or the one that scripts/setup downloads."""
    os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(ROOT / ".venv" / "browsers"))
    switches = SWITCHES + (["--no-sandbox"] if os.getuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, shop):
    """Return a function that opens a page of the shop as a new visitor, with the browser in a language.

    `page.complaints` contains the errors of the console. A test that expects errors clears the list.
    """
    contexts, complaints = [], []

    def open_page(path="/", locale="en", javascript=True, **options):
        options = {"base_url": shop.url, "locale": locale, "java_script_enabled": javascript} | options
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = complaints
        page.on("console", lambda entry: entry.type in ("error", "warning") and complaints.append(entry.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def show():
    """Return a function that saves a screenshot of a page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def look(show):
    """Return a function that saves a screenshot of a page and checks its accessibility (axe)."""
    axe = Axe()

    def look(page, name):
        show(page, name)
        violations = axe.run(page).response["violations"]
        assert not [
            (violation["id"], violation["help"], [node["html"] for node in violation["nodes"]])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ]

    return look
