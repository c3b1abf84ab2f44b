"""One plot of all parts: dots with their spans on one logarithmic axis.

The SVG is written by hand: a chart library would be one more dependency to lock and update, for this one file.
"""

import math
from html import escape
from pathlib import Path

LEFT, RIGHT, AXIS, LINE = 310, 190, 500, 22  # pixels: names, figures, the axis between them; height of a line
STYLE = """
svg { --paper: #fff; --ink: #1f2328; --pale: #59636e; --grid: #d1d9e0; --dot: #0969da }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #f0f6fc; --pale: #9198a1; --grid: #3d444d; --dot: #4493f8 }
}
text { font: 13px system-ui, sans-serif; fill: var(--ink) }
.group { font-weight: 600 }
.figure, .scale { fill: var(--pale) }
.figure { text-anchor: end }
.scale { text-anchor: middle }
.grid { stroke: var(--grid) }
.ours { stroke: var(--ink) }
.span { stroke: var(--dot); stroke-width: 2 }
circle { fill: var(--dot) }
rect { fill: var(--paper) }
"""


def draw(groups: list[tuple[str, list]], file: Path) -> None:
    """Draw groups of (name, (median, least, largest) as multiples of ours, figure in words)."""
    values = [value for _, ways in groups for _, times, _ in ways for value in times]
    first, last = math.floor(math.log10(min([*values, 1]))), max(math.ceil(math.log10(max([*values, 1]))), 1)
    height = LINE * (2 + sum(1 + len(ways) for _, ways in groups))
    width = LEFT + AXIS + RIGHT
    marks = [f'<rect width="{width}" height="{height}" />']

    def place(value: float) -> float:
        return LEFT + AXIS * (math.log10(value) - first) / (last - first)

    def text(kind: str, x: float, y: float, words: str) -> None:
        marks.append(f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>')

    def line(kind: str, x1: float, x2: float, y1: float, y2: float) -> None:
        marks.append(f'<line class="{kind}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}" />')

    for power in range(first, last + 1):
        x = place(10**power)
        line("grid" if power else "ours", x, x, LINE * 1.2, height)
        text("scale", x, LINE * 0.8, f"{10**power:g} x" if power else "ours")
    y = LINE * 1.5
    for group, ways in groups:
        y += LINE
        text("group", 8, y, group)
        for way, (median, least, most), figure in ways:
            y += LINE
            text("way", 20, y, way)
            line("span", place(least), place(most), y - 4, y - 4)
            marks.append(f'<circle cx="{place(median)}" cy="{y - 4}" r="4" />')
            text("figure", width - 8, y, figure)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    title = "<title>How many times as much as ours each way takes</title>"
    file.write_text("\n".join([head, title, f"<style>{STYLE}</style>", *marks, "</svg>\n"]))
