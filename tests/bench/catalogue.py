"""A made-up catalogue of any size, the same each time, in a language whose words are as unevenly used as ours."""

import csv
import itertools
import random

SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el", "ir", "os", "um")]
SMALL = ["the", "of", "and", "a", "in", "to"]
SHELVES = [f"Shelf {number}" for number in range(1, 41)]
COLUMNS = [
    *["isbn", "title", "author", "publisher", "publishing_year", "description", "category", "price", "currency"],
    *["stock", "rating", "reviewer"],
]


def isbn(number: int) -> str:
    """Return the ISBN of this number, of twelve digits and the one that checks them."""
    digits = f"978{number:09}"
    return digits + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


def words(chance: random.Random, number: int = 60_000) -> list[str]:
    """Return so many words, the most frequent first."""
    made = {}
    while len(made) < number:
        made["".join(chance.choices(SYLLABLES, k=chance.choice((2, 2, 3, 3, 3, 4))))] = None
    return list(made)


WORDS = words(random.Random(6))
# The n-th word comes up 1/n as often as the first (Zipf's law).
WEIGHTS = list(itertools.accumulate(1 / place for place in range(1, len(WORDS) + 1)))
# Of a million books about 400 have such a word, or fewer.
RARE = set(WORDS[1000:])


def rows(size: int):
    """Yield so many books, as mappings of columns."""
    chance = random.Random(6)

    def some(number: int) -> list[str]:
        return chance.choices(WORDS, cum_weights=WEIGHTS, k=number)

    for number in range(size):
        title = some(chance.choice((1, 2, 2, 3, 3, 4)))
        if number % 3 == 0:
            title.insert(0, chance.choice(SMALL))
        yield {
            "isbn": isbn(number),
            "title": " ".join(title).capitalize(),
            "author": " ".join(word.capitalize() for word in some(2)),
            "publisher": f"House {number % 500}",
            "publishing_year": 2025 - int(chance.expovariate(1 / 15)) % 500,
            "description": " ".join(some(40)),
            "category": chance.choice(SHELVES),
            "price": f"{chance.lognormvariate(2.7, 0.5):.2f}",
            "currency": "EUR" if number % 20 else "USD",
            "stock": chance.choice((0, 1, 3, 10, 50)),
            "rating": chance.choice((1, 2, 3, 3, 4, 4, 5)),
            "reviewer": "Nadia",
        }


def write(path, size: int) -> None:
    """Write a catalogue of this size as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(size))
