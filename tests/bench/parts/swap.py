"""A new snapshot on Docker under 100 requests a second, one of five a page: when it answers, and how many fail.

All ways run on the local host, behind its NGINX and on its PostgreSQL, with the same two images in turn, both of them
there already. The others have a port of their own, which NGINX is led to before a run.
"""

import measure

TITLE = "Swap on Docker"
UNIT = "s"
OURS, COMPOSE, RESTART = "make deploy-dev", "docker compose up -d --wait", "docker restart (the same image)"
RUN, SCALE = "docker rm -f, docker run", "compose: scale up, then down"
MIGRATING = "compose: migrate as ours does, up -d --wait"
RATE = 100  # requests a second
PAGES = " ".join(["/book-detail/1/", *(f"/book-cover/{book}.svg" for book in (1, 2, 3, 4))])
CASE = f"{RATE} requests/s"
# NGINX's upstream of dev, led to the others' ports. One where nobody is yet is passed over each time, and asked
# again at once. NGINX's workers of before lead to our slots until they are gone.
LEAD = """
{
  echo 'upstream dev {'
  for port in $PORTS; do printf 'server 127.0.0.1:%s max_fails=0; ' "$port"; done
  echo 'keepalive 16; keepalive_time 2s; keepalive_timeout 2s; }'
} >/etc/nginx/book-shop/dev-upstream.conf
workers=$(pgrep --parent "$(cat /run/nginx.pid)")
systemctl reload nginx
for worker in $workers; do while kill -0 "$worker" 2>/dev/null; do sleep 0.1; done; done
"""
LEAD_BACK = """
cp /opt/book-shop/nginx/book-shop/dev-upstream.conf /etc/nginx/book-shop/
systemctl reload nginx
"""
# PostgreSQL lets in whoever comes from the engine's own network. Compose waits for the health check, and the image's
# asks each second only on an engine that knows --start-interval: this one always does.
COMPOSE_FILE = """
mkdir -p /root/bench
cat >/root/bench/compose.yaml <<YAML
services:
  web:
    image: \\$IMAGE
    network_mode: bridge
    ports: ["127.0.0.1:$MAPPED:8000"]
    env_file: /etc/book-shop/dev.env
    extra_hosts: ["db.internal:169.254.77.1"]
    healthcheck: {test: [CMD, python3, -c, "$ASKS"], interval: 1s, timeout: 3s, retries: 60}
YAML
"""
ASKS = "from urllib.request import urlopen; urlopen('http://localhost:8000/readyz')"
PROJECT = "docker compose --project-directory /root/bench --progress quiet"
UP = f"{PROJECT} up --detach --wait"
MIGRATE = f"{PROJECT} run --rm --no-TTY web python3 manage.py migrate --noinput >/dev/null"
START = """
docker run --detach --name bench-web --publish 127.0.0.1:4003:8000 --env-file /etc/book-shop/dev.env \
  --add-host db.internal:169.254.77.1 "$IMAGE" >/dev/null
"""
# Asked at its own port: NGINX may still be led to what was there before.
READY = """
ready() { curl -fsS -o /dev/null -m 2 "http://localhost:$1/readyz" 2>/dev/null; }
until for port in $PORTS; do ready "$port" && break; done; do sleep 0.1; done
"""
AWAY = """
docker ps --all --quiet --filter name=bench | xargs --no-run-if-empty docker rm --force >/dev/null
"""
# way: the ports that NGINX asks, how the old image comes to be served, the way itself
WAYS = {
    OURS: None,
    COMPOSE: ("4003", f"{COMPOSE_FILE}\n{UP}", UP),
    MIGRATING: ("4003", f"{COMPOSE_FILE}\n{UP}", f"{MIGRATE}\n{UP}"),
    RESTART: ("4003", START, "docker restart bench-web >/dev/null"),
    RUN: ("4003", START, f"docker rm --force bench-web >/dev/null\n{START}"),
    SCALE: (
        "4003 4004",
        f"{COMPOSE_FILE}\n{UP}",
        f"""
        old=$(docker ps --quiet --filter name=bench)
        {UP} --no-recreate --scale web=2
        docker stop "$old" >/dev/null && docker rm "$old" >/dev/null
        """,
    ),
}
PLUGIN = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
VERSIONS = {
    "compose": "docker compose version",
    "host's docker": "docker exec $DELIVERY_DEMO-host docker version --format {{.Server.Version}}",
    "k6": "k6 version",
}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    if all_of_them := measure.without_engine(WAYS):
        return all_of_them
    lacking = measure.lacking(docker_compose="it is in no package that this machine can install")
    return dict.fromkeys((COMPOSE, MIGRATING, SCALE), lacking["docker_compose"]) if lacking else {}


