"""How new files of the host replace old ones, and what the owner of a host keeps."""

import json
import subprocess
import sys
from pathlib import Path

import infra
import pytest
from delivery import cli, installation

OWN = {"live-restore": True, "userland-proxy": False}


@pytest.fixture
def host(tmp_path):
    """(root, home): a host whose own Docker settings are OWN, and no daemon.json."""
    home = tmp_path / "opt/book-shop"
    (home / "etc/docker").mkdir(parents=True)
    (home / "etc/docker/daemon.json").write_text(json.dumps(OWN))
    (tmp_path / "etc/docker").mkdir(parents=True)
    return tmp_path, home


@pytest.mark.parametrize(
    ("theirs", "merged"),
    [
        (None, OWN),
        ("", OWN),
        ("\n", OWN),
        ("{}", OWN),
        ('{"live-restore": false}', OWN),
        ('{"log-opts": {"max-size": "5m"}, "userland-proxy": true}', {"log-opts": {"max-size": "5m"}} | OWN),
        ('{"registry-mirrors": ["https://mirror.example"], "bip": "é"}', None),
    ],
)
def test_dockers_settings_are_the_owners_with_the_hosts(host, theirs, merged):
    root, home = host
    if theirs is not None:
        (root / "etc/docker/daemon.json").write_text(theirs)
    merged = json.loads(theirs) | OWN if merged is None else merged
    assert json.loads(installation.docker_settings(home, root)) == merged


def test_dockers_settings_stay_byte_for_byte_when_nothing_is_missing(host):
    root, home = host
    text = '{"userland-proxy":false,\n\t"live-restore": true, "debug": true}'
    (root / "etc/docker/daemon.json").write_text(text)
    assert installation.docker_settings(home, root) == text


@pytest.mark.parametrize("invalid", ["{", "[]", "null", '"x"', "{'live-restore': true}", "// none\n{}", "{} {}"])
def test_invalid_settings_of_docker_stop_an_install_before_anything_changes(host, invalid):
    root, home = host
    (root / "etc/docker/daemon.json").write_text(invalid)
    release = root / "opt/book-shop-releases/new"
    release.parent.mkdir()
    home.rename(release)
    before = {path: path.is_file() and path.read_bytes() for path in root.rglob("*")}
    with pytest.raises(installation.InvalidDockerSettings) as error:
        installation.install(release, "localhost:5000/book-shop", "*")
    assert f"invalid '{root / 'etc/docker/daemon.json'}'" in str(error.value)
    assert "Nothing was changed" in str(error.value)
    assert isinstance(error.value, cli.CommandError)
    assert {path: path.is_file() and path.read_bytes() for path in root.rglob("*")} == before


def test_two_directories_are_exchanged(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    installation.exchange(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in sorted(tmp_path.rglob("*/*"))] == ["other", "one"]
    with pytest.raises(FileNotFoundError):
        installation.exchange(tmp_path / "one", tmp_path / "missing")


# Starts a program again and again.
STARTS = """
import subprocess, sys
for _ in range(300):
    subprocess.run([sys.argv[1]], check=True)
"""


def test_a_program_that_starts_while_the_files_are_exchanged_is_found(tmp_path):
    for name in ("book-shop", "release"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/verb").write_text("#!/bin/sh\n")
        (tmp_path / name / "bin/verb").chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", STARTS, tmp_path / "book-shop/bin/verb"]) as starts:
        while starts.poll() is None:
            installation.exchange(tmp_path / "release", tmp_path / "book-shop")
    assert starts.returncode == 0


@pytest.fixture
def laptop(tmp_path):
    """A copy of what scripts/host-archive reads."""
    return infra.Infra(tmp_path / "laptop")


def archive(laptop):
    return subprocess.run(
        [laptop.directory / "scripts/host-archive"], env=laptop.environment, check=True, capture_output=True
    ).stdout


def test_the_archive_depends_on_the_files_alone(laptop):
    first = archive(laptop)
    verb = laptop.directory / "scripts/host/bin/bootstrap"
    verb.touch()
    verb.chmod(0o700)
    (laptop.directory / "nginx/conf.d/book-shop.conf").chmod(0o600)
    cache = laptop.directory / "scripts/delivery/__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "cli.pyc").touch()
    assert archive(laptop) == first
    with verb.open("a") as file:
        file.write("# changed\n")
    assert archive(laptop) != first


def test_the_archive_is_laid_out_as_on_the_host(laptop, tmp_path):
    subprocess.run(["tar", "-xzf", "-", "-C", tmp_path], input=archive(laptop), check=True)
    scripts = infra.ROOT / "scripts"
    for source, installed in {
        scripts / "host/bin/bootstrap": "bin/bootstrap",
        scripts / "host/etc/book-shop/firewall.nft": "etc/book-shop/firewall.nft",
        scripts / "host/systemd/k3s.service": "systemd/k3s.service",
        scripts / "host/k8s/namespace.yaml": "k8s/namespace.yaml",
        scripts / "delivery/cli.py": "bin/delivery/cli.py",
        scripts / "delivery/targets/base.py": "bin/delivery/targets/base.py",
        scripts / "lib/say.sh": "lib/say.sh",
        infra.ROOT / "nginx/book-shop/proxy.conf": "nginx/book-shop/proxy.conf",
    }.items():
        assert (tmp_path / installed).read_bytes() == source.read_bytes()
    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "bin").iterdir()}
    assert modes == {"0o755"}
    assert oct((tmp_path / "nginx/book-shop/proxy.conf").stat().st_mode & 0o777) == "0o644"


@pytest.mark.parametrize("name", ["deploy-dev", "deploy-prod", "rollback-dev", "rollback-prod"])
def test_an_old_checkout_is_told_to_update_itself(laptop, tmp_path, name):
    subprocess.run(["tar", "-xzf", "-", "-C", tmp_path], input=archive(laptop), check=True)
    done = subprocess.run([tmp_path / "bin" / name, "r@sha256:1"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"{name}: this checkout is older than the host")
    assert done.stderr.endswith("Update it: git pull\n")
    assert not Path(tmp_path / "bin/outdated-checkout").exists()
