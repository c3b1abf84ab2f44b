"""Translations: the Arabic catalogue is complete, and its compiled file up to date.

After a change of messages, run in book-shop/: `manage.py makemessages -l ar --no-location --no-obsolete`, translate the
empty and fuzzy messages in locale/ar/LC_MESSAGES/django.po, then run `pybabel compile -D django -d locale`.
"""

import io
import shutil
import subprocess

import pytest
from babel.messages import mofile, pofile
from django.utils import translation
from shop_fixtures import text
from shop_program import PROJECT, run

FOLDER = PROJECT / "locale" / "ar" / "LC_MESSAGES"


def read_catalogue(folder):
    with (folder / "django.po").open("rb") as file:
        return pofile.read_po(file, locale="ar")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Return the messages of the catalogue after makemessages."""
    copy = tmp_path_factory.mktemp("messages") / "app"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "staticfiles", "*.sqlite3"))
    made = run("manage.py", "makemessages", "-l", "ar", "--no-location", "--no-obsolete", directory=copy)
    assert made.returncode == 0, made.stderr
    return [message for message in read_catalogue(copy / FOLDER.relative_to(PROJECT)) if message.id]


def test_all_messages_are_translated(extracted):
    def is_translated(message):
        return not message.fuzzy and all(message.string if message.pluralizable else [message.string])

    assert len(extracted) > 100
    assert [message.id for message in extracted if not is_translated(message)] == []


def test_no_translation_is_obsolete(extracted):
    used = {(message.context, message.id) for message in extracted}
    assert {(message.context, message.id) for message in read_catalogue(FOLDER) if message.id} <= used


def test_translations_have_the_same_placeholders():
    check = ["msgfmt", "--check-format", "--output-file=/dev/null", str(FOLDER / "django.po")]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_compiled_catalogue_is_up_to_date():
    compiled = io.BytesIO()
    mofile.write_mo(compiled, read_catalogue(FOLDER))
    assert (FOLDER / "django.mo").read_bytes() == compiled.getvalue()


def test_page_is_in_arabic(client, dune):
    page = text(client.get("/", headers={"accept-language": "ar"}))
    assert "<title>متجر الكتب</title>" in page
    assert "كتب جيدة بتقييمات صادقة" in page
    assert "Good books" not in page


def test_arabic_has_six_plural_forms():
    one = "Only %(stock)d copy of “%(title)s” is left. Please order fewer."
    many = "Only %(stock)d copies of “%(title)s” are left. Please order fewer."
    with translation.override("ar"):
        forms = {translation.ngettext(one, many, count) for count in (0, 1, 2, 3, 11, 100)}
    assert len(forms) == 5  # the forms for 11 and 100 copies have the same text


def test_messages_of_django_are_in_arabic():
    with translation.override("ar"):
        assert translation.gettext("This field is required.") == "هذا الحقل مطلوب."
