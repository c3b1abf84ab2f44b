"""Every command that an error or a log line names works as it is printed: its make targets and scripts exist."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "scripts/delivery").rglob("*.py"))
SHELL = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and path.read_text()[:40].find("bash") > 0]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
TARGETS |= {f"setup-{purpose}" for purpose in re.search(r"^purposes := (.*)", MAKEFILE, re.MULTILINE)[1].split()}
VARIABLES = set(re.findall(r"\$\(([A-Z]+)\)", MAKEFILE))
VARIABLES |= set(re.findall("[A-Z_]+", re.search(r"^settings := ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)[1]))
MAKE = re.compile(r"\bmake((?: +[a-z][a-z0-9-]*| +[A-Z]+=\S+)+)")
DEV = {"environment", "environment.name", "name", "arguments[0]"}  # stand for "dev" in a text, all others for X


def texts(path):
    """The strings of a module as they would be printed, without its docstrings."""
    tree = ast.parse(path.read_text())
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = [part.value for part in node.values]
            yield "".join(x if isinstance(x, str) else "dev" if ast.unparse(x) in DEV else "X" for x in values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def commands(text):
    """The `make` commands in a text: the words up to the first that is neither a target nor a variable."""
    for found in MAKE.finditer(text):
        words = found[1].split()
        known = [word for word in words if word in TARGETS or "=" in word]
        yield words[0], known


def printed():
    """(file, text) of everything that may be printed with a make command in it."""
    for path in PACKAGE:
        yield from ((path.name, text) for text in texts(path) if MAKE.search(text))
    for path in SHELL:
        lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
        lines = (re.sub(r"\$\{[^}]*\}", "run", line) for line in lines)
        yield from ((path.name, line) for line in lines if MAKE.search(line))


def test_commands_are_found_in_the_modules_that_print_them():
    assert {"registry.py", "promotion.py", "retention.py", "aws.py", "local.py"} <= {name for name, _ in printed()}


@pytest.mark.parametrize(("file", "text"), sorted(set(printed())))
def test_a_make_command_names_targets_and_variables_that_exist(file, text):
    for first, known in commands(text):
        assert first in TARGETS, f"{file}: make {first}"
        assert {word.partition("=")[0] for word in known if "=" in word} <= VARIABLES
        done = subprocess.run(["make", "-n", *known], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def remedies(path):
    """The remedies of a module: what errors are given as their third argument, by itself or by a variable."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("remedy", "build", "command", "look"):
            yield ast.unparse(node.value)
        if isinstance(node, ast.Call) and len(node.args) == 3 and ast.unparse(node.func).split(".")[-1][0].isupper():
            yield ast.unparse(node.args[2])


def test_a_remedy_can_be_pasted():
    """A script by itself has no HOST and no REPOSITORY, unlike a make target; <> means a file to the shell.

    dump and load are the verbs with such a file.
    """
    checked = [remedy for path in PACKAGE for remedy in remedies(path)]
    assert len(checked) > 50
    rest = [re.sub(r"make (dump|load)-\S+ [<>]\S+\.dump", "", remedy) for remedy in checked]
    assert [remedy for remedy in rest if re.search(r"scripts/|<|>", remedy)] == []


@pytest.mark.parametrize(
    "call", ["deploy-prod IMAGE", "push COMMIT", "rollback-prod TO", "prune-now KEEP", "restore-prod BACKUP"]
)
def test_an_argument_of_make_is_taken_from_the_command_line_alone(call):
    """IMAGE, COMMIT and the like are common names: another program's must not choose what is deployed."""
    target, name = call.split()

    def recipe(*arguments):
        command = ["make", "-n", "--no-print-directory", target, *arguments]
        environment = os.environ | {name: "1.2.0", "MAKEFLAGS": ""}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert recipe(f"{name}=1.3.0").endswith(" '1.3.0'\n")
    assert "1.2.0" not in recipe()


def test_no_text_names_a_setup_that_only_debian_has():
    """`make setup` installs the tools for development too, and is refused where there is no apt-get."""
    assert [text for path in PACKAGE for text in texts(path) if re.search(r"make setup(?![-a-z])", text)] == []


# In the table of docs/first-deploy.md, what AWS and GitHub print.
FOREIGN = (
    "EntityAlreadyExists",
    "Not authorized to perform",
    "VcpuLimitExceeded",
    "Your account must be verified",
    "Resource not accessible",
)


def test_each_message_that_the_first_deploy_describes_is_printed():
    section = (ROOT / "docs/first-deploy.md").read_text().partition("\n## What can go wrong\n")[2].partition("\n## ")[0]
    messages = re.findall("^[|] `([^`]+)`", section, re.MULTILINE)
    assert len(messages) >= 10
    printed = "\n".join(text for path in PACKAGE for text in texts(path))
    for message in messages:
        pattern = re.sub("…|terraform", ".*", re.escape(message))  # also the name of a root
        assert message.startswith(FOREIGN) or re.search(pattern, printed), message
