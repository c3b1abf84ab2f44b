"""The archive of the host's files, which the install script of a host unpacks.

Written in Python, because the options that make an archive reproducible are GNU tar's only.
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from delivery.references import ENVIRONMENTS

# (in the project, in the archive); a directory stands for what it contains.
SOURCES = (
    ("scripts/host", ""),
    ("nginx", "nginx"),
    ("application.json", "application.json"),
    ("scripts/delivery", "bin/delivery"),
    ("scripts/lib/say.sh", "lib/say.sh"),
)
NOTICE = "bin/outdated-checkout"  # the program behind the names of the verbs that older checkouts call
OUTDATED = [f"bin/{verb}-{environment}" for verb in ("deploy", "rollback") for environment in ENVIRONMENTS]


def write():
    """Writes the archive (tar.gz) to stdout. It depends on the content of the files only, not on owners and times."""
    # The program instead of Python's module: its output is the same on all Linux distributions.
    done = subprocess.run(["gzip", "-n9"], input=archive(files(Path.cwd())), stdout=subprocess.PIPE, check=True)
    sys.stdout.buffer.write(done.stdout)


def files(project):
    """{path in the archive: path in the project} of all files, without compiled modules and files next to bin/."""
    found = {}
    for source, target in SOURCES:
        start = project / source
        for path in [start] if start.is_file() else start.rglob("*"):
            name = os.path.normpath(os.path.join(target, path.relative_to(start)))
            if (
                path.is_file()
                and "__pycache__" not in path.parts
                and not (source == "scripts/host" and "/" not in name)
            ):
                found[name] = path
    notice = found.pop(NOTICE)
    return found | dict.fromkeys(OUTDATED, notice)


def archive(found):
    """A tar file (POSIX.1-1988) of these files and their directories, in the order of their names."""
    directories = {str(parent) for name in found for parent in Path(name).parents} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted({*found, *directories}):
            entry = tarfile.TarInfo(name)
            if name in directories:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                content = found[name].read_bytes()
                entry.size, entry.mode = len(content), 0o755 if found[name].stat().st_mode & 0o111 else 0o644
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
