"""make history, logs, status and summary: what they report of the host."""

import os
import subprocess
from pathlib import Path

import pytest
from laptop import SCRIPTS

HEADER = "TIME                 ACTOR            VERB      COMMIT        DIGEST               RESULT  SECONDS REASON"
DIGEST, REVISION = "sha256:0123456789abcdef", "abcdef0123456789"


def deploy(hour, actor="ann", verb="deploy", commit=REVISION, result="ok", **more):
    time = f"2026-01-02T{hour:02}:04:05Z"
    what = {"verb": verb, "commit": commit, "digest": DIGEST, "result": result, "seconds": 13}
    return {"time": time, "actor": actor, "environment": "dev"} | what | more


def test_history_is_a_table(shop, local_host):
    forced = deploy(5, version="1.0.0", reason="the old prices")
    local_host.deploys = [deploy(3), deploy(4, "dependabot[bot]", "rollback", "", "failed"), forced]
    shop.verb("history", "dev").must_print(f"""\
{HEADER}
2026-01-02T03:04:05Z ann              deploy    abcdef012345  sha256:0123456789ab  ok      13
2026-01-02T04:04:05Z dependabot[bot]  rollback                sha256:0123456789ab  failed  13
2026-01-02T05:04:05Z ann              deploy    abcdef012345  sha256:0123456789ab  ok      13      the old prices""")
    shop.verb("history", "prod").must_print(HEADER)


@pytest.mark.parametrize(("arguments", "count"), [([], 20), (["5"], 5)])
def test_history_has_20_lines_or_as_many_as_were_requested(shop, local_host, arguments, count):
    local_host.deploys = [deploy(hour) for hour in range(24)]
    hours = [int(line[11:13]) for line in shop.verb("history", "dev", *arguments).out.splitlines()[1:]]
    assert hours == list(range(24 - count, 24))


@pytest.mark.parametrize(("arguments", "count"), [(["dev"], 100), (["prod", "99999"], 99999)])
def test_logs_has_100_lines_or_as_many_as_were_requested(shop, local_host, arguments, count):
    result = shop.verb("logs", *arguments)
    assert (result.status, result.err) == (0, "==> the host's logs\n")
    assert result.out == f'{{"from": "{arguments[0]}"}}\n' * count


@pytest.fixture
def host(local_host):
    """A host on which the last deploy of dev failed and prod is deployed for the first time."""
    last = {"time": "2026-01-02T03:04:05Z", "actor": "ann", "verb": "deploy", "result": "failed"}
    build = {"version": "1.1.0", "revision": REVISION, "digest": DIGEST, "healthy": True}
    local_host.entries["dev"] |= build | {"last": last}
    local_host.entries["prod"] |= {"previous": DIGEST, "deploying": "deploy-prod x, by bob, process 1, since then"}
    return local_host


def test_status_is_a_table(shop, host):
    result = shop.verb("status")
    last, now = "deploy failed 2026-01-02T03:04:05Z by ann", "now: deploy-prod x, by bob, process 1, since then"
    rows = [
        ("", "URL", "VERSION", "REVISION", "DIGEST", "HEALTHY", "PREVIOUS", "BACKUP", "LAST DEPLOY"),
        ("dev", "http://localhost:8080", "1.1.0", REVISION[:12], DIGEST[:19], "yes", "-", "-", last),
        ("prod", "http://localhost:80", "-", "-", "-", "NO", DIGEST[:19], "-", now),
    ]
    table = "{:5} {:24} {:9} {:13} {:20} {:8} {:20} {:8} {}"
    plain = "dev and prod: the connection is not encrypted: see docs/operations/serve-https.md"
    result.must_print("\n".join([*(table.format(*row) for row in rows), plain]))
    assert result.err == "==> the host's status\n"


def test_status_shows_public_urls_and_names_the_environment_without_https(shop, host):
    host.entries["prod"]["url"] = "https://a-long-name-of-a-distribution.example"
    head, dev, prod, *more = shop.verb("status").out.splitlines()
    assert prod.startswith("prod  https://a-long-name-of-a-distribution.example - ")
    assert head.index("VERSION") == dev.index("1.1.0") == prod.index(" - ") + 1
    assert more == ["dev: the connection is not encrypted: see docs/operations/serve-https.md"]
    host.entries["dev"]["url"] = "https://dev.example"
    assert "not encrypted" not in shop.verb("status").out


def test_summary_shows_public_urls(shop, host):
    host.entries["prod"]["url"] = "https://shop.example"
    out = shop.verb("summary").out
    assert "| prod | https://shop.example |" in out
    assert "| dev | http://localhost:8080 |" in out


def test_status_names_the_command_that_applies_newer_settings(shop, host):
    image = f"localhost:5000/book-shop@{DIGEST}"
    for name, version in (("dev", "1.1.0"), ("prod", "")):
        current = {"image": image, "version": version, "commit": REVISION}
        host.entries[name] |= {"settings_pending": True, "current": current}
    lines = shop.verb("status").out.splitlines()[-2:]
    changed = "the stored settings are not the live ones. To apply them:"
    assert lines == [
        f"dev: {changed} make deploy-dev IMAGE=1.1.0-SNAPSHOT-{REVISION}",
        f"prod: {changed} make deploy-prod IMAGE={image}",
    ]
    for host.entries["dev"]["settings_pending"] in (False, None):
        assert f"dev: {changed}" not in shop.verb("status").out


