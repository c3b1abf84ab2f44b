"""A real Chromium before the shop: gunicorn as the image runs it, on a real PostgreSQL.

Whatever the browser complains of in its console (errors, and what the Content-Security-Policy forbids) fails the test
that was looking. Screenshots go to the directory named by SHOP_SCREENSHOTS, or .artifacts/screenshots.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from shop_fixtures import create_database, migrated, postgresql, project, static_files  # noqa: F401
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

    address: str
    environment: dict

    def manage(self, *arguments):
        """Run manage.py beside it and return what it printed."""
        done = run("manage.py", *arguments, **self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, script):
        """Run Python with the shop's models and return what it printed."""
        return self.manage("shell", "--verbosity", "0", "-c", script)


# Slow: PostgreSQL, the migrations, the sample books and gunicorn are started once for all tests.
@pytest.fixture(scope="session")
def shop(project, postgresql, migrated):  # noqa: F811
    """Return a shop with the sample books, nine copies of each, and an owner."""
    environment = {"DATABASE_URL": create_database(postgresql, migrated)}
    made = Shop("", environment)
    made.manage("load_sample_books")
    made.shell(STOCK)
    server = Server(project, **environment)
    made.address = f"http://localhost:{server.port}"
    yield made
    server.kill()


@pytest.fixture(scope="session")
def chromium():
    """Return the browser: the distribution's, or the one that scripts/setup got from Playwright."""
    os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(ROOT / ".venv" / "browsers"))
    switches = SWITCHES + (["--no-sandbox"] if os.getuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, shop):
    """Return a function that opens the shop for a new visitor and returns the page.

    `locale` is the browser's language. `complaints` of a page are what its console says; a test that expects some
    empties the list.
    """
    contexts, complaints = [], []

    def open_shop(path="/", locale="en", javascript=True, **options):
        context = chromium.new_context(base_url=shop.address, locale=locale, java_script_enabled=javascript, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = complaints
        page.on("console", lambda told: told.type in ("error", "warning") and complaints.append(told.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_shop
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def show():
    """Return a function that takes a screenshot of a page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def look(show):
    """Return a function that takes a screenshot of a page and finds what keeps people from using it (axe)."""
    axe = Axe()

    def look(page, name):
        show(page, name)
        found = axe.run(page).response["violations"]
        barriers = [violation for violation in found if violation["impact"] in ("serious", "critical")]
        assert not barriers, [
            (barrier["id"], barrier["help"], [node["html"] for node in barrier["nodes"]]) for barrier in barriers
        ]

    return look
