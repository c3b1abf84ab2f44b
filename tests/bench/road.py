"""Compares this project with its usual alternatives; called by scripts/bench.

Each part has its runs, as JSON lines, in a file of its own in DIRECTORY/road/, so that it can be measured alone.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests/lib"), str(ROOT / "scripts")]
import measure  # noqa: E402
import report  # noqa: E402
from parts import PARTS  # noqa: E402

PACKAGE = "it is in no package that this machine can install"
REASONS = {"docker": "there is no Docker engine", "buildx": "it has no BuildKit"}  # of the ways that need the tool


def machine() -> str:
    """Describe this machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release().partition("-")[0]
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {memory:.0f} GiB, Linux {kernel}"


def measured(part, bench: measure.Bench) -> list[dict]:
    """Measure a part; return its circumstances, then a row for each run."""
    head = {"date": str(datetime.date.today()), "machine": machine(), "load": os.getloadavg()[1]}
    missing = {way: REASONS.get(tool, PACKAGE) for way, tool in part.NEEDS.items() if not measure.version(tool)}
    ways = [way for way in part.WAYS if way not in missing]
    rows = list(part.measured(bench, ways)) if part.OURS in ways else []
    versions = {tool: measure.version(tool) or "missing" for tool in part.TOOLS}
    return [head | {"missing": missing, "versions": versions}, *rows]


def main() -> None:
    """Measure the named parts, then write the report of all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one run of the smallest size")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("directory", type=Path)
    parser.add_argument("part", choices=PARTS, nargs="+")
    arguments = parser.parse_args()
    (arguments.directory / "road").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        bench = measure.Bench(Path(work), arguments.small, arguments.runs)
        for name in arguments.part:
            print(f"==> {name}", file=sys.stderr)
            lines = [json.dumps(line) + "\n" for line in measured(PARTS[name], bench)]
            # Written at the end, so that a part that fails keeps its earlier figures.
            (arguments.directory / "road" / f"{name}.jsonl").write_text("".join(lines))
    report.written(arguments.directory)


if __name__ == "__main__":
    main()
