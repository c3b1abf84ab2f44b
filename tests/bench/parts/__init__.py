"""The parts of the bench, in the order of their report.

Each has TITLE; UNIT of its `value`: s, or what is better the more it is; WAYS, and OURS of them; VERSIONS, a command
each; missing(): ways that can't run here, with the reason; measured(bench): a row for each run, with case, way, value
and whatever else; besides(rows): what a table says of that; goals(found): (whether it is met, what it says).
"""

from parts import build, commit, promotion, rollout, serving, swap

PARTS = {part.__name__.partition(".")[2]: part for part in (promotion, swap, rollout, build, commit, serving)}
