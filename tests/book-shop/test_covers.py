"""Covers: drawn where none is given, well-formed whatever the title holds, and cached."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from books.covers import HEIGHT, WIDTH, draw
from django.utils import translation

SVG = "{http://www.w3.org/2000/svg}"
LONG = "An Inquiry into the Nature and Causes of the Wealth of Nations, in Five Books, with an Index " * 2


def texts(svg):
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize(
    "title",
    [
        "Dune",
        LONG,
        "W" * 200,
        "موسم الهجرة إلى الشمال",
        "吾輩は猫である" * 20,
        "<script>&\"'",
        "a\0b\x01c\ufffe\u2028d",
        "",
    ],
)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_it_is_well_formed_and_all_of_it_is_on_the_page(title, language):
    translation.activate(language)
    lines = texts(draw(title[:200], "Someone"))
    shown = "".join(line.text for line in lines)
    for letter in title[:200]:
        assert not letter.isprintable() or letter == " " or letter in shown
    assert "".join(shown.split()).startswith("".join("".join(filter(str.isprintable, title[:200])).split()))
    for line in lines:
        assert 0 < float(line.get("y")) < HEIGHT
        assert line.get("x") == str(WIDTH // 2)


@pytest.mark.parametrize("title", ["Frankenstein", "Middlemarch", "The Misadventures of Pippi"])
def test_letters_get_smaller_rather_than_a_word_broken(title):
    assert " ".join(line.text for line in texts(draw(title, ""))).split() == title.split()


def test_nothing_in_it_is_run():
    tree = ElementTree.fromstring(draw("<script>alert(1)</script>", '"><image href="x" onerror="alert(1)"/>'))
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} == {"svg", "title", "rect", "g", "text"}


def test_a_title_from_right_to_left_is_laid_out_so():
    assert 'direction="rtl"' in draw("1984: موسم", "A")
    assert 'direction="rtl"' not in draw("Dune", "A")


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_each_title_has_its_colour_and_white_is_read_on_it():
    grounds = set()
    for number in range(500):
        colours = re.findall(r'height="(?:300|85)" fill="(#[0-9a-f]{6})"', draw(f"Title {number}", "A"))
        assert len(colours) == 2
        for colour in colours:
            assert 1.05 / (luminance(colour) + 0.05) >= 4.5
        grounds.add(colours[0])
    assert len(grounds) > 200
    assert draw("Dune", "A") == draw("Dune", "A")


def test_a_book_without_a_cover_gets_a_drawn_one(client, make_books):
    (book,) = make_books("Dune")
    for page in ("/book-list", f"/book-detail/{book.pk}/"):
        assert f'src="/book-cover/{book.pk}.svg"' in client.get(page).content.decode()
    answer = client.get(f"/book-cover/{book.pk}.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "Dune" in answer.content.decode()


def test_a_given_cover_is_shown(client, make_books):
    (book,) = make_books("Dune", cover="https://covers.example/dune.jpg")
    page = client.get(f"/book-detail/{book.pk}/").content.decode()
    assert 'src="https://covers.example/dune.jpg" alt="Cover of Dune"' in page


def test_a_cache_asks_whether_it_changed(client, make_books):
    (book,) = make_books("Dune")
    address = f"/book-cover/{book.pk}.svg"
    first = client.get(address)
    assert "max-age=3600" in first.headers["Cache-Control"] and "public" in first.headers["Cache-Control"]
    again = client.get(address, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    book.title = "Emma"
    book.save()
    assert client.get(address, headers={"if-none-match": first.headers["ETag"]}).status_code == 200


def test_no_book_no_cover(client, db, django_assert_max_num_queries):
    with django_assert_max_num_queries(1):
        assert client.get("/book-cover/99.svg").status_code == 404