def test_status_json_is_the_answer_of_the_host(shop, host):
    shop.verb("status", "json").must_print(host.status().rstrip())


@pytest.mark.parametrize("form", [[], ["json"]])
@pytest.mark.parametrize(("last", "age"), [("20200102T030405Z", " days old"), (None, "none was ever made")])
def test_status_fails_when_a_backup_is_overdue(shop, host, form, last, age):
    host.entries["prod"] |= {"last_backup": last, "backup_overdue": True}
    result = shop.verb("status", *form)
    assert "1.1.0" in result.out
    result._replace(out="").must_fail("the backup of prod is overdue", "remedy: make backup", age)


@pytest.fixture
def served(shop):
    """What a summary shows of the host."""
    return f"""\
## 1.0.0, commit {shop.head()}

|  | URL | version | revision | digest | healthy | last backup |
| --- | --- | --- | --- | --- | --- | --- |
| dev | http://localhost:8080 | 1.1.0 | {REVISION} | {DIGEST} | yes | - |
| prod | http://localhost:80 | - | - | - | **no** | - |
"""


@pytest.fixture
def timed(shop, monkeypatch):
    """What a summary shows of the steps that make has run."""
    Path("steps").write_text("""\
1.0 0 scripts/setup deploy
0.9 0 scripts/setup image
0.2 1 scripts/setup infra
12.3 1 scripts/deploy dev
0.0 0 echo a | b
""")
    monkeypatch.setenv("DELIVERY_STEPS", "steps")
    return r"""
| step | time | result |
| --- | --- | --- |
| scripts/setup deploy | 1.0 s | ok |
| scripts/setup infra | 0.2 s | **failed (1)** |
| scripts/deploy dev | 12.3 s | **failed (1)** |
| echo a \| b | 0.0 s | ok |
"""


@pytest.mark.parametrize("steps", ["", "none"])
def test_summary_shows_what_the_host_serves(shop, host, served, monkeypatch, steps):
    monkeypatch.setenv("DELIVERY_STEPS", steps)
    result = shop.verb("summary")
    result.must_print(served)
    assert result.err == "==> the host's status\n"


def test_summary_shows_the_steps_and_is_added_to_the_page_of_a_job(shop, host, served, timed, monkeypatch):
    shop.verb("summary").must_print(served + timed)
    Path("page").write_text("of an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "page")
    shop.verb("summary").must_print("written to page")
    assert Path("page").read_text() == f"of an earlier step\n{served}{timed}\n"


@pytest.mark.parametrize("page", ["", "page"])
@pytest.mark.parametrize(
    ("is_stopped", "why"), [(False, "cannot read the status of the target"), (True, "the local host is not running")]
)
def test_summary_has_the_steps_when_the_host_does_not_answer_and_fails(
    shop, host, timed, monkeypatch, is_stopped, why, page
):
    host.is_stopped, host.failures["status"] = is_stopped, (4, "no kubectl")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", page)
    text = f"## 1.0.0, commit {shop.head()}\n\nThe live images are not known: {why}.\n{timed}\n"
    result = shop.verb("summary")
    assert (result.status, result.out) == (1, "written to page\n" if page else text)
    assert why in result.err
    assert not page or Path(page).read_text() == text


def test_make_leaves_a_line_for_each_recipe_and_changes_neither_output_nor_status(tmp_path):
    (tmp_path / "scripts/lib").mkdir(parents=True)
    for name in ("Makefile", "scripts/lib/timed.sh"):
        (tmp_path / name).symlink_to(SCRIPTS.parent / name)
    for name, text in {"setup": 'echo "$# arguments"; sleep 0.25', "push": "echo refused >&2; exit 3"}.items():
        (tmp_path / "scripts" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "scripts" / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DELIVERY_", "MAKE"))}

    def make(target, **more):
        return subprocess.run(
            ["make", "-s", target], cwd=tmp_path, env=environment | more, capture_output=True, text=True
        )

    for steps in ({}, {"DELIVERY_STEPS": ""}, {"DELIVERY_STEPS": "steps"}):
        assert make("setup", **steps).stdout == "0 arguments\n"
    pushed = make("push", DELIVERY_STEPS="steps")
    assert (pushed.returncode, pushed.stdout) == (2, "1 arguments\n")
    assert "refused\n" in pushed.stderr
    assert "Error 3" in pushed.stderr
    lines = [line.split(" ", 1) for line in (tmp_path / "steps").read_text().splitlines()]
    assert [recipe for _, recipe in lines] == ["0 scripts/setup", "0 scripts/setup deploy", "3 scripts/push"]
    assert float(lines[0][0]) >= 0.2  # at least as long as it slept
