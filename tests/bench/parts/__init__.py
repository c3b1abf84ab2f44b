"""The parts of the bench, in the order of their report. A part is a module with

UNIT               of its `value`: s, or a unit of which more is better
WAYS, OURS         the ways that are compared, and ours of them
NEEDS              way: the tool without which it cannot run
TOOLS              the tools whose versions are reported
measured(bench, ways)  yields a row for each run: case, way, value and more
goals(found)       yields (met, text) for each goal
details(rows)      optional; returns the last cell of a way's row in the table
"""

from parts import build, commit, promotion, rollout, serving, swap

PARTS = {part.__name__.partition(".")[2]: part for part in (promotion, swap, rollout, build, commit, serving)}
