import subprocess
import sys

import pytest
import say

VERB = """#!/usr/bin/env python3
# Usage: scripts/greet [name]
#
# Greets.
import os
import sys

sys.path.insert(0, {lib!r})
import say
# no header any more


def main(name="you"):
    if name == "nobody":
        raise say.Problem("nobody to greet", "there is none", "name one")
    if name == "2":
        raise say.WrongCall("2 is no name", "it is a number", "name one")
    say.say("greeting")
    return f"hello {{name}} in {{os.getcwd()}}"


say.run(main)
"""


@pytest.fixture
def greet(tmp_path):
    script = tmp_path / "root" / "scripts" / "greet"
    script.parent.mkdir(parents=True)
    script.write_text(VERB.format(lib=say.__file__.rpartition("/")[0]))

    def run(*arguments):
        done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, cwd="/")
        return done.returncode, done.stdout, done.stderr

    run.root = script.parent.parent
    return run


def test_the_answer_alone_is_on_stdout_and_the_verb_runs_at_the_root(greet):
    assert greet() == (0, f"hello you in {greet.root}\n", "==> greeting\n")
    assert greet("me") == (0, f"hello me in {greet.root}\n", "==> greeting\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_the_header(greet, option):
    assert greet(option) == (0, "Usage: scripts/greet [name]\n\nGreets.\n", "")


@pytest.mark.parametrize("arguments", [["a", "b"], ["-x"], ["a", "-h"], ["--name=a"]])
def test_a_wrong_call_prints_the_header_to_stderr(greet, arguments):
    assert greet(*arguments) == (2, "", "Usage: scripts/greet [name]\n\nGreets.\n")


def test_an_option_sets_its_keyword_wherever_it_stands(greet):
    script = greet.root / "scripts" / "greet"
    text = script.read_text().replace('def main(name="you"):', 'def main(name="you", loud=False):')
    text = text.replace("    return f", "    name = name.upper() if loud else name\n    return f")
    script.write_text(text.replace("say.run(main)", 'say.run(main, options={"-y": "loud"})'))
    for arguments in (["-y", "me"], ["me", "-y"], ["me", "-y", "-y"]):
        assert greet(*arguments)[:2] == (0, f"hello ME in {greet.root}\n")
    assert greet("me")[:2] == (0, f"hello me in {greet.root}\n")
    for arguments in (["-y", "a", "b"], ["-x"], ["-yy"], ["-y", "-x"]):
        assert greet(*arguments)[0] == 2


def test_a_problem_says_what_why_and_the_remedy(greet):
    assert greet("nobody") == (1, "", "greet: nobody to greet\n  why: there is none\n  remedy: name one\n")
    assert greet("2") == (2, "", "greet: 2 is no name\n  why: it is a number\n  remedy: name one\n")


def test_demand(monkeypatch):
    monkeypatch.setenv("SHOP_TEST", "x")
    assert say.demand("SHOP_TEST") == "x"
    for unset in (lambda: monkeypatch.setenv("SHOP_TEST", ""), lambda: monkeypatch.delenv("SHOP_TEST")):
        unset()
        with pytest.raises(say.Problem, match="SHOP_TEST is not set"):
            say.demand("SHOP_TEST")
