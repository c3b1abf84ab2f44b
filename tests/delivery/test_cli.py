"""How every verb behaves: its arguments, help, errors, exit status and confirmation."""

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
import sys

sys.path.insert(0, {scripts!r})  # a verb in scripts/ has it there already
from delivery import cli
# no header any more


def greet(name, loud):
    cli.log("greeting")
    if name == "nobody":
        raise cli.CommandError("nobody to greet", "there is none", "name one")
    if name == "elsewhere":
        raise cli.AlreadyReported(7)
    if name == "interrupted":
        raise KeyboardInterrupt
    if name == "quiet":
        return None
    if name == "asked":
        cli.confirm("Greet?", "yes")
    return f"hello {{name.upper() if loud else name}} in {{os.getcwd()}}"


def name(text):
    if text == "2":
        raise cli.UsageError("invalid name '2'", "it is a number", "name one")
    return text


parser = cli.Parser()
parser.add_argument("name", nargs="?", default="you", type=name)
parser.add_argument("-l", dest="loud", action="store_true")
cli.run(greet, parser)
"""
HELP = "Usage: scripts/greet [-l] [name]\n\nGreets.\n"


@pytest.fixture
def greet(tmp_path):
    script = tmp_path / "root" / "scripts" / "greet"
    script.parent.mkdir(parents=True)
    script.write_text(VERB.format(scripts=str(Path(cli.__file__).parents[1])))

    def run(*arguments, **options):
        command = [sys.executable, script, *arguments]
        done = subprocess.run(command, **{"capture_output": True, "text": True, "cwd": "/", **options})
        return done.returncode, done.stdout, done.stderr

    run.root = script.parent.parent
    return run


def test_the_answer_alone_is_on_stdout_and_the_verb_runs_at_the_root(greet):
    assert greet() == (0, f"hello you in {greet.root}\n", "==> greeting\n")
    assert greet("me") == (0, f"hello me in {greet.root}\n", "==> greeting\n")
    assert greet("quiet") == (0, "", "==> greeting\n")


@pytest.mark.parametrize("arguments", [["-l", "me"], ["me", "-l"], ["-l", "me", "-l"]])
def test_an_option_may_stand_anywhere(greet, arguments):
    assert greet(*arguments)[:2] == (0, f"hello ME in {greet.root}\n")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["me", "-h"]])
def test_help_is_the_header(greet, arguments):
    assert greet(*arguments) == (0, HELP, "")


def test_help_is_found_by_a_relative_path_as_well(greet):
    done = subprocess.run([sys.executable, "greet", "-h"], cwd=greet.root / "scripts", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, HELP)


@pytest.mark.parametrize("arguments", [["a", "b"], ["-x"], ["--name=a"], ["-ll", "-x"], ["--lou"]])
def test_wrong_usage_prints_what_is_wrong_and_the_header_on_stderr(greet, arguments):
    status, out, err = greet(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"greet: unrecognized arguments: {arguments[-1]}\n")
    assert err.endswith(HELP)


def test_an_error_says_what_why_and_the_remedy(greet):
    expected = "==> greeting\ngreet: nobody to greet\n  why: there is none\n  remedy: name one\n"
    assert greet("nobody") == (1, "", expected)
    assert greet("2") == (2, "", "greet: invalid name '2'\n  why: it is a number\n  remedy: name one\n")


def test_an_error_that_another_program_has_printed_is_passed_on_by_its_status_alone(greet):
    assert greet("elsewhere") == (7, "", "==> greeting\n")


def test_an_interrupt_ends_it_without_a_traceback(greet):
    assert greet("interrupted") == (130, "", "==> greeting\n")


def test_nothing_is_confirmed_but_by_the_expected_word(greet):
    question = "==> greeting\nGreet? Type yes to continue: "
    assert greet("asked", input="yes\n") == (0, f"hello asked in {greet.root}\n", question)
    for answer in ("", "\n", "y\n", "YES\n", "no\nyes\n"):
        status, out, err = greet("asked", input=answer)
        assert (status, out) == (1, "")
        assert err.startswith(f"{question}greet: not confirmed: nothing was changed\n")


def test_a_variable_that_make_exports_is_required(monkeypatch):
    monkeypatch.setenv("SHOP_TEST", "x")
    assert cli.required_variable("SHOP_TEST") == "x"
    for unset in (lambda: monkeypatch.setenv("SHOP_TEST", ""), lambda: monkeypatch.delenv("SHOP_TEST")):
        unset()
        with pytest.raises(cli.CommandError, match="SHOP_TEST is not set"):
            cli.required_variable("SHOP_TEST")


def test_a_flag_is_1_or_nothing(monkeypatch):
    for value, result in {"1": True, "": False}.items():
        monkeypatch.setenv("SHOP_TEST", value)
        assert cli.flag("SHOP_TEST") is result
    monkeypatch.delenv("SHOP_TEST")
    assert cli.flag("SHOP_TEST") is False
    for value in ("0", "yes", "11", " 1"):
        monkeypatch.setenv("SHOP_TEST", value)
        with pytest.raises(cli.UsageError, match=f"invalid SHOP_TEST '{value}'"):
            cli.flag("SHOP_TEST")


@pytest.mark.parametrize("text", ["1", "9", "20"])
def test_a_number(text):
    assert cli.number("lines", 20)(text) == text


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "+5", "1.5", "ten", "21", "1;id", "1\n", "٣", "9" * 9999])
def test_what_is_not_a_number_in_its_range(text):
    with pytest.raises(cli.UsageError, match="invalid number of lines") as raised:
        cli.number("lines", 20)(text)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("operation", [["repository", "x"], []])
def test_the_shell_verbs_get_an_exit_status_and_no_answer(operation):
    environment = {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-m", "delivery", *operation]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode
    assert done.stdout == ""


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 1), ("", 1)])
def test_the_shell_verbs_ask_in_the_same_way(answer, status):
    environment = {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-m", "delivery", "confirm", "Go?", "yes"]
    done = subprocess.run(command, env=environment, input=answer, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("Go? Type yes to continue: ")
