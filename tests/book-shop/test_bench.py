"""tests/bench/shop.py with a small catalogue: it fills databases, requests every kind of page and writes a report."""

import re
import subprocess
import sys
from pathlib import Path

from shop_program import LIMIT

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<page>[^|]+) \| [\d.]+ / [\d.]+ \| [\d.]+ / [\d.]+ \| [\d.]+ \| (?P<queries>\d+) \|$", re.M)


# Slow: the program starts and fills a PostgreSQL of its own.
def test_report_has_every_page_with_few_queries(tmp_path):
    report = tmp_path / "shop.md"
    command = [sys.executable, "tests/bench/shop.py", report, "2", "60", "600"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3 * LIMIT)
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    queries = {row["page"]: int(row["queries"]) for row in ROW.finditer(text)}
    assert len(queries) == 11, text
    # The page with the most queries is a search with a typing error, which searches again for the corrected word.
    assert max(queries.values()) <= 7
    assert queries["list, any order"] == queries["page 10,000, any order"] == 2
    assert re.search(r"^\| 600 \| [\d,]+ \| \d+ \|$", text, re.M)
    assert "600 added" in done.stdout
