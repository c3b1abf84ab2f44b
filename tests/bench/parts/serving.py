"""How many requests for the catalogue's list NGINX and gunicorn answer on the local host: with our gunicorn settings,
and with gunicorn's own.

Each visitor sends the next request as soon as the last one is answered.
"""

import os

import measure

from parts import swap

UNIT = "requests/s"
OURS, DEFAULTS, FORMULA = "this gunicorn.conf.py", "gunicorn's defaults", "gunicorn, 2 x cores + 1 sync workers"
PLAIN = "gunicorn --pythonpath /app --bind 0.0.0.0:8000 book_shop.wsgi"
WAYS = {OURS: "", DEFAULTS: PLAIN, FORMULA: f"{PLAIN} --workers {2 * os.cpu_count() + 1}"}
NEEDS = dict.fromkeys(WAYS, "docker")
TOOLS = ("host's docker", "k6")
VISITORS, SECONDS, PAGE = 20, 20, "/book-list"
CASE = f"{VISITORS} visitors, {PAGE}"


def measured(bench: measure.Bench, ways: list[str]):
    image, _ = bench.images[0]
    settings = {"visitors": VISITORS, "pages": PAGE, "seconds": 2 if bench.small else SECONDS}
    try:
        for _, way in bench.turns(ways):
            bench.on_host("remove_containers")
            # Not in /app, where gunicorn would read our gunicorn.conf.py.
            directory = "" if way == OURS else "/tmp"
            bench.on_host("serve", "run_image", IMAGE=image, PORTS="4003", WORKDIR=directory, COMMAND=WAYS[way])
            with measure.load(measure.url("dev"), bench.work, **settings) as results:
                pass
            yield {"case": CASE, "way": way, "value": results["rate"], **results}
    finally:
        bench.on_host("serve_dev_again")


def details(rows: list[dict]) -> str:
    p99 = sorted(row["p99"] for row in rows)[len(rows) // 2]
    return f"p99 {p99:.0f} ms; {swap.lost(rows)}"


def goals(found):
    factor = found[CASE, OURS].median / found[CASE, DEFAULTS].median
    yield factor >= 1, f"no fewer requests a second than with {DEFAULTS}: {factor:.2f} times as many"
