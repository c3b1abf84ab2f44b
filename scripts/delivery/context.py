"""The build context of a commit's image: every entry of its trees, as Git stores it.

Nothing is read through the caller's Git configuration or attributes, so line endings, filters,
export-ignore and export-subst change nothing.
"""

import io
import os
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

from delivery import git
from delivery.cli import CommandError

FILE, PROGRAM, LINK, DIRECTORY = 0o100644, 0o100755, 0o120000, 0o040000  # modes in a tree
LONGEST = 1024  # bytes; a pointer is shorter (git-lfs/docs/spec.md)
# The first bytes of a file that another program replaces after a checkout. The image would lack its content.
STANDS_FOR = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer",
    b"version https://hawser.github.com/spec/": "a Git LFS pointer",
    b"/annex/objects/": "a git-annex pointer",
}
ENCRYPTED = b"\0GITCRYPT\0"
REMEDY = "commit the content itself, as files inside the directory; then make image"


class Entry(NamedTuple):
    """`path` is that below the image's directory; `name` is that in the repository. `object` is the hash of a file's
    content or a link's target. Bytes of a path that are not UTF-8 are surrogates (PEP 383)."""

    path: str
    name: str
    mode: int
    object: str


def entries(commit):
    """The Entry of each file, link and directory of a commit's image; a directory precedes its content.

    Raises CommandError with all entries that no image can contain.
    """
    listed, problems = [], []
    for tree in reversed(git.TREES):  # the first one contains the other one
        listed += [Entry(tree, tree, DIRECTORY, "")] if tree != git.DIRECTORY else []
        for line in git.binary("ls-tree", "-r", "-t", "-z", "--full-tree", f"{commit}:{tree}").split(b"\0")[:-1]:
            described, _, path = line.partition(b"\t")
            mode, kind, name = described.decode().split()
            path = os.fsdecode(path)
            inside = path if tree == git.DIRECTORY else f"{tree}/{path}"
            entry = Entry(inside, f"{tree}/{path}", int(mode, 8), "" if kind == "tree" else name)
            if problem := refused(entry, kind):
                problems.append((entry, problem))
            listed.append(entry._replace(mode=permissions(entry.mode)))
    refuse(commit, problems)
    return listed


def permissions(mode):
    """A mode as Git writes it today; older versions kept other permissions of a file."""
    if mode & 0o170000 == 0o100000:
        return PROGRAM if mode & 0o100 else FILE
    return mode


def refused(entry, kind):
    """Why no image can contain an entry of a tree; None if one can."""
    if kind == "commit":
        return "a submodule"
    part = entry.name.rpartition("/")[2]
    if part in ("", ".", ".."):
        return "not a file name"
    if part.startswith(".wh."):
        return "in an image, a name with .wh. marks a deleted file"
    if len(os.fsencode(part)) > 255:
        return "a name of more than 255 bytes"
    if entry.name.startswith(f"{git.DIRECTORY}/") and entry.path in git.TREES:
        return f"the image has {entry.path}/ of the repository at this path"
    return None


def refuse(commit, problems):
    """Raises CommandError unless `problems` is empty: [(entry, what it is)]."""
    if problems:
        why = "".join(f"\n    {readable(entry.name)}: {problem}" for entry, problem in problems)
        raise CommandError(f"cannot build an image of commit {commit}", f"it cannot contain{why}", REMEDY)


def readable(path):
    """A path as text for a message."""
    return path if path.isprintable() else ascii(path)


def contents(listed):
    """Yields (entry, bytes) of each file and link. Raises CommandError if this clone lacks an object."""
    listed = [entry for entry in listed if entry.mode != DIRECTORY]
    with tempfile.TemporaryFile() as names:
        names.writelines(f"{entry.object}\n".encode() for entry in listed)
        names.seek(0)
        command = ["git", "cat-file", "--batch", "--buffer"]
        with subprocess.Popen(command, stdin=names, stdout=subprocess.PIPE, env=git.environment()) as reading:
            for entry in listed:
                answer = reading.stdout.readline().split()  # <hash> <type> <size>, or <hash> missing
                if answer[1:2] != [b"blob"]:
                    reading.kill()
                    why = f"this clone has no content of {readable(entry.name)} (object {entry.object})"
                    raise CommandError("git cannot read the commit", why, "git fetch --refetch; git fsck")
                yield entry, reading.stdout.read(int(answer[2]))
                reading.stdout.read(1)


def write(commit, file):
    """Writes the build context of a commit to a path, as a tar archive, and returns the commit's date.

    The date is a Unix time in seconds, and all files have it. Raises CommandError with all entries that no image can
    contain, and if this clone lacks an object.
    """
    listed, problems = entries(commit), []
    date = git.dates([commit])[commit]
    read = dict(contents(listed))
    links = {entry.name: os.fsdecode(content) for entry, content in read.items() if entry.mode == LINK}
    # GNU's format keeps names that are not UTF-8.
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as archive:
        for entry in listed:
            member = tarfile.TarInfo(entry.path)
            member.mtime, member.mode = date, 0o644 if entry.mode == FILE else 0o755
            content = read.get(entry, b"")
            if entry.mode == DIRECTORY:
                member.type = tarfile.DIRTYPE
            elif entry.mode == LINK:
                member.type, member.linkname = tarfile.SYMTYPE, links[entry.name]
                if leaves(entry.name, links):
                    problems.append((entry, f"a link out of its directory, to {readable(links[entry.name])}"))
            else:
                member.size = len(content)
                if problem := stands_for(content):
                    problems.append((entry, problem))
            archive.addfile(member, io.BytesIO(content))
    refuse(commit, problems)
    return date


def stands_for(content):
    """What a file is that another program replaces after a checkout, or None."""
    if content.startswith(ENCRYPTED):
        return "encrypted by git-crypt"
    if len(content) < LONGEST:
        return next((what for start, what in STANDS_FOR.items() if content.startswith(start)), None)
    return None


def leaves(name, links):
    """Whether a link leads out of the tree that contains it, at any step. `links` are the targets of all links."""
    root, *parts = name.split("/")[:-1]
    todo, hops = links[name].split("/"), 0
    if todo[0] == "":
        return True
    while todo and hops < 40:  # as in Linux; a circle of links leads nowhere
        part = todo.pop(0)
        if part == ".." and not parts:
            return True
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
        if target := links.get("/".join([root, *parts])):
            if target.startswith("/"):
                return True
            parts.pop()
            todo, hops = target.split("/") + todo, hops + 1
    return False
