"""A new snapshot on Docker under 100 requests a second, of which one in five is for a page: when it answers, and how
many requests fail.

All ways run on the local host, behind its NGINX and on its PostgreSQL, with the same two images in turn, both of which
it has. The other ways use ports of their own, to which NGINX passes requests during their turn.
"""

import measure

UNIT = "s"
OURS, COMPOSE, RESTART = "make deploy-dev", "docker compose up -d --wait", "docker restart (the same image)"
RUN, SCALE = "docker rm -f, docker run", "compose: scale up, then down"
MIGRATING = "compose: migrate as ours does, up -d --wait"
RATE = 100  # requests a second
PAGES = " ".join(["/book-detail/1/", *(f"/book-cover/{book}.svg" for book in (1, 2, 3, 4))])
CASE = f"{RATE} requests/s"
# way: the ports that NGINX uses; the functions of on_host.bash that start the old image and swap it for the new one
WAYS = {
    OURS: None,
    COMPOSE: ("4003", "compose_first", "compose_up"),
    MIGRATING: ("4003", "compose_first", "compose_migrate_up"),
    RESTART: ("4003", "run_image", "restart_container"),
    RUN: ("4003", "run_image", "replace_container"),
    SCALE: ("4003 4004", "compose_first", "compose_scale"),
}
NEEDS = dict.fromkeys((OURS, RESTART, RUN), "docker") | dict.fromkeys((COMPOSE, MIGRATING, SCALE), "compose")
TOOLS = ("compose", "host's docker", "k6")
PLUGINS = "/usr/libexec/docker/cli-plugins"
PLUGIN = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'


def measured(bench: measure.Bench, ways: list[str]):
    images = bench.images
    if COMPOSE in ways:
        bench.on_host("mkdir", "-p", PLUGINS)
        measure.run("docker", "cp", measure.run("docker", "info", "--format", PLUGIN), f"{measure.host()}:{PLUGINS}/")
    for image, _ in images:
        bench.deploy("dev", image)
    for number, way in bench.turns(ways):
        (old, _), (new, revision) = images[number % 2], images[1 - number % 2]
        yield {"case": CASE, "way": way, **swapped(bench, way, old, new, revision)}


def swapped(bench: measure.Bench, way: str, old: str, new: str, revision: str) -> dict:
    """Serve the old image in a way, then swap it for the new one; return the results."""
    if way == OURS:
        bench.deploy("dev", old)
        return under_load(bench, "dev", revision, lambda: bench.deploy("dev", new))
    ports, first, swap = WAYS[way]
    try:
        bench.on_host("serve", first, IMAGE=old, PORTS=ports)
        if way == RESTART:
            return under_load(bench, "dev", None, lambda: bench.on_host(swap))
        return under_load(bench, "dev", revision, lambda: bench.on_host(swap, IMAGE=new))
    finally:
        # Compose's health check starts a Python each second, which would slow the next way.
        bench.on_host("serve_dev_again")


def under_load(bench: measure.Bench, environment: str, revision: str | None, change) -> dict:
    """Make a change under load. The value is the seconds until the revision answers, or without one until any answer
    after the change.
    """
    with measure.load(measure.url(environment), bench.work, rate=RATE, pages=PAGES) as results:
        answering = measure.Answering(environment, revision)
        if revision:
            answering.start()
        change()
        done = answering.since()
        if not revision:
            answering.start()
        seconds = answering.seconds()
    return {"value": seconds, "done": max(done, seconds), **results}


def details(rows: list[dict]) -> str:
    done = sorted(row["done"] for row in rows)[len(rows) // 2]
    return f"{lost(rows)}; done after {done:.1f} s"


def lost(rows: list[dict]) -> str:
    """Return how many requests failed, and how many could not be sent."""
    failed, unsent, requests = (sum(row[key] for row in rows) for key in ("failed", "unsent", "requests"))
    worst = max(row["failed"] for row in rows)
    text = f"**{failed:,.0f} failed** of {requests:,.0f} ({worst:,.0f} in the worst run)"
    return (text if failed else f"0 failed of {requests:,.0f}") + (
        f", {unsent:,.0f} could not be sent" if unsent else ""
    )


def goals(found):
    failed = sum(row["failed"] for row in found[CASE, OURS].rows)
    yield failed == 0, f"no request fails in a swap: {failed:.0f}"
    for way in (COMPOSE, MIGRATING):
        if (CASE, way) in found:
            mine, other = found[CASE, OURS].median, found[CASE, way].median
            yield mine <= other, f"the new revision answers no later than by {way}: {mine:.1f} s, {other:.1f} s"
