"""One plot of all parts: dots with their spans on one logarithmic axis.

SVG written by hand: a chart library would be one more dependency, to lock and to update, for this one file.
"""

import math
import xml.etree.ElementTree as xml
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
.grid { stroke: var(--grid) }
.ours { stroke: var(--ink) }
.span { stroke: var(--dot); stroke-width: 2 }
circle { fill: var(--dot) }
rect { fill: var(--paper) }
"""


def drawn(groups: list[tuple[str, list]], file: Path) -> None:
    """Draw groups of (name, (median, least, most) as times ours, figure)."""
    values = [value for _, ways in groups for _, times, _ in ways for value in times]
    first, last = math.floor(math.log10(min([*values, 1]))), max(math.ceil(math.log10(max([*values, 1]))), 1)
    height = LINE * (2 + sum(1 + len(ways) for _, ways in groups))
    width = LEFT + AXIS + RIGHT
    top = xml.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=str(width), role="img"
    )
    xml.SubElement(top, "title").text = "How many times as much as ours each way takes"
    xml.SubElement(top, "style").text = STYLE

    def place(value: float) -> float:
        return LEFT + AXIS * (math.log10(value) - first) / (last - first)

    def add(kind: str, text: str | None = None, **of: object) -> None:
        xml.SubElement(top, kind, {name.rstrip("_"): str(value) for name, value in of.items()}).text = text

    add("rect", width=width, height=height)
    for power in range(first, last + 1):
        at = place(10**power)
        add("line", class_="grid" if power else "ours", x1=at, x2=at, y1=LINE * 1.2, y2=height)
        add(
            "text",
            "ours" if power == 0 else f"{10**power:g} x",
            class_="scale",
            x=at,
            y=LINE * 0.8,
            **{"text-anchor": "middle"},
        )
    line = 1.5
    for group, ways in groups:
        line += 1
        add("text", group, class_="group", x=8, y=LINE * line)
        for way, (median, least, most), figure in ways:
            line += 1
            middle = LINE * line - 4
            add("text", way, x=20, y=LINE * line)
            add("line", class_="span", x1=place(least), x2=place(most), y1=middle, y2=middle)
            add("circle", cx=place(median), cy=middle, r=4)
            add("text", figure, class_="figure", x=width - 8, y=LINE * line, **{"text-anchor": "end"})
    xml.indent(top)
    file.write_text(xml.tostring(top, encoding="unicode") + "\n")
