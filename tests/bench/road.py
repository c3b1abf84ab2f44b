"""Measures this road beside what people would use instead; called by scripts/bench.

A part's runs lie as JSON lines in DIRECTORY/road/, so that one part can be measured anew without the others.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests/lib"), str(ROOT / "scripts")]
import measure  # noqa: E402
import report  # noqa: E402
from parts import PARTS  # noqa: E402


def machine() -> str:
    """Describe this machine."""
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release().partition("-")[0]
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {memory:.0f} GiB, Linux {kernel}"


def version(command: str) -> str:
    """Return the first number in what a program says about itself, or that it is not here."""
    try:
        said = subprocess.run(os.path.expandvars(command).split(), cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return "missing"
    numbers = [word.strip("v,") for word in said.stdout.split() if word.strip("v,")[:1].isdigit()]
    return numbers[0] if numbers else "unknown"


def main() -> None:
    """Measure the parts that were named, then write the report of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one run of the smallest size")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("directory", type=Path)
    parser.add_argument("part", choices=PARTS, nargs="+")
    given = parser.parse_args()
    (given.directory / "road").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        bench = measure.Bench(Path(work), given.small, given.runs)
        for name in given.part:
            part = PARTS[name]
            print(f"==> {part.TITLE}", file=sys.stderr)
            head = {"date": str(datetime.date.today()), "machine": machine(), "load": os.getloadavg()[1]}
            rows = list(part.measured(bench))
            head |= {
                "missing": part.missing(),
                "versions": {tool: version(said) for tool, said in part.VERSIONS.items()},
            }
            lines = [json.dumps(line) for line in (head, *rows)]
            # A part that fails on its way leaves the figures of before.
            (given.directory / "road" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    report.written(given.directory)


if __name__ == "__main__":
    main()
