"""What was measured as one table and one plot, road.md and road.svg, out of the parts' own files of figures."""

import json
import statistics
from pathlib import Path
from typing import NamedTuple

import plot
from measure import table
from parts import PARTS


class Figure(NamedTuple):
    """The runs of one way in one case, and what `value` was in them."""

    rows: list[dict]
    median: float
    least: float
    most: float


class Found:
    """What a part has measured: figures by (case, way), in their order, and what was said about the measuring."""

    def __init__(self, part, head: dict, rows: list[dict]) -> None:
        self.part, self.head, self.figures = part, head, {}
        for row in rows:
            self.figures.setdefault((row["case"], row["way"]), []).append(row)
        ways = list(part.WAYS)
        for key in sorted(self.figures, key=lambda key: (list(self.figures).index(key), ways.index(key[1]))):
            values = [row["value"] for row in self.figures[key]]
            self.figures[key] = Figure(self.figures[key], statistics.median(values), min(values), max(values))
        self.cases = list(dict.fromkeys(case for case, _ in self.figures))

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self.figures

    def __getitem__(self, key: tuple[str, str]) -> Figure:
        return self.figures[key]

    def in_order(self):
        """Yield (case, way, figure), case by case, our own way first."""
        for case in self.cases:
            for way in self.part.WAYS:
                if (case, way) in self:
                    yield case, way, self[case, way]

    def times(self, case: str, way: str) -> tuple[float, float, float] | None:
        """Return how many times as much as our own way takes it is, by its median, least and most; more is worse."""
        if (case, self.part.OURS) not in self or not self[case, self.part.OURS].median:
            return None
        ours, figure = self[case, self.part.OURS].median, self[case, way]
        factors = [value / ours for value in (figure.median, figure.least, figure.most)]
        return tuple(factors) if self.part.UNIT == "s" else tuple(1 / factor for factor in factors)


def found(directory: Path) -> dict[str, Found]:
    """Return what each part that was ever measured has found."""
    files = {name: directory / "road" / f"{name}.jsonl" for name in PARTS}
    lines = {
        name: [json.loads(line) for line in file.read_text().splitlines()]
        for name, file in files.items()
        if file.exists()
    }
    return {name: Found(PARTS[name], head, rows) for name, (head, *rows) in lines.items()}


def number(value: float) -> str:
    """Return three digits of a number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def written(directory: Path) -> None:
    """Write both files anew."""
    parts = found(directory)
    figures, told, missing, measured = [], [], [], []
    for name, of in parts.items():
        for case, way, figure in of.in_order():
            span = f"{number(figure.median)} {of.part.UNIT} ({number(figure.least)} to {number(figure.most)})"
            times = of.times(case, way)
            factor = "" if times is None else number(times[0])
            figures.append([name, case, way, span, len(figure.rows), factor, of.part.besides(figure.rows)])
        told += [
            f"- {name}: {'met' if met else '**not met**'}: {text}"
            for met, text in (of.part.goals(of) if of.figures else [])
        ]
        missing += [f"- {name}, {way}: {why}" for way, why in of.head["missing"].items()]
        versions = ", ".join(f"{tool} {version}" for tool, version in of.head["versions"].items())
        measured.append(
            f"- {name}: {of.head['date']}, {of.head['machine']}; load before: {of.head['load']:.1f}; {versions}"
        )
    head = ["part", "case", "way", "median (least to most)", "runs", "x ours", "besides"]
    text = f"""# The road beside what people would use instead

Made by `make bench`; `make bench BENCH=promotion` measures one part anew and leaves the others. All ways of a part
run on the same machine in turn, every other run in the reverse order. "x ours" is how many times as much as ours a way
takes, by the medians: less than 1 is better than ours, also where the figure itself is better the more it is.

![How many times as much as ours each way takes](road.svg)

{table([head, *figures])}

## Goals

{chr(10).join(told)}

## What could not run

{chr(10).join(missing) or "Nothing."}

## When and where

{chr(10).join(measured)}
"""
    (directory / "road.md").write_text(text)
    groups = [(f"{name}: {case}", drawn(of, case)) for name, of in parts.items() for case in of.cases]
    plot.drawn([(name, ways) for name, ways in groups if ways], directory / "road.svg")


def drawn(of: Found, case: str) -> list[tuple]:
    """Return what the plot shows of a case: each way, what it is in times ours, and the figure in words."""
    ways = []
    for _, way, figure in (found for found in of.in_order() if found[0] == case):
        lost = sum(row.get("failed", 0) for row in figure.rows)
        words = f"{number(figure.median)} {of.part.UNIT}" + (f", {lost:,.0f} failed" if lost else "")
        if times := of.times(case, way):
            ways.append((way, times, words))
    return ways