def measured(bench: measure.Bench):
    """Yield a row for each run."""
    ways = [way for way in WAYS if way not in missing()]
    if not ways:
        return
    images = bench.images()
    if COMPOSE in ways:
        plugins = "/usr/libexec/docker/cli-plugins"
        bench.on_host(f"mkdir -p {plugins}")
        measure.run("docker", "cp", measure.run("docker", "info", "--format", PLUGIN), f"{measure.host()}:{plugins}/")
    for image, _ in images:
        bench.deploy("dev", image)
    for number, way in bench.turns(ways):
        (old, _), (new, revision) = images[number % 2], images[1 - number % 2]
        yield {"case": CASE, "way": way, **(ours if way == OURS else theirs)(bench, way, old, new, revision)}


def ours(bench: measure.Bench, way: str, old: str, new: str, revision: str) -> dict:
    """Swap by our verb."""
    bench.deploy("dev", old)
    return under_load(bench, revision, lambda: bench.deploy("dev", new))


def theirs(bench: measure.Bench, way: str, old: str, new: str, revision: str) -> dict:
    """Swap by another way; the old image is served that way first."""
    ports, before, command = WAYS[way]
    mapped = "4003-4004" if " " in ports else "4003"
    try:
        bench.on_host(before + READY + LEAD, IMAGE=old, PORTS=ports, MAPPED=mapped, ASKS=ASKS)
        if way == RESTART:
            return under_load(bench, None, lambda: bench.on_host(command))
        return under_load(bench, revision, lambda: bench.on_host(command, IMAGE=new))
    finally:
        # Away, too: compose's health check starts a Python each second, beside whoever has the next turn.
        bench.on_host(AWAY + LEAD_BACK)


def under_load(bench: measure.Bench, revision: str | None, swap) -> dict:
    """Swap under load; return the seconds until the revision answers, or without one until anything does afterwards."""
    with measure.load(measure.url("dev"), bench.work, rate=RATE, pages=PAGES) as seen:
        answering = measure.Answering("dev", revision)
        if revision:
            answering.look()
        swap()
        done = answering.since()
        if not revision:
            answering.look()
        seconds = answering.seconds()
    return {"value": seconds, "done": max(done, seconds), **seen}


def besides(rows: list[dict]) -> str:
    """Return what is told besides the seconds."""
    done = sorted(row["done"] for row in rows)[len(rows) // 2]
    return f"{lost(rows)}; done after {done:.1f} s"


def lost(rows: list[dict]) -> str:
    """Return what became of the requests."""
    failed, unsent, requests = (sum(row[key] for row in rows) for key in ("failed", "unsent", "requests"))
    worst = max(row["failed"] for row in rows)
    told = f"**{failed:,.0f} failed** of {requests:,.0f} ({worst:,.0f} in the worst run)"
    return (told if failed else f"0 failed of {requests:,.0f}") + (
        f", {unsent:,.0f} could not be sent" if unsent else ""
    )


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    failed = sum(row["failed"] for row in found[CASE, OURS].rows)
    told = [(failed == 0, f"no request fails in a swap: {failed:.0f}")]
    for way in (COMPOSE, MIGRATING):
        if (CASE, way) in found:
            mine, other = found[CASE, OURS].median, found[CASE, way].median
            told.append(
                (mine <= other, f"the new revision answers no later than by {way}: {mine:.1f} s, {other:.1f} s")
            )
    return told
