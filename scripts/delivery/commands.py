"""One-off commands: the arguments of manage.py, from the laptop to the container or pod that runs it.

They are passed as one JSON list of strings, so that no shell and no other program interprets them.
"""

import json
import shlex

from delivery.cli import UsageError

MOST = 100  # arguments
LONGEST = 8192  # bytes of the JSON list
SHOWN = 120  # characters of a command in the history, which a ConfigMap may store
PROGRAM = ("python3", "manage.py")
MIGRATE = (*PROGRAM, "migrate", "--noinput")
EXAMPLE = "make manage-dev COMMAND='check --deploy'"


def split(text):
    """The arguments in a line that is quoted as for a POSIX shell. Nothing is expanded. Raises UsageError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"invalid COMMAND {text[:200]!r}", f"{error}".lower(), EXAMPLE) from None
    check(words)
    return words


def encode(words):
    """The arguments as an ASCII text of JSON. Systems Manager replaces {{...}} in parameters, so it has no brace."""
    text = json.dumps(words).replace("{", "\\u007b")
    if len(text) > LONGEST:
        raise UsageError("COMMAND is too long", f"at most {LONGEST} bytes are passed on", "pass data on stdin")
    return text


def decode(text):
    """The arguments in a JSON list. Raises UsageError unless it is one that `encode` makes."""
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} characters")
        words = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"invalid command {text[:80]!r}", error, EXAMPLE) from None
    check(words)
    return words


def check(words):
    """Raises UsageError unless these can be the arguments of a program."""
    if not (isinstance(words, list) and 1 <= len(words) <= MOST and all(isinstance(word, str) for word in words)):
        raise UsageError(f"invalid command {str(words)[:80]!r}", f"expected 1 to {MOST} arguments", EXAMPLE)
    for word in words:
        try:
            is_possible = "\0" not in word and word.encode() is not None
        except UnicodeEncodeError:
            is_possible = False
        if not is_possible:
            raise UsageError(f"invalid argument {word[:80]!r}", "expected UTF-8 without NUL", EXAMPLE)


def verb(words):
    """The verb of a command in the history; a long one is cut."""
    text = " ".join(["manage", *map(shlex.quote, words)])
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
