"""Translations: every string that is marked has an Arabic one, and what Django reads is what is written.

After a change of strings, in book-shop/: `manage.py makemessages -l ar --no-location --no-obsolete`, translate
what is empty or fuzzy in locale/ar/LC_MESSAGES/django.po, then `pybabel compile -D django -d locale`.
"""

import io
import shutil
import subprocess

import pytest
from babel.messages import mofile, pofile
from django.utils import translation
from shop_program import PROJECT, run

FOLDER = PROJECT / "locale" / "ar" / "LC_MESSAGES"


def catalog(folder):
    """Return {(context, English): message} of a folder's .po file."""
    with (folder / "django.po").open("rb") as file:
        return {(message.context, message.id): message for message in pofile.read_po(file, locale="ar") if message.id}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Return the catalogue as makemessages would leave it."""
    copy = tmp_path_factory.mktemp("messages") / "app"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "staticfiles", "*.sqlite3"))
    made = run("manage.py", "makemessages", "-l", "ar", "--no-location", "--no-obsolete", directory=copy)
    assert made.returncode == 0, made.stderr
    return catalog(copy / FOLDER.relative_to(PROJECT))


def test_every_string_is_translated(extracted):
    def is_translated(message):
        strings = message.string if message.pluralizable else [message.string]
        return all(strings) and not message.fuzzy

    assert len(extracted) > 100
    assert [key for key, message in extracted.items() if not is_translated(message)] == []


def test_no_translation_is_left_over(extracted):
    assert set(catalog(FOLDER)) - set(extracted) == set()


def test_placeholders_survive_the_translation():
    check = ["msgfmt", "--check-format", "--output-file=/dev/null", str(FOLDER / "django.po")]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_what_django_reads_is_what_is_written():
    compiled = io.BytesIO()
    with (FOLDER / "django.po").open("rb") as file:
        mofile.write_mo(compiled, pofile.read_po(file, locale="ar"))
    assert (FOLDER / "django.mo").read_bytes() == compiled.getvalue()


def test_a_page_in_arabic(client, make_books):
    make_books("Dune")
    page = client.get("/", headers={"accept-language": "ar"}).content.decode()
    assert "<title>متجر الكتب</title>" in page
    assert "كتب جيدة بتقييمات صادقة" in page
    assert "Good books" not in page


def test_arabic_counts_in_six_ways():
    with translation.override("ar"):
        one, many = (
            "Only %(stock)d copy of “%(title)s” is left. Please take fewer.",
            "Only %(stock)d copies of “%(title)s” are left. Please take fewer.",
        )
        said = {translation.ngettext(one, many, count) for count in (0, 1, 2, 3, 11, 100)}
        # Eleven and a hundred copies are of the same word.
        assert len(said) == 5


def test_django_speaks_arabic_too():
    with translation.override("ar"):
        assert translation.gettext("This field is required.") == "هذا الحقل مطلوب."
