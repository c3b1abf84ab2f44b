"""The verbs as programs with HOST=aws: on a fake ECR Public (TLS with its real name, its token handshake, stale reads,
an API without stale reads) and over the documents of Systems Manager."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import fake_ecr_public
import fake_systems_manager
import loopback
import oci
import pytest
import token_registry

ROOT = Path(__file__).parents[2]
REPOSITORY = f"public.ecr.aws/{fake_ecr_public.ALIAS}/book-shop"

# The programs of the laptop, next to Python and Docker: there is no apt-get, sudo, flock, ss or sha256sum.
TOOLS = ("basename", "bash", "cat", "dirname", "env", "git", "mkdir", "mktemp", "rm", "sh", "tar")

DOCKER = """#!{python}
import json, os, sys
sys.path.insert(0, {lib!r})
import oci
if sys.argv[1:3] == ["image", "ls"]:
    print("0123456789ab")
elif sys.argv[1:3] == ["image", "inspect"]:
    print(open({place!r} + ("/digests" if "RepoDigests" in sys.argv[4] else "/labels")).read())
elif sys.argv[1] == "context":
    print("unix:///var/run/docker.sock")
elif sys.argv[1] == "login":
    open(os.environ["DOCKER_CONFIG"] + "/password", "w").write(sys.stdin.read())
elif sys.argv[1] == "push":
    if open(os.environ["DOCKER_CONFIG"] + "/password").read() != "a password":
        sys.exit("denied: no password")
    labels = json.load(open({place!r} + "/labels"))
    upstream = sys.argv[2].replace("public.ecr.aws", {upstream!r})
    digest = oci.push(upstream, labels)
    with open({place!r} + "/digests", "w") as file:
        json.dump([sys.argv[2].rpartition(":")[0] + "@" + digest], file)
"""
VERB = """#!/bin/sh
echo "$(basename "$0") $* by $DELIVERY_ACTOR" >>"{log}"
{body}
"""


class Aws:
    """A shop in a git repository, the AWS account to which it is deployed, and the host there."""

    def __init__(self, place, repository, upstream, front, api, manager, certificate):
        self.place, self.git, self.upstream, self.front, self.api = place, repository, upstream, front, api
        self.manager = manager
        (place / "bin").mkdir()
        for tool in TOOLS:
            (place / "bin" / tool).symlink_to(shutil.which(tool))
        (place / "bin/python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (place / "bin/python3").chmod(0o755)
        loopback.redirect(place / "python", {("public.ecr.aws", 443): front.port})
        lib = str(Path(oci.__file__).parent)
        docker = DOCKER.format(python=sys.executable, place=str(place), upstream=upstream, lib=lib)
        (place / "bin/docker").write_text(docker)
        (place / "bin/docker").chmod(0o755)
        (place / "shop/scripts").parent.mkdir(exist_ok=True)
        (place / "shop/scripts").symlink_to(ROOT / "scripts")
        self.environment = {
            "PATH": f"{place}/bin",
            "PYTHONPATH": str(place / "python"),
            "HOME": str(place),
            "LOGNAME": "tester",
            "DELIVERY_HOST": "aws",
            "DELIVERY_NAME": "book-shop",
            "DELIVERY_REPOSITORY": "",
            "SSL_CERT_FILE": certificate,
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": manager.url,
            "AWS_ENDPOINT_URL_ECR_PUBLIC": api.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        } | {name: value for name, value in os.environ.items() if name.startswith("GIT_")}

    def verb(self, *words, status=0, input="", **more):
        """Runs a verb of the shop's with `input` on stdin and returns (stdout, stderr)."""
        command = [sys.executable, f"scripts/{words[0]}", *words[1:]]
        more = {"cwd": self.place / "shop", "env": self.environment | more, "capture_output": True, "text": True}
        done = subprocess.run(command, input=input, **more)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def host_does(self, verb, body=""):
        path = self.place / "host/opt/book-shop/bin" / verb
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(VERB.format(log=self.place / "verbs", body=body))
        path.chmod(0o755)

    def host_has(self, current):
        """The status of the host names this image as the current one of both environments."""
        entries = [{"environment": name, "current": current} for name in ("dev", "prod")]
        self.host_does("status", f"cat <<'END'\n{json.dumps({'environments': entries})}\nEND")

    def host_did(self):
        log = self.place / "verbs"
        return log.read_text().splitlines() if log.exists() else []

    def commit(self, text, **more):
        """Commits the source, puts its image with more labels into the engine, and returns the commit."""
        commit = self.git.commit({"book-shop/x": text})
        source = "-".join(self.git.git("rev-parse", f"{commit}:{tree}") for tree in ("book-shop", "k8s"))
        labels = {"org.opencontainers.image.revision": commit, "org.opencontainers.image.version": "1.0.0"}
        labels["book-shop.source"] = source
        labels |= more
        (self.place / "labels").write_text(json.dumps(labels))
        return commit


