"""Usage: watch.py PORT FILE. Writes the answer of /version, one a line, 10 times a second, until it is killed."""

import json
import sys
import time
import urllib.error
import urllib.request

port, path = sys.argv[1:]
with open(path, "w", buffering=1) as file:
    while True:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/version", timeout=10) as answer:
                file.write(f"{answer.status} {json.load(answer)['revision']}\n")
        except urllib.error.HTTPError as error:
            file.write(f"{error.code} -\n")
        except (OSError, ValueError) as error:
            file.write(f"{type(error).__name__} -\n")
        time.sleep(0.1)
