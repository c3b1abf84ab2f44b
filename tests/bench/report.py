"""The report of the bench: road.md, a table, and road.svg, a plot, made from the figures of each part."""

import json
import statistics
from pathlib import Path
from typing import NamedTuple

import plot
from measure import table
from parts import PARTS


class Figure(NamedTuple):
    """The runs of one way in one case, and the median, least and largest of their values."""

    rows: list[dict]
    median: float
    least: float
    most: float


class Found(dict):
    """The figures of a part by (case, way), case by case, the ways in the part's order."""

    def __init__(self, part, head: dict, rows: list[dict]) -> None:
        self.part, self.head = part, head
        self.cases = list(dict.fromkeys(row["case"] for row in rows))
        for key in [(case, way) for case in self.cases for way in part.WAYS]:
            runs = [row for row in rows if (row["case"], row["way"]) == key]
            values = [row["value"] for row in runs]
            if runs:
                self[key] = Figure(runs, statistics.median(values), min(values), max(values))

    def times(self, case: str, way: str) -> list[float] | None:
        """Return a way's median, least and largest value as multiples of our median; more is worse."""
        ours, figure = self.get((case, self.part.OURS)), self[case, way]
        if not ours or not ours.median:
            return None
        factors = [value / ours.median for value in (figure.median, figure.least, figure.most)]
        return factors if self.part.UNIT == "s" else [1 / factor for factor in factors]


def found(directory: Path) -> dict[str, Found]:
    """Return the figures of each part that has been measured."""
    files = {name: directory / "road" / f"{name}.jsonl" for name in PARTS}
    lines = {name: map(json.loads, file.read_text().splitlines()) for name, file in files.items() if file.exists()}
    return {name: Found(PARTS[name], head, rows) for name, (head, *rows) in lines.items()}


def number(value: float) -> str:
    """Return three digits of a number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def written(directory: Path) -> None:
    """Write both files."""
    parts = found(directory)
    figures, goals, missing, circumstances = [], [], [], []
    for name, of in parts.items():
        for (case, way), figure in of.items():
            span = f"{number(figure.median)} {of.part.UNIT} ({number(figure.least)} to {number(figure.most)})"
            times = of.times(case, way)
            details = getattr(of.part, "details", lambda rows: "")(figure.rows)
            figures.append([name, case, way, span, len(figure.rows), number(times[0]) if times else "", details])
        for met, text in of.part.goals(of) if of else []:
            goals.append(f"- {name}: {'met' if met else '**not met**'}: {text}")
        missing += [f"- {name}, {way}: {why}" for way, why in of.head["missing"].items()]
        tools = ", ".join(f"{tool} {version}" for tool, version in of.head["versions"].items())
        circumstances.append(
            f"- {name}: {of.head['date']}, {of.head['machine']}; load before: {of.head['load']:.1f}; {tools}"
        )
    head = ["part", "case", "way", "median (least to most)", "runs", "x ours", "more"]
    text = f"""# This project compared with its usual alternatives

Made by `make bench`; `make bench BENCH=promotion` measures one part and keeps the figures of the others. All ways of a
part take turns on the same machine, every other run in the reverse order. "x ours" is the median of a way as a multiple
of ours, or its inverse where more is better: less than 1 is always better than ours.

![How many times as much as ours each way takes](road.svg)

{table([head, *figures])}

## Goals

{chr(10).join(goals)}

## What could not run

{chr(10).join(missing) or "Nothing."}

## When and where

{chr(10).join(circumstances)}
"""
    (directory / "road.md").write_text(text)
    groups = [(f"{name}: {case}", plotted(of, case)) for name, of in parts.items() for case in of.cases]
    plot.draw([(name, ways) for name, ways in groups if ways], directory / "road.svg")


def plotted(of: Found, case: str) -> list[tuple]:
    """Return what the plot shows of a case: each way, its multiples of ours, and its figure in words."""
    ways = []
    for way in of.part.WAYS:
        if (case, way) in of and (times := of.times(case, way)):
            figure = of[case, way]
            failed = sum(row.get("failed", 0) for row in figure.rows)
            words = f"{number(figure.median)} {of.part.UNIT}" + (f", {failed:,.0f} failed" if failed else "")
            ways.append((way, times, words))
    return ways