@pytest.fixture
def aws(tmp_path_factory, repository, certificate):
    place = tmp_path_factory.mktemp("aws")
    process, upstream = oci.serve(place / "registry")  # one per test: the repository always has the same name
    front = token_registry.TokenRegistry(upstream, certificate, "public.ecr.aws")
    front.cached = {}
    api = fake_ecr_public.EcrPublic()
    api.on_CreateRepository("book-shop")
    manager = fake_systems_manager.SystemsManager(place / "host")
    (place / "shop").symlink_to(Path.cwd())
    api.upstream = upstream
    made = Aws(place, repository, upstream, front, api, manager, certificate[0])
    project = '[project]\nversion = "1.0.0"\n'
    repository.commit({"book-shop/pyproject.toml": project, "k8s/x": "x", ".gitignore": "scripts"})
    yield made
    for server in (front, api, manager):
        server.close()
    process.terminate()
    process.wait(timeout=30)


def test_push_promote_deploy_and_rollback_with_a_registry_whose_reads_are_stale(aws):
    for verb in ("deploy", "rollback"):
        aws.host_does(verb, f'echo "==> {verb} $1" >&2; echo "from the host"')
    aws.host_does("plan")
    aws.host_has(None)
    commit = aws.commit("one")
    tag = f"1.0.0-SNAPSHOT-{commit}"
    aws.verb("promote", status=1)  # no such snapshot yet
    old = f"HEAD /v2/{fake_ecr_public.ALIAS}/book-shop/manifests/{tag}"
    aws.front.cached[old] = token_registry.error(404, "NOT_FOUND", "")

    image, said = aws.verb("push")
    digest = oci.digest(f"{aws.upstream}/{fake_ecr_public.ALIAS}/book-shop:{tag}")
    assert image == f"{REPOSITORY}@{digest}\n"
    assert aws.verb("push") == (image, f"==> {tag} is in the registry already\n")
    assert aws.verb("deploy", "dev")[0] == image
    assert aws.host_did() == ["status  by tester", f"deploy dev {image.strip()} none by tester"]
    aws.host_has({"image": image.strip(), "version": "1.0.0", "commit": commit})
    forced = {"DELIVERY_FORCE": "1", "DELIVERY_REASON": 'it\'s $(not) `that` "new"'}
    aws.verb("deploy", "dev", **forced)
    assert aws.host_did()[3:] == [f"deploy dev {image.strip()} unordered {forced['DELIVERY_REASON']} by tester"]
    aws.verb("deploy", "dev", DELIVERY_PLAN="1")
    assert aws.host_did()[5:] == [f"plan dev {image.strip()} {digest} by tester"]

    aws.verb("deploy", "prod", status=1)  # not released yet
    assert aws.verb("promote") == (image, f"==> promoting {tag} to 1.0.0\n")
    assert aws.verb("promote") == (image, f"==> 1.0.0 is {tag} already\n")
    out, said = aws.verb("deploy", "prod")
    assert (out, said) == (image, "==> deploy prod\nfrom the host\n")
    aws.verb("rollback", "prod")
    assert aws.host_did()[6:] == [f"deploy prod {image.strip()} by tester", "rollback prod by tester"]

    # Another source under the same version is refused, in spite of a stale read.
    aws.commit("two")
    aws.verb("push")
    aws.front.cached[old.replace(tag, "1.0.0")] = token_registry.error(404, "X", "")
    _, said = aws.verb("promote", status=1)
    assert f"{REPOSITORY}:1.0.0 is released already, as another image" in said
    assert oci.digest(f"{aws.upstream}/{fake_ecr_public.ALIAS}/book-shop:1.0.0") == digest


