"""A stand-in for the verbs of a host on AWS, for tests without one: it runs the real image, on SQLite, in the engine.

tests/lib/first_host.py DIRECTORY VERB [ARGUMENT...]; DIRECTORY has ports.json ({"dev": port, "prod": port}),
registry (where public.ecr.aws is) and what the verbs remember.
"""

import datetime
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

SETTINGS = {"SECRET_KEY": "k" * 40, "ALLOWED_HOSTS": "*", "DATABASE_URL": "sqlite:////tmp/shop.sqlite3"}
START = "python3 manage.py migrate --verbosity 0 && exec gunicorn"


class Host:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.ports = json.loads((self.directory / "ports.json").read_text())

    def deploy(self, environment, image, after="none", _reason=None):
        """Replaces the container of an environment, if `after` names what is live. Ends when it is ready."""
        past = self.past(environment)
        if environment == "dev" and after != (past[-1]["digest"] if past else "none"):
            sys.exit(3)
        container = f"first-deploy-{environment}"
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)
        variables = [word for name, value in SETTINGS.items() for word in ("--env", f"{name}={value}")]
        where = (self.directory / "registry").read_text()
        port = f"127.0.0.1:{self.ports[environment]}:8000"
        command = ["docker", "run", "--detach", "--name", container, "--publish", port, *variables]
        reference = image.replace("public.ecr.aws", where)
        subprocess.run([*command, reference, "sh", "-c", START], check=True, stdout=subprocess.DEVNULL)
        ready = f"http://127.0.0.1:{self.ports[environment]}/readyz"
        retries = ["--retry", "60", "--retry-delay", "1", "--retry-all-errors"]
        subprocess.run(["curl", "-fsS", "-o", "/dev/null", *retries, ready], check=True)
        build = self.build(environment)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = {"time": now, "actor": "first", "environment": environment, "verb": "deploy", "result": "ok"}
        entry |= {
            "version": build["version"],
            "image": image,
            "commit": build["revision"],
            "digest": image.partition("@")[2],
            "seconds": 1,
        }
        with (self.directory / f"{environment}.history").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def build(self, environment):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[environment]}/version") as answer:
            return json.load(answer)

    def past(self, environment):
        file = self.directory / f"{environment}.history"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def history(self, environment, lines):
        for past in self.past(environment)[-int(lines) :]:
            print(json.dumps(past))

    def status(self):
        found = []
        for environment in self.ports:
            past = self.past(environment)
            live = self.build(environment) if past else {"version": None, "revision": None}
            current = {name: past[-1][name] for name in ("image", "version", "commit")} if past else None
            state = {"digest": past[-1]["digest"] if past else None, "previous": None, "deploying": None}
            state |= {"current": current}
            state |= {"environment": environment, "healthy": bool(past), "last": past[-1] if past else None}
            found.append(live | state)
        print(json.dumps({"environments": found}))


if __name__ == "__main__":
    directory, verb, *words = sys.argv[1:]
    getattr(Host(directory), verb)(*words)
