"""Progress, errors and help of the Python verbs: say.sh in Python. Everything but the answer goes to stderr."""

import itertools
import os
import sys


class Problem(Exception):
    """Work that failed: what went wrong, why, and the command that mends it. Every module's errors derive from it."""

    status = 1

    def __init__(self, what, why, remedy):
        super().__init__(what, why, remedy)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self):
        return f"{self.what}\n  why: {self.why}\n  remedy: {self.remedy}"


class WrongCall(Problem):
    """A wrong argument: nothing was tried."""

    status = 2


def say(step):
    """Tells on stderr which step begins."""
    print(f"==> {step}", file=sys.stderr)


def demand(name):
    """The value of an environment variable that the Makefile exports. Raises Problem when it is unset or empty."""
    if value := os.environ.get(name):
        return value
    raise Problem(f"{name} is not set", "it varies per place: scripts have no default", "call this through make")


def planned():
    """Whether only the plan is asked for: PLAN=1 before a verb. Raises WrongCall for another value than 1 or none."""
    if (plan := os.environ.get("PLAN", "")) in ("", "1"):
        return bool(plan)
    raise WrongCall(f"PLAN={plan} says neither yes nor no", "PLAN=1 shows what would change", "unset PLAN")


def run(main, most=1, options=()):
    """Runs a verb: main(*arguments) with at most `most` arguments, its result on stdout, a Problem on stderr.

    `options` says which keyword of main's an option sets to True, as in {"-y": "yes"}. -h prints the header comment of
    the script. The exit status is 0, 1 (the work failed) or 2 (wrong call).
    """
    arguments = [argument for argument in sys.argv[1:] if argument not in options]
    chosen = {options[argument]: True for argument in sys.argv[1:] if argument in options}
    if len(arguments) > most or any(argument.startswith("-") for argument in arguments):
        asked = arguments[0] in ("-h", "--help")
        with open(sys.argv[0], encoding="utf-8") as script:
            header = itertools.takewhile(lambda line: line.startswith("#"), list(script)[1:])
            (sys.stdout if asked else sys.stderr).writelines(line[2:] or "\n" for line in header)
        sys.exit(0 if asked else 2)
    try:
        os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0]))))
        print(main(*arguments, **chosen))
    except Problem as problem:
        print(f"{os.path.basename(sys.argv[0])}: {problem}", file=sys.stderr)
        sys.exit(problem.status)
    except KeyboardInterrupt:
        sys.exit(130)
