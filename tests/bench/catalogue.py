"""A catalogue of any size, the same each time, whose words are as unevenly frequent as in a natural language."""

import csv
import itertools
import random

SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el", "ir", "os", "um")]
SMALL = ["the", "of", "and", "a", "in", "to"]
SHELVES = [f"Shelf {number}" for number in range(1, 41)]


def isbn(number: int) -> str:
    """Return the ISBN with this number: twelve digits and their check digit."""
    digits = f"978{number:09}"
    return digits + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


def words(chance: random.Random, number: int = 60_000) -> list[str]:
    """Return words, the most frequent first."""
    made = {}
    while len(made) < number:
        made["".join(chance.choices(SYLLABLES, k=chance.choice((2, 2, 3, 3, 3, 4))))] = None
    return list(made)


WORDS = words(random.Random(6))
# The n-th word is 1/n as frequent as the first (Zipf's law).
WEIGHTS = list(itertools.accumulate(1 / place for place in range(1, len(WORDS) + 1)))
# At most about 400 of a million books have such a word.
RARE = set(WORDS[1000:])


def rows(size: int):
    """Yield books as {column: value}."""
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
        writer = csv.writer(file)
        for number, row in enumerate(rows(size)):
            if number == 0:
                writer.writerow(row)
            writer.writerow(row.values())
