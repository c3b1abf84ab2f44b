"""The properties of the application, from application.json (docs/reference.md).

The file is at the root of the repository, or of the installation on a host.
"""

import json
import os

from delivery.cli import CommandError, reported

_directory = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")  # pathlib is slow to import
_path = os.path.normpath(os.path.join(_directory, "application.json"))
_remedy = f"git checkout {_path}; on a host, install again: make demo, or on AWS make infra"
with reported():  # the verbs import this module before they run
    try:
        with open(_path, encoding="utf-8") as _file:
            _values = json.load(_file)
        # The name of the namespace, the deployment, the containers, the directories and the units of a host.
        NAME = _values["name"]
        DIRECTORY = _values["directory"]  # the Django project
        DATABASE = _values["database"]  # of the databases and their roles, before _<environment>
        PORTS = {name: _values["ports"][name] for name in ("prod", "dev", "slots", "node", "application")}
        SETTINGS = tuple(_values["settings"])  # the command that defines the settings
        ALIVE, READY = _values["paths"]["alive"], _values["paths"]["ready"]
        MEMORY = _values["memory_mib"]
    except KeyError as _error:
        raise CommandError(f"invalid {_path}", f"the key {_error} is missing", _remedy) from None
    except (OSError, ValueError, TypeError) as _error:
        raise CommandError(f"can't read {_path}", _error, _remedy) from None
