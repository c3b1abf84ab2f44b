"""What is specific to the application: application.json in the directory above (docs/reference.md).

That directory is the repository's on a laptop, and the installation's on a host.
"""

import json
from pathlib import Path

_values = json.loads(Path(__file__).resolve().parents[2].joinpath("application.json").read_text(encoding="utf-8"))

NAME = _values["name"]  # of the namespace, the deployment, the containers, the directories and the units of a host
DIRECTORY = _values["directory"]  # the Django project
DATABASE = _values["database"]  # of the databases and their roles, before _<environment>
PORTS = _values["ports"]
ALIVE, READY = _values["paths"]["alive"], _values["paths"]["ready"]
SMOKE = tuple(_values["paths"]["smoke"])
MEMORY = _values["memory_mib"]
