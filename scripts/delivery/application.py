"""The properties of the application, from application.json (docs/reference.md).

The file is at the root of the repository, or of the installation on a host.
"""

import json
import os

_directory = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")  # pathlib is slow to import
with open(os.path.join(_directory, "application.json"), encoding="utf-8") as _file:
    _values = json.load(_file)

NAME = _values["name"]  # of the namespace, the deployment, the containers, the directories and the units of a host
DIRECTORY = _values["directory"]  # the Django project
DATABASE = _values["database"]  # of the databases and their roles, before _<environment>
PORTS = _values["ports"]
ALIVE, READY = _values["paths"]["alive"], _values["paths"]["ready"]
SMOKE = tuple(_values["paths"]["smoke"])
MEMORY = _values["memory_mib"]
