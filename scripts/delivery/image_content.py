"""Compares the files of an image with the entries of its commit."""

import hashlib
import tarfile

from delivery import context, docker
from delivery.cli import CommandError
from delivery.context import DIRECTORY, FILE, LINK, PROGRAM, Entry, readable

ROOT = "/app"  # of the application in the image (Dockerfile)
# What the build generates there: a directory at the top, and the byte code of each directory.
GENERATED, BYTE_CODE = ("staticfiles",), "__pycache__"


def check(commit, image):
    """Raises CommandError unless the image contains each entry of the commit unchanged, and no other files.

    Content, links and whether a file is executable are compared. The image is an id or a reference in the engine;
    it does not run.
    """
    expected = {entry.path: entry for entry in context.entries(commit)}
    found = read(image, len(next(entry.object for entry in expected.values() if entry.mode != DIRECTORY)))
    differences = [f"{readable(path)}: {why}" for path, why in compare(expected, found)]
    if differences:
        why = "".join(f"\n    {difference}" for difference in differences)
        what = f"the image of commit {commit} does not have the content of the commit"
        raise CommandError(what, f"below {ROOT}:{why}", "correct the Dockerfile, commit, then make image")


def compare(expected, found):
    """Yields (path, difference). Both arguments are {path: Entry}."""
    for path, entry in expected.items():
        actual = found.get(path)
        if actual is None:
            yield path, "missing"
        elif {actual.mode, entry.mode} == {FILE, PROGRAM}:
            yield path, "executable" if actual.mode == PROGRAM else "not executable"
        elif (actual.mode, actual.object) != (entry.mode, entry.object):
            yield path, "changed"
    for path, actual in found.items():
        parts = path.split("/")
        is_generated = parts[0] in GENERATED or BYTE_CODE in parts
        if path not in expected and actual.mode != DIRECTORY and not is_generated:
            yield path, "not in the commit"


def read(image, digits):
    """{path: Entry} of the files in an image. `digits` is the length of the repository's hashes."""
    form = "sha256" if digits == 64 else "sha1"  # git-hash-object
    found = {}
    with docker.Docker().files_of_image(image, ROOT) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
                for member in archive:
                    path = member.name.partition("/")[2]
                    if member.islnk():
                        found[path] = found[member.linkname.partition("/")[2]]
                    elif path:
                        found[path] = Entry(path, path, *described(archive, member, form))
        except tarfile.TarError as error:
            raise CommandError(f"cannot read the image {image}", error, "make doctor") from None
    return found


def described(archive, member, form):
    """(mode, object) of a member of an archive, as in a tree of Git."""
    if member.isdir():
        return DIRECTORY, ""
    if member.issym():
        content, mode = member.linkname.encode(errors="surrogateescape"), LINK
    elif member.isfile():
        content, mode = archive.extractfile(member).read(), PROGRAM if member.mode & 0o100 else FILE
    else:
        return 0, ""
    return mode, hashlib.new(form, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
