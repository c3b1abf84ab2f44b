"""What a commit is called: VERSION, tags and source, read from the Git repository of the current directory.

Everything is read from the commit, nothing from the work tree (except `changes`, which compares
the two).
"""

import subprocess

from delivery.application import DIRECTORY, NAME
from delivery.cli import CommandError, UsageError
from delivery.references import VERSION

PROJECT = f"{DIRECTORY}/pyproject.toml"
TREES = (DIRECTORY, "k8s")  # an image is made of these, and of nothing else
SOURCE_LABEL = f"{NAME}.source"  # of an image: what source() returns
DEV = ("refs/heads/dev", "refs/remotes/origin/dev")


class Unreadable(CommandError):
    """The commit has no VERSION, or lacks a tree that an image is made of."""


def output(*arguments, stdin=None):
    """Runs git and returns its stdout as text. Raises CommandError with git's own message when it fails."""
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        why = done.stderr.strip() or f"exit status {done.returncode}"
        raise CommandError(f"git {arguments[0]} failed", why, "git status")
    return done.stdout


def resolve(name="HEAD"):
    """The full hash of the commit that a branch, tag or (short) hash names. Raises UsageError when there is none."""
    try:
        return output("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
    except CommandError as error:
        raise UsageError(f"'{name}' names no commit here", error.why, "git log --oneline --all") from None


def version(commit):
    """VERSION at a commit: [project].version of its pyproject.toml (PEP 621), three numbers with dots.

    Raises Unreadable when the file is missing, is not TOML or holds anything else.
    """
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    remedy = f'set version = "N.N.N" under [project] in {PROJECT} and commit it'
    try:
        found = tomllib.loads(output("cat-file", "blob", f"{commit}:{PROJECT}"))["project"]["version"]
    except CommandError:
        raise Unreadable(f"commit {commit} has no VERSION", f"it has no {PROJECT}", remedy) from None
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"commit {commit} has no VERSION", f"its {PROJECT} is not TOML: {error}", remedy) from None
    except (KeyError, TypeError):
        raise Unreadable(f"commit {commit} has no VERSION", f"its {PROJECT} sets none", remedy) from None
    if not (isinstance(found, str) and VERSION.fullmatch(found)):
        raise Unreadable(f"commit {commit} has no usable VERSION", f"{found!r} in its {PROJECT} is not N.N.N", remedy)
    return found


def snapshot(commit):
    """The snapshot tag of a commit: VERSION-SNAPSHOT-<40 hex>."""
    return f"{version(commit)}-SNAPSHOT-{commit}"


def source(commit):
    """The source of an image: two tree hashes, "<application>-<k8s>". Raises Unreadable without one of them."""
    names = "".join(f"{commit}:{tree}\n" for tree in TREES)
    answers = output("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=names).splitlines()
    for tree, answer in zip(TREES, answers, strict=True):
        if not answer.startswith("tree "):
            why = f"it has no directory {tree}/, and an image is made of {' and '.join(TREES)}"
            raise Unreadable(f"commit {commit} can't become an image", why, f"git log --oneline -- {tree}")
    return "-".join(answer.split()[1] for answer in answers)


def changes(commit):
    """The files of an image in the work tree that differ from a commit, untracked ones included."""
    differ = output("diff", "--name-only", "-z", commit, "--", *TREES)
    untracked = output("ls-files", "--others", "--exclude-standard", "-z", "--", *TREES)
    return sorted({*differ.split("\0"), *untracked.split("\0")} - {""})


def candidates(commit):
    """The commits whose snapshot is the image of `commit`, newest first: those with the same source that are reachable
    from it or from dev (here or at origin).

    Trees are compared, not history: a merge, a squash and a commit that changes neither tree all keep
    the source. Lazy, and two processes whatever the number of commits. Raises CommandError when git
    fails on the way.
    """
    expected = source(commit).split("-")
    trees = "%n".join(f"%H:{tree} %H" for tree in TREES)
    log = ["git", "-c", "log.showSignature=false", "log", "--date-order", f"--format={trees}"]
    log += ["--ignore-missing", commit, *DEV, "--"]  # there may be no dev
    check = ["git", "cat-file", "--buffer", "--batch-check=%(objectname) %(rest)"]
    with (
        subprocess.Popen(log, stdout=subprocess.PIPE) as logging,
        subprocess.Popen(check, stdin=logging.stdout, stdout=subprocess.PIPE, text=True) as checking,
    ):
        logging.stdout.close()  # so that git log ends when its reader does
        lines = (line.split() for line in checking.stdout)  # "<tree> <commit>", or "<commit>:<name> missing"
        try:
            for pair in zip(*[lines] * len(TREES), strict=True):
                if [tree for tree, _ in pair] == expected:
                    yield pair[0][1]
        except GeneratorExit:
            checking.kill()
            raise
    if logging.returncode or checking.returncode:
        raise CommandError("git can't walk the history", "see its message above", "git fsck")


def dates(commits):
    """When each of these commits (full hashes) was committed, in seconds since 1970; those that aren't in this clone
    are left out. Raises CommandError when git fails."""
    names = "".join(f"{commit}\n" for commit in commits)
    answers = output("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names).splitlines()
    here = [answer.split()[0] for answer in answers if answer.endswith(" commit")]
    log = output("log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", stdin="\n".join(here)) if here else ""
    return {commit: int(date) for commit, date in map(str.split, log.splitlines())}


def shallow():
    """Whether the clone lacks history, as a CI checkout may."""
    return output("rev-parse", "--is-shallow-repository").strip() == "true"
