"""Wrong usage of the host's verbs: -h is help, everything else is refused before anything is changed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import VERBS
from fakes import REPOSITORY, image

PYTHON = {path.name for path in VERBS.iterdir() if path.read_text().startswith("#!/usr/bin/env python3")}
INTERNAL = {"docker-settings", "install", "outdated-checkout"}  # those of the installation
GOOD = image(1)

# Typed by hand, or by a program that builds a command from what it was given.
WORDS = [
    *("", " ", "  ", "*", "?", "[a-z]", "{a,b}", "~", "~root", "!", "!!", "#", "%", "&", "|", ";", "<", ">", "(", ")"),
    *("\\", "/", "//", ".", "..", "...", "@", ":", "=", "+", ",", "^", "$", "'", '"', "`"),
    *("\n", "\t", "\r", "\a", "\033[2J", "\x7f", "\udcff\udcfe", "a\nb", "--json\n", "dev\n", "\ndev", "prod\r"),
    *("dev ", " prod", "DEV", "Prod", "dev/", "./dev", "dev;id", "dev|id", "dev&id", "dev>x", "2dev", "stage"),
    *("-", "--", "-x", "-rf", "-c", "-e", "-n", "--version", "--json", "--json=x", "--help=x", "--privileged", "--rm"),
    *("--entrypoint=sh", "-v/:/host", "--namespace=kube-system", "--kubeconfig=/root/.kube/config", "-o", "-o/tmp/x"),
    *("$(id)", "$(touch /tmp/owned)", "`id`", "${IFS}", "$HOME", "$0", "$@", "$((1/0))", "${x:?}", ";reboot"),
    *("&&reboot", "||reboot", "|sh", ">/etc/passwd", "</etc/shadow", "$(<x)", "a$(id)b", "x`id`y", "{{.ID}}"),
    *("{{7*7}}", "%s%s%n", "%00", "../../etc/passwd", "/etc/book-shop/prod.env", "/proc/self/environ"),
    *("file:///etc/passwd", "http://127.0.0.1/", "..%2f..%2f", "/dev/zero", "~/.ssh/id_rsa", "\\\\host\\share"),
    *("null", "undefined", "NaN", "0", "-1", "1e9", "0x10", "99999999999999999999", "100000", "1.5", "1 2", "05"),
    *("٣", "é", "ｄｅｖ", "dеv", "dev\u200b", "\u202eved", "😀", "--follow", "5;reboot", "all"),  # noqa: RUF001
]
IMAGES = [
    *(
        REPOSITORY,
        f"{REPOSITORY}:latest",
        f"{REPOSITORY}:1.0.0",
        f"{REPOSITORY}@sha256:",
        f"{GOOD};id",
        f"{GOOD} $(id)",
    ),
    *(
        f" {GOOD}",
        f"{GOOD} ",
        f"{GOOD}\n",
        f"--privileged\n{GOOD}",
        f"{GOOD}\n{GOOD}",
        GOOD * 2,
        GOOD.upper(),
        GOOD[:-1],
    ),
    *(f"{GOOD}0", GOOD.replace("sha256", "md5"), GOOD.replace("sha256", "sha512"), f"--privileged {GOOD}"),
    *(GOOD.replace("localhost:5000", "evil.example"), GOOD.replace("book-shop", "other"), f"../{GOOD}"),
    *(GOOD.replace("book-shop", "book-shop/../x"), f"docker://{GOOD}", f"-{GOOD}", GOOD.replace("@", "@@")),
    *(f"{GOOD}@sha256:{2:064x}", GOOD.replace("@", ":1.0.0@")),
    *("a" * 10000, "../" * 3000, "0" * 10000, "a" * 10000 + f"@sha256:{1:064x}"),
]
DUMPS = [
    *("2026", "20261125T031500Z.dump", "../dev/20261125T031500Z", "20261125T031500Z-replaced ", "20261125t031500z"),
    *("20261125T031500Z;reboot", "latest ", "latest\n", " latest", "LATEST", "٢٠٢٦١١٢٥T٠٣١٥٠٠Z"),  # noqa: RUF001
]
HOSTILE = [*WORDS, *IMAGES, *DUMPS]

# Each hostile argument comes after these.
PREFIXES = {
    "backup": [(), ("dev",)],
    "backups": [()],
    "clear-sessions": [()],
    "deploy": [(), ("dev",), ("prod",), ("dev", GOOD)],
    "history": [(), ("dev",), ("prod",), ("dev", "5")],
    "logs": [(), ("dev",), ("prod",), ("dev", "5")],
    "plan": [(), ("dev",), ("prod",), ("dev", GOOD)],
    "restore": [(), ("dev",), ("prod",), ("dev", "latest")],
    "rollback": [(), ("dev",), ("prod",), ("dev", GOOD)],
    "status": [()],
    "switch": [(), ("a",), ("restore",)],
}
# Which of them are right there.
ACCEPTED = {("rollback", "dev", ""), ("rollback", "prod", "")}  # Systems Manager sends "no image" as an empty argument
ACCEPTED |= {("status", "--json")}  # an older checkout sends it
ACCEPTED |= {(verb, name, "2026") for verb in ("history", "logs") for name in ("dev", "prod")}


def test_every_verb_is_tested_with_more_than_a_hundred_and_fifty_arguments():
    assert set(PREFIXES) == PYTHON - INTERNAL
    assert len(set(HOSTILE)) > 150


@pytest.mark.parametrize("verb", PREFIXES)
def test_hostile_arguments_are_refused(host, verb):
    host.world.push(1)
    before = host.files()
    for prefix in PREFIXES[verb]:
        for argument in HOSTILE:
            if (verb, *prefix, argument) in ACCEPTED:
                continue
            result = host.run(verb, *prefix, argument)
            assert (result.status, result.out) == (2, ""), (prefix, argument, result)
            assert result.err.startswith(f"{verb}: ")
            assert len(result.err) < 11000
    assert host.world.changes == []
    changed = {path for path, content in host.files().items() if before.get(path) != content}
    assert {path.parent for path in changed} <= {host.paths.locks}  # an empty lock file
    assert not any(path.stat().st_size for path in changed)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        *((verb, ()) for verb in ("deploy", "rollback", "plan", "history", "logs", "restore")),
        *((verb, ("dev",)) for verb in ("deploy", "plan", "restore")),
        *((verb, ("dev", GOOD, GOOD)) for verb in ("deploy", "rollback", "plan")),
        ("backup", ("dev", "prod")),
        ("restore", ("dev", "latest", "x")),
        ("restore", ("latest", "dev")),
        ("restore", ("dev latest", "")),
        ("history", ("dev", "1", "1")),
    ],
)
def test_missing_and_surplus_arguments_are_refused(host, verb, arguments):
    result = host.run(verb, *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"{verb}: ")
    assert host.world.changes == []


@pytest.mark.parametrize("verb", PREFIXES)
def test_help(host, verb):
    before = host.files()
    for option in ("-h", "--help"):
        result = host.run(verb, option)
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith(f"Usage: {verb}")
        assert "Runs on: the host" in result.out
    assert host.files() == before


def test_a_host_that_was_not_set_up(host):
    (host.paths.settings / "host.env").unlink()
    for verb in ("status", "clear-sessions"):
        result = host.run(verb)
        assert result.status == 1
        assert "the host is not set up" in result.err
        assert "remedy: run /opt/book-shop/bin/bootstrap on the host" in result.err


SHELL = ["bootstrap", "bootstrap-kubernetes", "bootstrap-nginx", "bootstrap-postgresql"]
REFUSE_ALL = Path(__file__).parents[1] / "lib/refuse-all"


@pytest.mark.parametrize("verb", SHELL)
def test_hostile_arguments_of_a_shell_script_are_refused(tmp_path, verb):
    """It has no programs but those that print its help: it could not change anything."""
    shutil.copytree(VERBS.parent, tmp_path / "host")
    shutil.copy(VERBS.parents[1] / "lib/say.sh", tmp_path / "host/lib")
    (tmp_path / "bin").mkdir()
    for program in ("dirname", "sed"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    arguments = "\0".join(HOSTILE) + "\0"
    done = subprocess.run(
        [shutil.which("bash"), REFUSE_ALL, tmp_path / "host/bin" / verb],
        input=arguments.encode("utf-8", "surrogateescape"),
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"%d arguments were refused\n" % len(HOSTILE), b"")


def test_every_shell_script_of_the_host_is_tested():
    scripts = {path.name for path in VERBS.iterdir() if path.read_text().startswith("#!/usr/bin/env bash")}
    assert scripts == set(SHELL)
