"""How new files of the host replace old ones, and what the owner of a host keeps."""

import json
import shutil
import subprocess

import infra
import pytest
from delivery import cli, installation

OWN = {"live-restore": True, "userland-proxy": False}


@pytest.fixture
def home(tmp_path):
    """/opt/book-shop of a host whose own Docker settings are OWN."""
    for directory in ("opt/book-shop/etc/docker", "etc/docker"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "opt/book-shop/etc/docker/daemon.json").write_text(json.dumps(OWN))
    return tmp_path / "opt/book-shop"


@pytest.fixture
def owners(home, tmp_path):
    """The path of the owner's settings, which do not exist yet."""
    return tmp_path / "etc/docker/daemon.json"


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "\n", "{}", '{"live-restore": false}'),
        '{"log-opts": {"max-size": "5m"}, "userland-proxy": true}',
        '{"registry-mirrors": ["https://mirror.example"], "bip": "é"}',
    ],
)
def test_merges_the_hosts_docker_settings_into_the_owners(home, owners, tmp_path, text):
    if text is not None:
        owners.write_text(text)
    settings = json.loads(text) if text and text.strip() else {}
    assert json.loads(installation.docker_settings(home, tmp_path)) == settings | OWN


def test_keeps_the_owners_docker_settings_byte_for_byte_if_nothing_is_missing(home, owners, tmp_path):
    text = '{"userland-proxy":false,\n\t"live-restore": true, "debug": true}'
    owners.write_text(text)
    assert installation.docker_settings(home, tmp_path) == text


@pytest.mark.parametrize("invalid", ["{", "[]", "null", '"x"', "{'live-restore': true}", "// none\n{}", "{} {}"])
def test_invalid_docker_settings_stop_an_install_before_anything_changes(home, owners, tmp_path, invalid):
    owners.write_text(invalid)
    release = tmp_path / "opt/book-shop-releases/new"
    release.parent.mkdir()
    home.rename(release)

    def files():
        return {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    before = files()
    with pytest.raises(
        installation.InvalidDockerSettings, match=f"(?s)invalid '{owners}'.*Nothing was changed"
    ) as error:
        installation.install(release, "localhost:5000/book-shop", "*")
    assert isinstance(error.value, cli.CommandError)
    assert files() == before


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (dict.fromkeys(("public_url_prod", "public_url_dev"), ""), ""),
        (
            {"public_url_prod": "https://shop.example", "public_url_dev": "http://shop.example:8080"},
            "PUBLIC_URL_PROD=https://shop.example\nPUBLIC_URL_DEV=http://shop.example:8080\n",
        ),
        (dict.fromkeys(("aws_region", "parameters", "transfer"), ""), ""),
        (
            {"aws_region": "eu-central-1", "parameters": "/book-shop", "transfer": "bucket"},
            "AWS_REGION=eu-central-1\nPARAMETERS=/book-shop\nTRANSFER=bucket\n",
        ),
    ],
)
def test_an_install_writes_its_values_and_starts_bootstrap(home, tmp_path, monkeypatch, more, lines):
    release, started = tmp_path / "opt/book-shop-releases/new", []
    release.parent.mkdir()
    home.rename(release)
    monkeypatch.setattr(installation.os, "execv", lambda *arguments: started.append(arguments))
    installation.install(release, "localhost:5000/book-shop", "*", **more)
    values = (tmp_path / "etc/book-shop/host.env").read_text()
    assert values == f"REPOSITORY=localhost:5000/book-shop\nALLOWED_HOSTS=*\n{lines}"
    assert started == [(home / "bin/bootstrap", ["bootstrap"])]


def test_exchanges_two_directories(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    installation.exchange(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in sorted(tmp_path.rglob("*/*"))] == ["other", "one"]
    with pytest.raises(FileNotFoundError):
        installation.exchange(tmp_path / "one", tmp_path / "missing")


def test_a_program_that_starts_during_the_exchange_is_found(tmp_path):
    for name in ("book-shop", "release"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/verb").write_text("#!/bin/sh\n")
        (tmp_path / name / "bin/verb").chmod(0o755)
    loop = ["bash", "-ec", 'for _ in {1..300}; do "$0"; done', tmp_path / "book-shop/bin/verb"]
    with subprocess.Popen(loop) as starts:
        while starts.poll() is None:
            installation.exchange(tmp_path / "release", tmp_path / "book-shop")
    assert starts.returncode == 0


@pytest.fixture
def laptop(tmp_path):
    """A copy of what scripts/host-archive reads."""
    return infra.Infra(tmp_path / "laptop")


def archive(laptop):
    command = [laptop.directory / "scripts/host-archive"]
    return subprocess.run(command, env=laptop.environment, check=True, capture_output=True).stdout


@pytest.fixture
def unpacked(laptop, tmp_path):
    """The directory with the files of the archive."""
    subprocess.run(["tar", "-xzf", "-", "-C", tmp_path], input=archive(laptop), check=True)
    return tmp_path


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


def test_the_archive_is_the_same_without_the_options_of_gnu_tools(laptop, tmp_path):
    first, programs = archive(laptop), tmp_path / "bin"
    programs.mkdir()
    for name in ("env", "gzip", "python3"):
        (programs / name).symlink_to(shutil.which(name))
    laptop.environment["PATH"] = str(programs)
    assert archive(laptop) == first


def test_the_archive_has_the_layout_of_the_host(unpacked):
    for source, installed in {
        "scripts/host/bin/bootstrap": "bin/bootstrap",
        "scripts/host/etc/book-shop/firewall.nft": "etc/book-shop/firewall.nft",
        "scripts/host/systemd/k3s.service": "systemd/k3s.service",
        "scripts/host/k8s/namespace.yaml": "k8s/namespace.yaml",
        "scripts/delivery/cli.py": "bin/delivery/cli.py",
        "scripts/delivery/targets/base.py": "bin/delivery/targets/base.py",
        "scripts/lib/say.sh": "lib/say.sh",
        "nginx/book-shop/proxy.conf": "nginx/book-shop/proxy.conf",
    }.items():
        assert (unpacked / installed).read_bytes() == (infra.ROOT / source).read_bytes()
    assert {oct(path.stat().st_mode & 0o777) for path in (unpacked / "bin").iterdir()} == {"0o755"}
    assert oct((unpacked / "nginx/book-shop/proxy.conf").stat().st_mode & 0o777) == "0o644"


@pytest.mark.parametrize("name", ["deploy-dev", "deploy-prod", "rollback-dev", "rollback-prod"])
def test_an_outdated_checkout_gets_the_command_that_updates_it(unpacked, name):
    done = subprocess.run([unpacked / "bin" / name, "r@sha256:1"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"{name}: this checkout is older than the host")
    assert done.stderr.endswith("Update it: git pull\n")
    assert not (unpacked / "bin/outdated-checkout").exists()
