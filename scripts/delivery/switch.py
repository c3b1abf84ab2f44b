"""The switch of :8080: which slot of dev receives new connections.

The kernel's table (switch.nft) decides; a state file restores it after a reboot. Needs root and nft.
"""

import fcntl
import json
import os
import subprocess
from pathlib import Path

from delivery import application
from delivery.cli import CommandError
from delivery.paths import BIN, BOOTSTRAP

NGINX_PORT = 4000
PORTS = application.PORTS["slots"]
TABLE = "book_shop_switch"  # switch.nft
RULES = Path(__file__).with_name("switch.nft")
# Replaces a table that RULES cannot change, also in one transaction, but a packet can miss both chains. The first
# line creates the table if it is missing, because nft deletes only what exists.
REPLACE = f'table ip {TABLE}\ndelete table ip {TABLE}\ninclude "{RULES}"\n'


class Switch:
    """`root` is the directory of the state file. The table is that of the calling process's network namespace."""

    def __init__(self, root="/"):
        self.directory = Path(root, "var/lib", application.NAME, "dev")
        self.file = self.directory / "live-slot"
        self.old_flag = self.directory / "slot-b-is-live"  # on a host that was installed before the switch existed

    def live(self):
        """The slot, `a` or `b`, that new connections reach. Without a table, the slot that restore() would choose."""
        listed = _nft("-j", "list", "map", "ip", TABLE, "live")
        if listed.returncode == 0:
            elements = json.loads(listed.stdout)["nftables"][-1]["map"].get("elem", [])
            for slot, port in PORTS.items():
                if [NGINX_PORT, port] in elements:
                    return slot
        try:
            slot = self.file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return "b" if self.old_flag.exists() else "a"
        if slot not in PORTS:
            raise CommandError(f"invalid slot '{slot}' in {self.file}", "expected a or b", f"{BIN}/switch a")
        return slot

    def to(self, slot):
        """Sends new connections to a slot and records it; creates or repairs the table. Raises CommandError."""
        self._load(slot)
        self.old_flag.unlink(missing_ok=True)

    def restore(self):
        """Loads the table for the live slot, for example after a reboot, and records it. Raises CommandError."""
        self._load(None)

    def _load(self, slot):
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            # A restore during a deploy must not bring back the slot that was live when it began.
            fcntl.flock(directory, fcntl.LOCK_EX)
            slot = slot or self.live()
            new = self.file.with_suffix(".new")  # written first: a full disk must not fail after the switch
            with new.open("w", encoding="utf-8") as file:
                print(slot, file=file, flush=True)
                os.fsync(file.fileno())
            port = f"live={PORTS[slot]}"
            loaded = _nft("-D", port, "-f", str(RULES))
            if loaded.returncode:  # for example a table in which the map has another type
                loaded = _nft("-D", port, "-f", "-", rules=REPLACE)
            if loaded.returncode:
                raise CommandError(f"nft refused slot '{slot}' of dev", loaded.stderr.strip(), "nft list ruleset")
            new.replace(self.file)
            os.fsync(directory)
        except OSError as error:
            raise CommandError(f"can't switch dev to slot '{slot}'", error, f"df {self.directory}") from error
        finally:
            os.close(directory)


def _nft(*arguments, rules=None):
    command = ["nft", *arguments]
    try:
        return subprocess.run(command, input=rules, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError("can't run nft", error, BOOTSTRAP) from error