def test_an_image_on_a_substitute_base_is_not_pushed(aws):
    aws.commit("one", **{"book-shop.base": "substitute"})
    _, said = aws.verb("push", status=1)
    assert "must not leave this machine" in said
    assert oci.tags(f"{aws.upstream}/{fake_ecr_public.ALIAS}/book-shop") == []


def test_deploy_fails_with_the_status_and_message_of_the_host(aws):
    aws.commit("one")
    aws.verb("push")
    aws.host_has(None)
    aws.host_does("deploy", 'echo "deploy: slot b crashes at start" >&2; exit 7')
    out, said = aws.verb("deploy", "dev", status=7)
    assert out == ""
    assert said.startswith("deploy: slot b crashes at start\n")


def test_status_logs_and_prune_over_systems_manager(aws):
    digests = []
    for number in range(5):
        commit = aws.commit(str(number))
        digests.append(aws.verb("push")[0].strip().partition("@")[2])
    aws.verb("promote", commit)
    environments = [
        {"environment": "dev", "digest": digests[0], "previous": digests[1]},
        {"environment": "prod", "digest": digests[4], "previous": None},
    ]
    rest = {"version": "1.0.0", "revision": "a" * 40, "healthy": True}
    answer = json.dumps({"environments": [rest | environment for environment in environments], "host_files": "x"})
    aws.host_does("status", f"echo '{answer}'")
    table = aws.verb("status")[0].splitlines()
    assert table[1].startswith("dev   http://203.0.113.7:8080  1.0.0")
    assert table[2].startswith("prod  http://203.0.113.7       1.0.0")
    assert aws.verb("status", "json")[0] == answer + "\n"

    aws.host_does("logs", 'for n in $(seq "$2"); do printf "{\\"n\\": %0100d}\\n" "$n"; done')
    out, said = aws.verb("logs", "dev", "1000")
    assert len(out.splitlines()) > 100
    assert "characters that Systems Manager passes on: the last " in said
    assert aws.host_did()[2] == "logs dev 1000 by tester"

    out, said = aws.verb("prune", "1")
    assert said == "==> 2 of 5 images can be deleted: make prune-now KEEP=1\n"
    assert {line.split()[1] for line in out.splitlines() if line.startswith("delete")} == set(digests[2:4])
    assert len(aws.api.images["book-shop"]) == 5
    aws.verb("prune", "-y", "1")
    assert set(aws.api.images["book-shop"]) == {digests[0], digests[1], digests[4]}
    deleted = [request for operation, request in aws.api.calls if operation == "BatchDeleteImage"]
    assert all(list(image) == ["imageTag"] for request in deleted for image in request["imageIds"])
    aws.host_does("status", "exit 3")
    assert "the status verb failed with exit status 3" in aws.verb("prune", "-y", "1", status=1)[1]


def test_backup_and_restore_over_systems_manager(aws):
    aws.host_does("backup", 'echo "==> back up dev" >&2; echo /var/backups/book-shop/dev/20261125T031500Z.dump')
    aws.host_does("backups", "echo dev 20261125T031500Z 1000; echo dev 20261124T031500Z 1000")
    aws.host_does("restore", 'echo "==> dev has the data" >&2')
    aws.host_has(None)
    path = "/var/backups/book-shop/dev/20261125T031500Z.dump\n"
    assert aws.verb("backup") == aws.verb("backup", "dev") == (path, "==> back up dev\n")
    out, said = aws.verb("restore", "-y", "dev")
    assert out == ""
    assert said.startswith("==> dev (http://203.0.113.7:8080) gets the data of 2026-11-25 03:15:00 UTC\n")
    assert said.endswith("==> dev has the data\n")
    aws.verb("restore", "-y", "dev", "20261124T031500Z")
    assert [line.removesuffix(" by tester") for line in aws.host_did()] == [
        "backup ",
        "backup dev",
        *("backups ", "status ", "restore dev 20261125T031500Z"),
        *("backups ", "status ", "restore dev 20261124T031500Z"),
    ]
    sent = [request["DocumentName"] for operation, request in aws.manager.calls if operation == "SendCommand"]
    assert [name for name in sent if name not in ("book-shop-dev", "book-shop-prod")] == ["book-shop-data"] * 6
    assert len(sent) == 8  # two were for the status


