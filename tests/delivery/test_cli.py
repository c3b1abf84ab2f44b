"""How every verb behaves: its arguments, help, errors, exit status and confirmation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from delivery import cli

VERB = """#!/usr/bin/env python3
# Usage: scripts/greet [-l] [name]
#
# Greets.
import os

from delivery import cli
# no header any more

ENDS = {
    "unknown": cli.CommandError("cannot greet", "unknown name", "name another"),
    "elsewhere": cli.AlreadyReported(7),
    "interrupted": KeyboardInterrupt(),
}

def greet(name, loud):
    cli.log("greeting")
    if name in ENDS:
        raise ENDS[name]
    return None if name == "quiet" else f"hello {name.upper() if loud else name} in {os.getcwd()}"

def name(text):
    if text == "2":
        raise cli.UsageError("invalid name '2'", "it is a number", "name one")
    return text

parser = cli.Parser()
parser.add_argument("name", nargs="?", default="you", type=name)
parser.add_argument("-l", "--loud", action="store_true")
cli.run(greet, parser)
"""
HELP = "Usage: scripts/greet [-l] [name]\n\nGreets.\n"


def run(*command, **options):
    """Runs a Python program with the package on its path; returns (exit status, stdout, stderr)."""
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def root(tmp_path):
    """A directory with scripts/greet, a verb."""
    (tmp_path / "root/scripts").mkdir(parents=True)
    (tmp_path / "root/scripts/greet").write_text(VERB)
    return tmp_path / "root"


@pytest.fixture
def greet(root):
    return lambda *arguments, **options: run(root / "scripts/greet", *arguments, cwd="/", **options)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [("", "hello you in {}\n"), ("me", "hello me in {}\n"), ("quiet", "")]
    + [(arguments, "hello ME in {}\n") for arguments in ("-l me", "me -l", "-l me -l")],
)
def test_runs_at_the_root_with_only_the_answer_on_stdout_and_options_anywhere(greet, root, arguments, answer):
    assert greet(*arguments.split()) == (0, answer.format(root), "==> greeting\n")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["me", "-h"]])
def test_help_is_the_header(greet, root, arguments):
    assert greet(*arguments) == (0, HELP, "")
    assert run("greet", *arguments, cwd=root / "scripts") == (0, HELP, "")


@pytest.mark.parametrize("arguments", [["a", "b"], ["-x"], ["--name=a"], ["-ll", "-x"], ["--lou"]])
def test_wrong_usage_prints_the_reason_and_the_header_on_stderr(greet, arguments):
    assert greet(*arguments) == (2, "", f"greet: unrecognized arguments: {arguments[-1]}\n{HELP}")


@pytest.mark.parametrize(
    ("name", "status", "err"),
    [
        ("unknown", 1, "==> greeting\ngreet: cannot greet\n  why: unknown name\n  remedy: name another\n"),
        ("2", 2, "greet: invalid name '2'\n  why: it is a number\n  remedy: name one\n"),
        ("elsewhere", 7, "==> greeting\n"),  # the other program has printed its error
        ("interrupted", 130, "==> greeting\n"),
    ],
)
def test_an_error_is_printed_on_stderr_and_becomes_the_exit_status(greet, name, status, err):
    assert greet(name) == (status, "", err)


def test_ends_quietly_when_the_reader_of_its_answer_has_ended(greet, root):
    read, write = os.pipe()
    os.close(read)
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, root / "scripts/greet", "me"]
    done = subprocess.run(command, env=environment, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "==> greeting\n")


@pytest.mark.parametrize(("value", "result"), [("1", True), ("", False)])
def test_a_flag_is_1_or_nothing(monkeypatch, value, result):
    monkeypatch.setenv("SHOP_TEST", value)
    assert cli.flag("SHOP_TEST") is result


@pytest.mark.parametrize("value", ["0", "yes", "11", " 1"])
def test_refuses_any_other_value_of_a_flag(monkeypatch, value):
    monkeypatch.setenv("SHOP_TEST", value)
    with pytest.raises(cli.UsageError, match=f"invalid SHOP_TEST '{value}'"):
        cli.flag("SHOP_TEST")


@pytest.mark.parametrize("text", ["1", "9", "20"])
def test_a_number_in_its_range_is_accepted(text):
    assert cli.number("lines", 20)(text) == text


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "+5", "1.5", "ten", "21", "1;id", "1\n", "٣", "9" * 9999])
def test_refuses_any_other_number(text):
    with pytest.raises(cli.UsageError, match="invalid number of lines") as raised:
        cli.number("lines", 20)(text)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("operation", [["repository", "x"], []])
def test_an_operation_of_a_shell_verb_fails_without_an_answer(operation):
    status, out, _ = run("-m", "delivery", *operation)
    assert status
    assert out == ""


REFUSED = "confirm: not confirmed: nothing was changed\n  why: expected 'yes'\n  remedy: run the command again\n"


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        *((answer, 0, "") for answer in ("yes\n", "yes")),
        *((answer, 1, REFUSED) for answer in ("", "\n", "y\n", "YES\n", "no", "no\nyes\n")),
    ],
)
def test_only_the_expected_word_confirms(answer, status, error):
    command = ["-m", "delivery", "confirm", "Go?", "yes"]
    assert run(*command, input=answer) == (status, "", f"Go? Type yes to continue: {error}")
