"""Generates a cover for a book without one: its title and author on a background colour that depends on the title."""

import colorsys
import hashlib
import textwrap
import unicodedata
from typing import NamedTuple

from django.template.loader import render_to_string

WIDTH, HEIGHT = 200, 300
TITLE_HEIGHT, AUTHOR_HEIGHT = 170, 60
SIZES = range(26, 7, -1)
LINE = 1.25
UNBROKEN = 16  # the smallest font size that still avoids breaking a long word
# The width of a letter relative to the font size, for a wide font. Chinese and Japanese letters have a width of 1.
LETTER = 0.6


class Text(NamedTuple):
    """Lines of text, each with the y coordinate of its baseline, and their font size."""

    lines: list[tuple[float, str]]
    size: int
    right_to_left: bool


def draw(title: str, author: str) -> str:
    """Return the cover as SVG 1.1. It is well-formed whatever characters the texts contain."""
    title, author = _printable(title), _printable(author)
    hue = int.from_bytes(hashlib.sha256(title.encode()).digest()[:2], "big") / 2**16
    return render_to_string(
        "books/cover.svg",
        {
            "width": WIDTH,
            "height": HEIGHT,
            "label": f"{title}, {author}",
            "title": _laid_out(title, top=40, height=TITLE_HEIGHT, sizes=SIZES),
            "author": _laid_out(author, top=225, height=AUTHOR_HEIGHT, sizes=SIZES[11:]),
            # Dark enough for white text (WCAG 2.2, 1.4.3: a contrast of at least 4.5 to 1).
            "ground": _colour(hue, 0.3),
            "band": _colour(hue, 0.2),
        },
    )


def _printable(text: str) -> str:
    # XML allows most control characters neither literally nor escaped.
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _colour(hue: float, lightness: float) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, lightness, 0.45))


def _laid_out(text: str, top: int, height: int, sizes) -> Text:
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text) * 2 > len(text)
    for size in sizes:
        letters = int((WIDTH - 30) / (size * (1 if wide else LETTER)))
        lines = textwrap.wrap(text, letters)
        broken = max(map(len, text.split()), default=0) > letters
        if len(lines) * size * LINE <= height and not (broken and size > UNBROKEN):
            break
    placed = [(round(top + size * (1 + LINE * number), 1), line) for number, line in enumerate(lines)]
    return Text(placed, size, _right_to_left(text))


def _right_to_left(text: str) -> bool:
    """Return whether the first letter with a direction is a right-to-left one (UAX #9, rules P2 and P3)."""
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind in ("R", "AL") for kind in strong if kind in ("L", "R", "AL")), False)
