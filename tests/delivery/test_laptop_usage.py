"""How the verbs of the laptop are called, and how they report that the host failed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from laptop import SCRIPTS
from verb import run_script

VERBS = sorted(path.name for path in SCRIPTS.iterdir() if path.is_file() and "env python3" in path.read_text()[:30])
OF_AN_ENVIRONMENT = (
    "deploy", "dump", "history", "load", "logs", "psql", "restore", "rollback", "rotate", "set", "settings", "smoke",
    "unset",
)  # fmt: skip
REQUIRED = dict.fromkeys(OF_AN_ENVIRONMENT, "dev") | {
    "invite": "dev ann@example.org",
    "manage": "dev check",
    "rotate": "dev database",
    **dict.fromkeys(("set", "unset"), "dev EMAIL_HOST"),
    "user-data": "@URL@ @SHA256@ @REPOSITORY@ *",
}
SURPLUS = {
    "backup": "dev prod", "backups": "dev", "cluster-data-create": "one", "cluster-setup": "one",
    "deploy": "dev 1.0.0 more", "dump": "dev prod", "github-setup": "now", "history": "dev 1 2",
    "host-archive": "one", "invite": "dev a@example.org b@example.org", "load": "dev dump", "logs": "dev 1 2",
    "manage": "dev check all", "promote": "HEAD HEAD", "prune": "-y 1 2", "psql": "dev select", "push": "HEAD HEAD",
    "release": "check check", "restore": "prod latest x", "review": "now", "rollback": "dev 1.0.0 2.0.0",
    "rotate": "dev database secret-key", "set": "dev EMAIL_HOST value", "settings": "dev EMAIL_HOST",
    "smoke": "dev prod", "status": "json json", "summary": "dev", "unset": "dev EMAIL_HOST EMAIL_PORT",
    "user-data": "@URL@ @SHA256@ @REPOSITORY@ * r p t u u more", "verify-aws": "list list",
    "version": "source HEAD HEAD",
}  # fmt: skip
CHOICES = {
    "release": ("now",),
    "status": ("yaml", ""),
    "version": ("latest",),
    "verify-aws": ("all", ""),
}
BACKUP = "20261125T031500Z"
NOT_BACKUPS = ("", "x", f"../{BACKUP}", f"{BACKUP}.dump", BACKUP.lower(), "latest\n", f"{BACKUP};id")
NOT_BACKUPS += ("٢٠٢٦١١٢٥T٠٣١٥٠٠Z",)  # noqa: RUF001
BAD_OPTIONS = (
    "--since=1d",
    "--since=0s",
    "--since=0h00m",
    "--since=h",
    "--since=-1h",
    "--since=2026-11-25",
    "--since=2026-13-25T03:15:00Z",
)
BAD_OPTIONS += ("--since=2026-11-25T03:15:00", "--since=1h\n", "--since=1.5h", "--since=1h 2m", "--since=2m1h")
BAD_OPTIONS += ("--grep=a\nb", "--grep={{x}}", f"--grep={'a' * 201}")
# (verb, its arguments, what is reported)
WRONG = [
    *((verb, f"{REQUIRED.get(verb, '')} {word}", "unrecognized arguments") for verb in VERBS for word in ("-x", "--")),
    *((verb, arguments, "unrecognized arguments") for verb, arguments in SURPLUS.items()),
    *((verb, "", "the following arguments are required") for verb in REQUIRED),
    *((verb, shlex.quote(word), f"invalid choice: '{word}'") for verb, words in CHOICES.items() for word in words),
    *(
        (
            verb,
            f"{shlex.quote(name)} {REQUIRED.get(verb, '').partition(' ')[2]}",
            f"invalid environment {name!r}\n  why: expected dev or prod",
        )
        for verb in ("backup", "invite", "manage", *OF_AN_ENVIRONMENT)
        for name in ("stage", "", "dev;id", "DEV", "dev\n")
    ),
    *(
        (verb, f"dev {shlex.quote(lines)}", f"invalid number of lines '{lines}'\n  why: expected 1 to 99999")
        for verb in ("history", "logs")
        for lines in ("", "0", "100000", "1;id")
    ),
    *(
        ("logs", f"dev {shlex.quote(option)}", "invalid " + option[2:7].upper().partition("=")[0])
        for option in BAD_OPTIONS
    ),
    ("logs", "dev --previous --follow", "PREVIOUS and FOLLOW exclude each other"),
    *(
        ("invite", f"dev {shlex.quote(address)}", "invalid EMAIL")
        for address in ("", "ann", "@b", "a@", "a b@c", "a@b\n")
    ),
    *(("manage", f"dev {shlex.quote(command)}", "invalid") for command in ("", " ", "a 'b", 'a "', "a\\")),
    *(("prune", number, "invalid number of snapshots") for number in ("0", "-1", "1.5", "all", "10000", "-y 0")),
    *(
        (verb, f"prod {shlex.quote(name)}", f"invalid setting {name!r}")
        for verb in ("set", "unset")
        for name in ("", "email_host", "A\n", "$(id)", "A" * 65)
    ),
    *(("restore", f"prod {shlex.quote(name)}", "invalid backup name") for name in NOT_BACKUPS),
]


def test_every_verb_is_tested():
    assert list(SURPLUS) == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_the_header(verb):
    """As a program, which is found by a relative path from another directory."""
    command = [sys.executable, Path("..", "scripts", verb), "-h"]
    done = subprocess.run(command, cwd=SCRIPTS.parent / "k8s", capture_output=True, text=True)
    header = [line[2:] for line in (SCRIPTS / verb).read_text().splitlines()[1:] if line.startswith("# ")]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, header, "")
    assert header[0].startswith(f"Usage: scripts/{verb}")
    assert header[-1].startswith("Runs on: laptop")


@pytest.mark.parametrize(("verb", "arguments", "message"), WRONG)
def test_wrong_arguments_are_refused(local_host, monkeypatch, verb, arguments, message):
    """Without a setting, so that no other system could be asked."""
    for name in [name for name in os.environ if name.startswith("DELIVERY_")]:
        monkeypatch.delenv(name)
    result = run_script(SCRIPTS / verb, *shlex.split(arguments))
    result.must_fail(f"{verb}: ", message, status=2)
    assert f"Usage: scripts/{verb}" in result.err or "\n  remedy: " in result.err


# The verbs that reach the host, and the verb of the host that does the work.
ON_THE_HOST = {
    "backup": "backup", "backups": "backups", "deploy dev": "deploy", "history prod": "history", "logs prod": "logs",
    "settings dev": "settings", "unset prod EMAIL_HOST": "unset",
    "restore -y dev": "restore", "restore -y prod": "backups", "rollback prod": "rollback", "status": "status",
    "status json": "status",
}  # fmt: skip


@pytest.fixture
def pushed(shop):
    """The shop, with HEAD's snapshot in the registry."""
    shop.push()
    return shop


@pytest.mark.parametrize(("command", "failing"), ON_THE_HOST.items())
def test_the_failure_of_the_host_is_passed_on(pushed, local_host, command, failing):
    local_host.dumps = [f"dev {BACKUP} 1"]
    local_host.failures[failing] = (7, "never ready")
    pushed.verb(*command.split()).must_fail("never ready", status=7)


@pytest.mark.parametrize("command", [*ON_THE_HOST, "prune", "smoke dev"])
def test_without_a_host_they_name_make_demo(pushed, local_host, command):
    local_host.is_stopped = True
    pushed.verb(*command.split()).must_fail("the local host is not running", "remedy: make demo")


@pytest.mark.parametrize("setting", ["HOST", "REPOSITORY"])
@pytest.mark.parametrize("command", ["deploy dev", "prune"])
def test_settings_are_required(pushed, local_host, monkeypatch, command, setting):
    monkeypatch.setenv(f"DELIVERY_{setting}", "")
    pushed.verb(*command.split()).must_fail(f"DELIVERY_{setting} is not set")
    assert local_host.calls == []
