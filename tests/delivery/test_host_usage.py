"""Wrong usage of the host's verbs: -h is help, everything else is refused before anything is changed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import VERBS
from fakes import REPOSITORY, image

PYTHON = {path.name for path in VERBS.iterdir() if path.read_text().startswith("#!/usr/bin/python3 ")}
INTERNAL = {  # programs that other programs call
    "attached", "database-roles", "docker-settings", "initial-settings", "install", "nginx-settings",
    "outdated-checkout",
}  # fmt: skip
GOOD = image(1)

# Typed by hand, or passed on by a program that builds a command from untrusted input.
WORDS = r"""
* ? [a-z] {a,b} ~ ~root ! !! # % & | ; < > ( ) \ / // . .. ... @ : = + , ^ $ ' " `
DEV Prod dev/ ./dev dev;id dev|id dev&id dev>x 2dev stage all 5;reboot
- -- -x -rf -c -e -n --version --json --json=x --help=x --privileged --rm --follow --entrypoint=sh -v/:/host
--namespace=kube-system --kubeconfig=/root/.kube/config -o -o/tmp/x
$(id) `id` ${IFS} $HOME $0 $@ $((1/0)) ${x:?} ;reboot &&reboot ||reboot |sh >/etc/passwd </etc/shadow $(<x) a$(id)b
x`id`y {{.ID}} {{7*7}} %s%s%n %00 ../../etc/passwd /etc/book-shop/prod.env /proc/self/environ
file:///etc/passwd http://127.0.0.1/ ..%2f..%2f /dev/zero ~/.ssh/id_rsa \\host\share
null undefined NaN 0 -1 1e9 0x10 99999999999999999999 100000 1.5 05 2026
20261125T031500Z.dump ../dev/20261125T031500Z 20261125t031500z 20261125T031500Z;reboot LATEST
"""
SPACES = ["", " ", "  ", "\n", "\t", "\r", "a\nb", "--json\n", "dev\n", "\ndev", "prod\r", "dev ", " prod", "1 2"]
SPACES += ["$(touch /tmp/owned)", "20261125T031500Z-replaced ", "latest ", "latest\n", " latest"]
UNICODE = ["\a", "\033[2J", "\x7f", "\udcff\udcfe", "dev\u200b", "\u202eved", "😀"]
UNICODE += ["٣", "é", "ｄｅｖ", "dеv", "٢٠٢٦١١٢٥T٠٣١٥٠٠Z"]  # noqa: RUF001
IMAGES = [REPOSITORY + end for end in ("", ":latest", ":1.0.0", "@sha256:", f":1.0.0@sha256:{1:064x}")]
IMAGES += [GOOD + end for end in (";id", " $(id)", " ", "\n", f"\n{GOOD}", GOOD, "0", f"@sha256:{2:064x}")]
IMAGES += [start + GOOD for start in (" ", "--privileged\n", "--privileged ", "../", "docker://", "-")]
IMAGES += [GOOD.replace("sha256", name) for name in ("md5", "sha512")]
IMAGES += [GOOD.replace("book-shop", name) for name in ("other", "book-shop/../x")]
IMAGES += [GOOD.replace("localhost:5000", "evil.example"), GOOD.replace("@", "@@"), GOOD.upper(), GOOD[:-1]]
IMAGES += ["a" * 10000, "../" * 3000, "0" * 10000, "a" * 10000 + f"@sha256:{1:064x}"]
HOSTILE = [*WORDS.split(), *SPACES, *UNICODE, *IMAGES]

# Each hostile argument comes after these.
PREFIXES = {
    **dict.fromkeys(("deploy", "plan", "rollback", "undo"), ((), ("dev",), ("prod",), ("dev", GOOD))),
    **dict.fromkeys(("history", "logs"), ((), ("dev",), ("prod",), ("dev", "5"))),
    **dict.fromkeys(("backups", "clear-sessions", "status"), ((),)),
    "backup": ((), ("dev",)),
    **dict.fromkeys(("dump", "psql"), ((), ("dev",))),
    "interrupt": ((), ("0123456789abcdef",)),
    "load": ((), ("dev",), ("prod",)),
    "manage": ((), ("dev",), ("prod",), ("dev", '["check"]')),
    "restore": ((), ("dev",), ("prod",), ("dev", "latest")),
    "settings": ((), ("dev",), ("dev", "values")),
    **dict.fromkeys(("set", "unset"), ((), ("dev",), ("prod",), ("dev", "EMAIL_HOST"))),
    "rotate": ((), ("dev",), ("prod",), ("dev", "database"), ("prod", "secret-key")),
    "switch": ((), ("a",), ("restore",)),
}
# Which of them are right there.
ACCEPTED = {("rollback", "dev", ""), ("rollback", "prod", "")}  # Systems Manager sends "no image" as an empty argument
ACCEPTED |= {("unset", name, setting) for name in ("dev", "prod") for setting in ("DEV", "LATEST")}
ACCEPTED |= {("load", "dev", ""), ("load", "prod", "")}
ACCEPTED |= {("logs", *prefix, "--follow") for prefix in (("dev",), ("prod",), ("dev", "5"))}
ACCEPTED |= {("status", "--json")}  # an older checkout sends it
ACCEPTED |= {(verb, name, "2026") for verb in ("history", "logs") for name in ("dev", "prod")}
SHELL = [
    "bootstrap",
    "bootstrap-kubernetes",
    "bootstrap-namespace",
    "bootstrap-nginx",
    "bootstrap-packages",
    "bootstrap-postgresql",
]


def test_every_program_of_the_host_is_tested():
    scripts = {path.name for path in VERBS.iterdir() if path.read_text().startswith("#!/bin/bash ")}
    assert set(PREFIXES) == PYTHON - INTERNAL
    assert set(SHELL) == scripts


def assert_usage_error(host, verb, *arguments):
    result = host.run(verb, *arguments)
    assert (result.status, result.out) == (2, ""), (arguments, result)
    assert result.err.startswith(f"{verb}: ")
    assert len(result.err) < 11000


@pytest.mark.parametrize("verb", PREFIXES)
def test_hostile_arguments_are_refused(host, verb):
    host.world.push(1)
    before = host.files()
    for prefix in PREFIXES[verb]:
        for argument in HOSTILE:
            if (verb, *prefix, argument) not in ACCEPTED:
                assert_usage_error(host, verb, *prefix, argument)
    assert host.world.changes == []
    changed = {path for path, content in host.files().items() if before.get(path) != content}
    assert {path.parent for path in changed} <= {host.paths.locks}  # an empty lock file
    assert not any(path.stat().st_size for path in changed)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        *((verb, ()) for verb in ("deploy", "rollback", "undo", "plan", "history", "logs", "restore")),
        *((verb, ()) for verb in ("settings", "set", "unset")),
        *((verb, ("dev",)) for verb in ("deploy", "undo", "plan", "restore", "set", "unset")),
        *((verb, ("dev", GOOD, GOOD)) for verb in ("deploy", "rollback", "undo", "plan")),
        ("backup", ("dev", "prod")),
        ("restore", ("dev", "latest", "x")),
        ("restore", ("latest", "dev")),
        ("restore", ("dev latest", "")),
        ("history", ("dev", "1", "1")),
    ],
)
def test_missing_and_surplus_arguments_are_refused(host, verb, arguments):
    assert_usage_error(host, verb, *arguments)
    assert host.world.changes == []


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("verb", PREFIXES)
def test_help_is_printed_on_stdout(host, verb, option):
    before = host.files()
    result = host.run(verb, option)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {verb}")
    assert "Runs on: the host" in result.out
    assert host.files() == before


@pytest.mark.parametrize("verb", ["status", "clear-sessions"])
def test_a_host_that_is_not_set_up_is_an_error(host, verb):
    (host.paths.settings / "host.env").unlink()
    result = host.run(verb)
    assert result.status == 1
    assert "the host is not set up" in result.err
    assert "remedy: run /opt/book-shop/bin/bootstrap on the host" in result.err


@pytest.mark.parametrize("verb", SHELL)
def test_hostile_arguments_of_a_shell_script_are_refused(tmp_path, verb):
    """It finds no programs but those that print its help: it could not change anything."""
    home, programs = tmp_path / "opt/book-shop", tmp_path / "usr/bin"
    shutil.copytree(VERBS.parent, home)
    shutil.copy(VERBS.parents[1] / "lib/say.sh", home / "lib")
    programs.mkdir(parents=True)
    (programs / "sed").symlink_to(shutil.which("sed"))
    done = subprocess.run(
        [shutil.which("bash"), Path(__file__).parents[1] / "lib/refuse-all", home / "bin" / verb],
        input="".join(f"{argument}\0" for argument in HOSTILE).encode("utf-8", "surrogateescape"),
        env={},
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"%d arguments were refused\n" % len(HOSTILE), b"")
