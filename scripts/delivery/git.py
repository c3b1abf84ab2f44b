"""The VERSION, tags and source of a commit, from the Git repository of the current directory.

Everything is read from the commit, not from the work tree (except `changes`, which compares the
two).
"""

import subprocess

from delivery.application import DIRECTORY, NAME
from delivery.cli import CommandError, UsageError
from delivery.references import VERSION

PROJECT = f"{DIRECTORY}/pyproject.toml"
TREES = (DIRECTORY, "k8s")  # an image is built from these only
SOURCE_LABEL = f"{NAME}.source"  # the label of an image with its source()
DEV = ("refs/heads/dev", "refs/remotes/origin/dev")
NEAR = 20  # commits that candidates() reads first: usually one of them has a snapshot


class Unreadable(CommandError):
    """The commit has no VERSION, or lacks a directory that an image is built from."""


def output(*arguments, stdin=None):
    """Runs git and returns its stdout as text. Raises CommandError with git's message if it fails."""
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        why = done.stderr.strip() or f"exit status {done.returncode}"
        raise CommandError(f"git {arguments[0]} failed", why, "git status")
    return done.stdout


def resolve(name="HEAD"):
    """The full hash of the commit that a branch, tag or (short) hash names. Raises UsageError if there is none."""
    try:
        return output("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
    except CommandError as error:
        raise UsageError(f"commit '{name}' not found", error.why, "git log --oneline --all") from None


def version(commit):
    """VERSION at a commit: [project].version of its pyproject.toml (PEP 621), three numbers with dots.

    Raises Unreadable if the file is missing, is not TOML or has no such version.
    """
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    remedy = f'set version = "N.N.N" under [project] in {PROJECT} and commit it'
    try:
        value = tomllib.loads(output("cat-file", "blob", f"{commit}:{PROJECT}"))["project"]["version"]
    except CommandError:
        raise Unreadable(f"commit {commit} has no VERSION", f"it has no {PROJECT}", remedy) from None
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"commit {commit} has no VERSION", f"its {PROJECT} is not TOML: {error}", remedy) from None
    except (KeyError, TypeError):
        raise Unreadable(f"commit {commit} has no VERSION", f"its {PROJECT} sets no version", remedy) from None
    if not (isinstance(value, str) and VERSION.fullmatch(value)):
        raise Unreadable(f"commit {commit} has no usable VERSION", f"{value!r} in its {PROJECT} is not N.N.N", remedy)
    return value


def snapshot(commit):
    """The snapshot tag of a commit: VERSION-SNAPSHOT-<40 hex>."""
    return f"{version(commit)}-SNAPSHOT-{commit}"


def source(commit):
    """The source of an image: its tree hashes, "<application>-<k8s>". Raises Unreadable if a directory is missing."""
    names = "".join(f"{commit}:{tree}\n" for tree in TREES)
    answers = output("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=names).splitlines()
    for tree, answer in zip(TREES, answers, strict=True):
        if not answer.startswith("tree "):
            why = f"it has no directory {tree}/, and an image is built from {' and '.join(TREES)}"
            raise Unreadable(f"cannot build an image of commit {commit}", why, f"git log --oneline -- {tree}")
    return "-".join(answer.split()[1] for answer in answers)


def changes(commit):
    """The files of an image in the work tree that differ from a commit, including untracked files."""
    differ = output("diff", "--name-only", "-z", commit, "--", *TREES)
    untracked = output("ls-files", "--others", "--exclude-standard", "-z", "--", *TREES)
    return sorted({*differ.split("\0"), *untracked.split("\0")} - {""})


def candidates(commit):
    """Yields the commits with the same source as `commit`, whose snapshots are images of `commit` too, newest first.

    They are reachable from it or from dev (here or at origin).

    Trees are compared, not history: a merge, a squash and a commit that changes neither tree all keep
    the source. The NEAR newest commits are read first, because the trees of a whole history take long to
    look up. Raises CommandError if git fails.
    """
    expected = source(commit).split("-")
    for part in (f"--max-count={NEAR}", f"--skip={NEAR}"):
        yield from _with_trees(expected, ("--date-order", part, "--ignore-missing", commit, *DEV))  # dev may not exist


def _with_trees(expected, selection):
    """Yields those of the commits that `git log` selects whose TREES have these hashes. Starts two processes."""
    trees = "%n".join(f"%H:{tree} %H" for tree in TREES)
    log = ["git", "-c", "log.showSignature=false", "log", f"--format={trees}", *selection, "--"]
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
        raise CommandError("git cannot read the history", "see its message above", "git fsck")


def dates(commits):
    """{commit: commit date as a Unix time in seconds} of these commits (full hashes).

    Commits that are missing from this clone are left out. Raises CommandError if git fails.
    """
    names = "".join(f"{commit}\n" for commit in commits)
    answers = output("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names).splitlines()
    known = [answer.split()[0] for answer in answers if answer.endswith(" commit")]
    log = output("log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", stdin="\n".join(known)) if known else ""
    return {commit: int(date) for commit, date in map(str.split, log.splitlines())}


def shallow():
    """Whether this clone is shallow, as a CI checkout may be."""
    return output("rev-parse", "--is-shallow-repository").strip() == "true"
