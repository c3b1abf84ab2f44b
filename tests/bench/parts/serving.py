"""How much the catalogue's list bears through NGINX: our gunicorn settings against gunicorn's own, on the local host.

Each of the visitors asks again as soon as it is answered.
"""

import measure

from parts.swap import AWAY, LEAD, LEAD_BACK, READY, START, lost

TITLE = "Serving"
UNIT = "requests/s"
OURS, DEFAULTS, FORMULA = "this gunicorn.conf.py", "gunicorn's defaults", "gunicorn, 2 x cores + 1 sync workers"
# Not in /app: gunicorn.conf.py lies there.
PLAIN = "gunicorn --pythonpath /app --bind 0.0.0.0:8000 book_shop.wsgi"
WAYS = {
    OURS: ("", ""),
    DEFAULTS: ("--workdir /tmp", PLAIN),
    FORMULA: ("--workdir /tmp", f"{PLAIN} --workers $((2 * $(nproc) + 1))"),
}
VISITORS, SECONDS, PAGE = 20, 20, "/book-list"
CASE = f"{VISITORS} visitors, {PAGE}"
VERSIONS = {
    "host's docker": "docker exec $DELIVERY_DEMO-host docker version --format {{.Server.Version}}",
    "k6": "k6 version",
}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    return measure.without_engine(WAYS)


def measured(bench: measure.Bench):
    """Yield a row for each run."""
    if missing():
        return
    image, _ = bench.images()[0]
    try:
        for _, way in bench.turns(WAYS):
            options, command = WAYS[way]
            start = START.replace("docker run ", f"docker run {options} ").replace('"$IMAGE"', f'"$IMAGE" {command}')
            bench.on_host(AWAY + start + READY + LEAD, IMAGE=image, PORTS="4003")
            seconds = 2 if bench.small else SECONDS
            with measure.load(measure.url("dev"), bench.work, visitors=VISITORS, pages=PAGE, seconds=seconds) as seen:
                pass
            yield {"case": CASE, "way": way, "value": seen["rate"], **seen}
    finally:
        bench.on_host(AWAY + LEAD_BACK)


def besides(rows: list[dict]) -> str:
    """Return what is told besides the requests a second."""
    p99 = sorted(row["p99"] for row in rows)[len(rows) // 2]
    return f"p99 {p99:.0f} ms; {lost(rows)}"


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    factor = found[CASE, OURS].median / found[CASE, DEFAULTS].median
    return [(factor >= 1, f"no fewer requests a second than with {DEFAULTS}: {factor:.2f} times as many")]
