"""Generated covers: valid SVG for any title, legible, and cached."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from books.covers import HEIGHT, WIDTH, draw
from django.utils import translation
from shop_fixtures import text

SVG = "{http://www.w3.org/2000/svg}"
LONG = "An Inquiry into the Nature and Causes of the Wealth of Nations, in Five Books, with an Index " * 2


def lines_of(svg):
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize(
    "title",
    [
        "Dune",
        LONG[:200],
        "W" * 200,
        "موسم الهجرة إلى الشمال",
        ("吾輩は猫である" * 20)[:200],
        "<script>&\"'",
        "a\0b\x01c\ufffe\u2028d",
        "",
    ],
)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_contains_all_printable_letters_of_the_title(title, language):
    translation.activate(language)
    lines = lines_of(draw(title, "Someone"))
    shown = "".join("".join(line.text for line in lines).split())
    assert shown.startswith("".join(letter for letter in title if letter.isprintable() and letter != " "))
    for line in lines:
        assert 0 < float(line.get("y")) < HEIGHT
        assert line.get("x") == str(WIDTH // 2)


@pytest.mark.parametrize("title", ["Frankenstein", "Middlemarch", "The Misadventures of Pippi"])
def test_long_word_is_made_smaller_rather_than_broken(title):
    assert " ".join(line.text for line in lines_of(draw(title, ""))).split() == title.split()


def test_contains_no_script():
    tree = ElementTree.fromstring(draw("<script>alert(1)</script>", '"><image href="x" onerror="alert(1)"/>'))
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} == {"svg", "title", "rect", "g", "text"}


@pytest.mark.parametrize(("title", "right_to_left"), [("1984: موسم", True), ("Dune", False)])
def test_title_has_the_direction_of_its_first_letter(title, right_to_left):
    assert ('direction="rtl"' in draw(title, "A")) == right_to_left


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colour_depends_on_the_title_and_contrasts_with_white():
    backgrounds = set()
    for number in range(500):
        colours = re.findall(r'height="(?:300|85)" fill="(#[0-9a-f]{6})"', draw(f"Title {number}", "A"))
        assert len(colours) == 2
        assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in colours)
        backgrounds.add(colours[0])
    assert len(backgrounds) > 200
    assert draw("Dune", "A") == draw("Dune", "A")


def test_book_without_a_cover_gets_a_generated_one(client, dune):
    for page in ("/book-list", dune.get_absolute_url()):
        assert f'src="/book-cover/{dune.pk}.svg"' in text(client.get(page))
    answer = client.get(f"/book-cover/{dune.pk}.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "Dune" in text(answer)


def test_book_with_a_cover_shows_it(client, make_books):
    (book,) = make_books("Dune", cover="https://covers.example/dune.jpg")
    page = text(client.get(book.get_absolute_url()))
    assert 'src="https://covers.example/dune.jpg" alt="Cover of Dune"' in page


def test_caches_can_revalidate_a_cover(client, dune):
    url = f"/book-cover/{dune.pk}.svg"
    first = client.get(url)
    assert "max-age=3600" in first.headers["Cache-Control"] and "public" in first.headers["Cache-Control"]
    again = client.get(url, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    dune.title = "Emma"
    dune.save()
    assert client.get(url, headers={"if-none-match": first.headers["ETag"]}).status_code == 200


def test_missing_book_has_no_cover(client, db, django_assert_max_num_queries):
    with django_assert_max_num_queries(1):
        assert client.get("/book-cover/99.svg").status_code == 404
