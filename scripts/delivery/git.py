"""The VERSION, tags and source of a commit, from the Git repository of the current directory.

Everything is read from the commit, not from the work tree (except `changes`, which compares the
two).
"""

import os
import subprocess

from delivery.application import DIRECTORY, NAME
from delivery.cli import CommandError, UsageError
from delivery.references import VERSION

PROJECT = f"{DIRECTORY}/pyproject.toml"
TREES = (DIRECTORY, "k8s")  # an image is built from these only
REVISION_LABEL, VERSION_LABEL = "org.opencontainers.image.revision", "org.opencontainers.image.version"
SOURCE_LABEL = f"{NAME}.source"  # the label of an image with its source()
DEV = ("refs/heads/dev", "refs/remotes/origin/dev")
NEAR = 20  # commits that candidates() reads first: usually one of them has a snapshot
# They select another repository or other objects, for example inside a Git hook.
SELECTING = (
    "GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
)  # fmt: skip


class Unreadable(CommandError):
    """The commit has no VERSION, or lacks a directory that an image is built from."""


def environment():
    """The environment variables of all git processes: a hash always means that object of this repository."""
    kept = {name: value for name, value in os.environ.items() if name not in SELECTING}
    return kept | {"GIT_NO_REPLACE_OBJECTS": "1"}


def output(*arguments, stdin=None):
    """Runs git and returns its stdout as text. Raises CommandError with git's message if it fails."""
    return binary(*arguments, stdin=stdin and stdin.encode()).decode(errors="replace")


def binary(*arguments, stdin=None):
    """As output(), but `stdin` and the result are bytes."""
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, env=environment())
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
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
        return _version_in(output("cat-file", "blob", f"{commit}:{PROJECT}"), commit)
    except Unreadable:
        raise
    except CommandError:
        remedy = f'set version = "N.N.N" under [project] in {PROJECT} and commit it'
        raise Unreadable(f"commit {commit} has no VERSION", f"it has no {PROJECT}", remedy) from None


def resolve_with_version(name="HEAD"):
    """(resolve(name), version of that commit), from one process. Raises what the two functions raise."""
    commit = f"{name}^{{commit}}"
    try:
        answer = binary("cat-file", "--batch", stdin=os.fsencode(f"{commit}\n{commit}:{PROJECT}\n"))
        found, _, answer = _object(answer, b"commit")
        _, content, answer = _object(answer, b"blob")
        if answer:
            raise ValueError("the name has more than one line")
    except (CommandError, ValueError):  # the two functions report why
        found = resolve(name)
        return found, version(found)
    return found, _version_in(content.decode(errors="replace"), found)


def _object(answer, kind):
    """(hash, content, rest) of the first object in the output of `git cat-file --batch`.

    Raises ValueError unless it is of this kind.
    """
    head, _, rest = answer.partition(b"\n")
    name, found, size = head.split()
    if found != kind:
        raise ValueError(f"it is a {found.decode()}")
    return name.decode(), rest[: int(size)], rest[int(size) + 1 :]


def _version_in(text, commit):
    """The version in the text of a pyproject.toml. Raises Unreadable."""
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    remedy = f'set version = "N.N.N" under [project] in {PROJECT} and commit it'
    try:
        value = tomllib.loads(text)["project"]["version"]
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
    return _sources([commit])[commit]


def _sources(commits):
    """{commit: source} of the commits that have both directories. Raises Unreadable if the first one lacks one."""
    names = "".join(f"{commit}:{tree}\n" for commit in commits for tree in TREES)
    answers = iter(output("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=names).splitlines())
    sources = {}
    for commit in commits:
        trees = {tree: next(answers) for tree in TREES}  # an answer is "tree <hash>", or "<name> missing"
        absent = [tree for tree, answer in trees.items() if not answer.startswith("tree ")]
        if not absent:
            sources[commit] = "-".join(answer.split()[1] for answer in trees.values())
        elif commit == commits[0]:
            why = f"it has no directory {absent[0]}/, and an image is built from {' and '.join(TREES)}"
            raise Unreadable(f"cannot build an image of commit {commit}", why, f"git log --oneline -- {absent[0]}")
    return sources


def content(commit, path):
    """The text of a file at a commit; None if the commit has no such file."""
    found = output("ls-tree", "-z", "--full-tree", "--name-only", commit, "--", path)
    return output("cat-file", "blob", f"{commit}:{path}") if found else None


def changes(commit):
    """The files of an image in the work tree that differ from a commit, including untracked files."""
    differ = output("diff", "--name-only", "-z", commit, "--", *TREES)
    untracked = output("ls-files", "--others", "--exclude-standard", "-z", "--", *TREES)
    return sorted({*differ.split("\0"), *untracked.split("\0")} - {""})


def candidates(commit):
    """Yields (commit, source) of the commits with the same source as `commit`, newest first.

    Their snapshots are images of `commit` too.

    They are reachable from it or from dev (here or at origin).

    Trees are compared, not history: a merge, a squash and a commit that changes neither tree all keep
    the source. The newest commits are read first, because the trees of a whole history take long to look
    up. Raises CommandError if git fails.
    """
    skip, count = 0, NEAR
    while page := _log(commit, f"--skip={skip}", f"--max-count={count}"):
        sources = _sources([commit, *page])
        source = sources[commit]
        yield from ((candidate, source) for candidate in page if sources.get(candidate) == source)
        skip, count = skip + count, 2 * count


def _log(commit, *options):
    """The commits that are reachable from `commit` or from dev, newest first by their dates.

    Without --date-order, for which git reads the whole history before it prints the first commit.
    """
    options = ("--no-show-signature", "--format=%H", "--ignore-missing", *options)  # dev may not exist
    try:
        return output("log", *options, commit, *DEV, "--").split()
    except CommandError as error:
        raise CommandError("git cannot read the history", error.why, "git fsck") from None


def has(commit):
    """Whether this clone has a commit (full hash)."""
    return bool(commit) and output("cat-file", "--batch-check=%(objecttype)", stdin=f"{commit}\n").strip() == "commit"


def is_ancestor(older, newer):
    """Whether a commit is an ancestor of another one, as far as this clone shows. Raises CommandError if git fails."""
    command = ["git", "merge-base", "--is-ancestor", older, newer]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=environment())
    if done.returncode not in (0, 1):
        raise CommandError("git cannot compare two commits", done.stderr.strip(), "git fsck")
    return done.returncode == 0


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