# bin/attached of the host, with the instance's role and addresses; the verbs next to it are those of the test.
ATTACHED = """#!{python}
import runpy, sys
sys.path.insert(0, {scripts!r})
from delivery import attached, host_cli, paths
host_cli.ENVIRONMENT |= {role!r}
attached.Paths = lambda: paths.Paths({root!r})
sys.argv[0] = {scripts!r} + "/host/bin/attached"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def bucket(aws):
    """The bucket for transfers on moto's S3, for laptop and host. Returns a function that lists its objects."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    aws.environment |= {"AWS_ENDPOINT_URL_S3": address, "AWS_ENDPOINT_URL_STS": address}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
    s3 = boto3.client("s3", endpoint_url=address, **keys)
    name = f"book-shop-transfer-{fake_ecr_public.ACCOUNT}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    role = {name: aws.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    settings = aws.place / "host/etc/book-shop"
    settings.mkdir(parents=True)
    (settings / "host.env").write_text(
        f"REPOSITORY=x\nAWS_REGION=eu-central-1\nPARAMETERS=/book-shop\nTRANSFER={name}\n"
    )
    program = aws.place / "host/opt/book-shop/bin/attached"
    program.parent.mkdir(parents=True)
    values = {"role": role | {"AWS_ENDPOINT_URL": address}, "root": str(aws.place / "host")}
    program.write_text(ATTACHED.format(python=sys.executable, scripts=str(ROOT / "scripts"), **values))
    program.chmod(0o755)
    yield lambda: [entry["Key"] for entry in s3.list_objects_v2(Bucket=name).get("Contents", [])]
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    server.stop()


def test_a_setting_reaches_the_host_through_the_bucket_and_leaves_no_trace(aws, bucket):
    secret = "it's a $(touch x) `secret` {ü}"
    aws.host_does("set", f'cat >"{aws.place}/value"; env >"{aws.place}/environment"; echo "==> dev has it" >&2')
    out, said = aws.verb("set", "dev", "EMAIL_HOST_PASSWORD", input=f"{secret}\n")
    assert (out, said) == ("", "==> dev has it\n")
    assert (aws.place / "value").read_text() == secret
    assert aws.host_did() == ["set dev EMAIL_HOST_PASSWORD by tester"]
    assert bucket() == []
    sent = [request for operation, request in aws.manager.calls if operation == "SendCommand"]
    assert [request["DocumentName"] for request in sent] == ["book-shop-settings"]
    assert "`secret`" not in json.dumps(aws.manager.calls) + (aws.place / "environment").read_text()


def test_a_setting_that_the_host_refuses_keeps_the_status_of_the_host(aws, bucket):
    aws.host_does("set", 'cat >/dev/null; echo "set: invalid setting" >&2; exit 2')
    out, said = aws.verb("set", "prod", "EMAIL_PORT", input="x", status=2)
    assert (out, said.splitlines()[0]) == ("", "set: invalid setting")
    assert bucket() == []


def test_image_finds_the_repository_or_prints_the_remedy(aws):
    settings = {"env": aws.environment, "capture_output": True, "text": True}
    command = [sys.executable, "-m", "delivery", "repository"]
    done = subprocess.run(command, cwd=aws.place / "shop/scripts", **settings)
    assert (done.stdout, done.stderr) == (f"{REPOSITORY}\n", "")
    aws.environment["DELIVERY_NAME"] = "other"
    done = subprocess.run(["bash", "scripts/image"], cwd=aws.place / "shop", **settings)
    assert done.returncode == 1
    assert "repository: AWS rejected the request" in done.stderr
    assert "remedy: make infra" in done.stderr
