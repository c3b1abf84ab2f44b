"""The files of scripts/host-archive, as files of the repository."""

import io
import subprocess
import tarfile
from pathlib import Path

from delivery import infra_due

ROOT = Path(__file__).parents[2]


def not_covered():
    """The files in the archive whose content is that of no file below the paths of `make infra`."""
    archive = subprocess.run([ROOT / "scripts/host-archive"], check=True, capture_output=True).stdout
    places = [ROOT / place for place in infra_due.PLACES["make infra"] if not place.startswith(":")]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    contents = {file.read_bytes() for file in files}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [entry.name for entry in tar if entry.isfile() and tar.extractfile(entry).read() not in contents]
