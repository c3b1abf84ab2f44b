"""The host's programs give the same answer whatever environment, directory and umask they are called with."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import VERBS
from delivery import cli, host_cli
from test_host_usage import PYTHON, SHELL
from verb import run_script

ROOT = VERBS.parents[2]
PROBE = """#!/usr/bin/python3 -EsXutf8
import json, os, shutil, sys
from delivery import host_cli
def report():
    umask = os.umask(0)
    return json.dumps([dict(os.environ), umask, os.getcwd(), sys.stdout.encoding, shutil.which("sh"), "é"])
host_cli.run(report)
"""


@pytest.fixture
def home(tmp_path):
    """The files of a host, installed below a directory that stands for /."""
    home = tmp_path / "root/opt/book-shop"
    shutil.copytree(VERBS.parent, home)
    shutil.copytree(ROOT / "scripts/delivery", home / "bin/delivery", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "scripts/lib/say.sh", home / "lib")
    shutil.copy(ROOT / "application.json", home)
    (home.parents[1] / "bin").symlink_to("/bin")
    return home


@pytest.fixture
def hostile(tmp_path):
    """Environment variables of a caller whose programs, modules and settings must not be used."""
    directory = tmp_path / "caller"
    modules, programs = directory / "modules", directory / "bin"
    for path in (modules, programs, directory / ".docker", directory / ".kube"):
        path.mkdir(parents=True)
    (modules / "json.py").write_text("raise SystemExit('the module of the caller')\n")
    (directory / ".docker/config.json").write_text('{"currentContext": "elsewhere"}')
    for name in ("python3", "bash", "env", "sh", "dirname", "sed", "docker", "kubectl", "nft"):
        (programs / name).write_text(f"#!/bin/sh\necho the {name} of the caller; exit 99\n")
        (programs / name).chmod(0o755)
    (directory / "startup").write_text("echo the startup file of the caller; exit 99\n")
    return {
        "HOME": str(directory),
        "PATH": str(programs),
        "PYTHONPATH": str(modules),
        "PYTHONHOME": str(modules),
        "PYTHONIOENCODING": "ascii",
        "PYTHONSTARTUP": str(directory / "startup"),
        "BASH_ENV": str(directory / "startup"),
        "ENV": str(directory / "startup"),
        "BASH_FUNC_sed%%": "() { echo the function of the caller; exit 99; }",
        "CDPATH": "/usr",
        "SHELLOPTS": "noexec",
        "IFS": "/",
        "LANG": "de_DE.ISO-8859-1",
        "LC_ALL": "C",
        "XDG_CONFIG_HOME": str(directory),
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "DOCKER_CONFIG": str(directory / ".docker"),
        "DOCKER_CONTEXT": "elsewhere",
        "DOCKER_TLS_VERIFY": "1",
        "KUBECONFIG": "/nonexistent",
        "PGHOST": "elsewhere.example",
        "PGUSER": "elsewhere",
        "TAR_OPTIONS": "--nonexistent",
        "CURL_HOME": str(directory),
        "OPENSSL_CONF": "/nonexistent",
        "AWS_ACCESS_KEY_ID": "the caller's",
        "AWS_CONFIG_FILE": str(directory / "config"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_PROFILE": "elsewhere",
        "AWS_REGION": "elsewhere",
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "BOTO_CONFIG": str(directory / "config"),
    }


def in_a_deleted_directory(command, environment, tmp_path):
    """Runs a program with this environment alone, a strict umask, and a current directory that no longer exists."""
    directory = tmp_path / "deleted"
    directory.mkdir()
    shell = 'umask 777; cd "$1" && rmdir "$1" && shift && exec "$@"'
    # env -i as the last step, so that the shell itself is not affected.
    assigned = [f"{name}={value}" for name, value in environment.items()]
    command = ["/bin/sh", "-c", shell, "-", directory, "/usr/bin/env", "-i", *assigned, *command]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("given", ["no variables", "hostile"])
def test_a_python_program_has_its_own_environment(home, hostile, tmp_path, given):
    probe = home / "bin/probe"
    probe.write_text(PROBE)
    probe.chmod(0o755)
    kept = {"DELIVERY_ACTOR": "bob", "https_proxy": "http://127.0.0.1:1", "NO_PROXY": "x", "TERM": "dumb"}
    caller = (hostile if given == "hostile" else {}) | kept
    done = in_a_deleted_directory([probe], caller, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    environment, umask, directory, encoding, sh, text = json.loads(done.stdout)
    programs = ":".join(f"{home.parents[1]}{path}" for path in host_cli.ENVIRONMENT["PATH"].split(":"))
    assert environment == host_cli.ENVIRONMENT | kept | {"PATH": programs}
    assert (umask, directory, encoding) == (0o022, str(home), "utf-8")
    assert (sh, text) == (str(home.parents[1] / "bin/sh"), "é")


@pytest.mark.parametrize("program", sorted(PYTHON - {"outdated-checkout"}))
def test_every_python_program_has_it(home, hostile, tmp_path, monkeypatch, program):
    done = in_a_deleted_directory([home / "bin" / program, "-h"], hostile, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {program}")
    seen = []
    monkeypatch.setattr(cli, "run", lambda *arguments: seen.append(dict(os.environ)))
    for name, value in hostile.items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    run_script(VERBS / program)
    assert {name for name in hostile if seen[0].get(name) == hostile[name]} == set()


@pytest.mark.parametrize("given", ["no variables", "hostile"])
@pytest.mark.parametrize("program", SHELL)
def test_every_shell_program_has_its_own_environment(home, hostile, tmp_path, program, given):
    root = home.parents[1]
    programs = root / "usr/bin"
    programs.mkdir(parents=True)
    (programs / "sed").write_text("#!/bin/sh\n/usr/bin/env; umask; pwd -P\n")  # prints the help
    (programs / "sed").chmod(0o755)
    kept = {"DELIVERY_NODE_LIMIT": "5", "https_proxy": "http://127.0.0.1:1"}
    caller = (hostile if given == "hostile" else {}) | kept
    done = in_a_deleted_directory([home / "bin" / program, "-h"], caller, tmp_path)
    assert done.returncode == 0, done.stderr
    *variables, umask, directory = done.stdout.splitlines()
    environment = dict(variable.split("=", 1) for variable in variables)
    for name in ("_", "PWD", "OLDPWD", "SHLVL"):  # bash's own
        environment.pop(name, None)
    directories = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
    path = ":".join(str(root / name) for name in directories)
    assert environment == {"HOME": str(root / "root"), "PATH": path, "LC_ALL": "C.UTF-8"} | kept
    assert (umask, directory) == ("0022", str(root))
