"""A stand-in for a program on the PATH: it gives the answers it was given, by words of the call, and logs its calls."""

import json
import sys

SCRIPT = f"""\
#!{sys.executable}
import json, pathlib, sys
place = pathlib.Path(__file__).parent
with (place / "calls").open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
for words, (stdout, stderr, status) in json.loads((place / "answers").read_text()).items():
    if words in " ".join(sys.argv[1:]):
        sys.stdout.buffer.write(stdout.encode("utf-8", "surrogateescape"))
        sys.stderr.write(stderr)
        sys.exit(status)
"""


class Program:
    """The only program of its name in a directory."""

    def __init__(self, directory, name):
        self.directory, self.file, self._answers = directory, directory / name, {}
        self.file.write_text(SCRIPT)
        self.file.chmod(0o755)

    def answers(self, words, stdout="", stderr="", status=0):
        """What the program does from here on when it is called with these words."""
        self._answers[words] = (stdout, stderr, status)
        (self.directory / "answers").write_text(json.dumps(self._answers))

    def calls(self):
        """The arguments of each call."""
        log = self.directory / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
