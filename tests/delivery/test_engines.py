"""docker, kubectl and ctr: how their answers and errors are understood. Stubs stand for the programs."""

import inspect
import json
import stat

import pytest
from delivery.containerd import Containerd
from delivery.docker import Container, Docker, Image
from delivery.kubernetes import Kubernetes
from delivery.process import ProgramFailed, TimedOut
from delivery.settings import snapshot

REFERENCE = f"localhost:5000/book-shop@sha256:{1:064x}"


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A function that puts a program on the PATH: a shell script, which runs in the test's directory."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)

    def make(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


def prints(value):
    """A script that prints JSON."""
    return f"cat <<'END'\n{json.dumps(value)}\nEND"


# What the programs print.

IMAGES = r"""
# As version 29.1.3: images without a tag are listed with --all only.
case " $* " in *" --all "*) echo localhost:5000/book-shop@sha256:untagged ;; esac
for digest in sha256:tagged sha256:tagged "<none>"; do echo "localhost:5000/book-shop@$digest"; done
"""
ALL_IMAGES = ["localhost:5000/book-shop@sha256:tagged", "localhost:5000/book-shop@sha256:untagged"]
ARM = {"Os": "linux", "Architecture": "arm64"}
REVISION = {"org.opencontainers.image.revision": "abc"}
STARTED = "2026-11-25T03:15:00.123456789Z"
CONTAINER = {
    "Id": "abc",
    "Config": {"Image": REFERENCE, "Labels": {"book-shop.settings": "0123456789"}},
    "State": {"Running": True, "Pid": 42, "StartedAt": STARTED},
    "RestartCount": 2,
}
JOB = {"kind": "Job"}
ANSWERS = {
    "images without a tag": (IMAGES, lambda: Docker().images("localhost:5000/book-shop"), ALL_IMAGES),
    "no labels": (prints([ARM | {"Config": {"Labels": None}}]), lambda: Docker().image("x"), Image("linux/arm64", "")),
    "no revision": (prints([ARM | {"Config": {"Labels": {}}}]), lambda: Docker().image("x"), Image("linux/arm64", "")),
    "a list of pages": (
        prints([ARM | {"Config": {"Labels": REVISION | {"book-shop.smoke": "[]"}}}]), lambda: Docker().image("x"),
        Image("linux/arm64", "abc", pages="[]"),
    ),
    "a revision": (
        prints([ARM | {"Config": {"Labels": REVISION}}]), lambda: Docker().image("x"), Image("linux/arm64", "abc")
    ),
    "a container": (
        prints([CONTAINER]),
        lambda: Docker().container("x"),
        Container(REFERENCE, True, 2, 42, "0123456789", "abc", STARTED),
    ),
    "no image": ("echo 'Error: No such image: x' >&2; exit 1", lambda: Docker().image("x"), None),
    "no image, newer": (
        "echo 'Error response from daemon: no such image: x' >&2; exit 1", lambda: Docker().image("x"), None
    ),
    "no container": ("echo 'Error: No such container: x' >&2; exit 1", lambda: Docker().container("x"), None),
    "no object": ("true", lambda: Kubernetes().get("deployment", "book-shop"), None),
    "no difference": ("true", lambda: Kubernetes().difference("{}", "a=b"), ""),
    "a difference": ("echo +image; exit 1", lambda: Kubernetes().difference("{}", "a=b"), "+image\n"),
    "one manifest": (prints(JOB), lambda: Kubernetes().select("{}", "a=b"), [JOB]),
    "no answer": ("exit 1", lambda: Kubernetes().is_reachable(), False),
    "no logs": ("exit 1", lambda: Kubernetes().logs("web-1", 20), ""),
    "several manifests": (prints({"kind": "List", "items": [JOB]}), lambda: Kubernetes().select("{}", "a=b"), [JOB]),
}  # fmt: skip


@pytest.mark.parametrize(("script", "call", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_understood(stub, script, call, expected):
    stub("docker", script)
    stub("kubectl", script)
    assert call() == expected


KUBERNETES = Kubernetes("--context", "x", remedy="systemctl status k3s")
QUESTIONS = {
    "image": (lambda: Docker().image("x"), "systemctl status docker"),
    "container": (lambda: Docker().container("x"), "systemctl status docker"),
    "get": (lambda: KUBERNETES.get("deployment", "x"), "systemctl status k3s"),
    "pods": (lambda: KUBERNETES.pods("a=b"), "systemctl status k3s"),
    "delete": (lambda: KUBERNETES.delete("x"), "systemctl status k3s"),
    "difference": (lambda: KUBERNETES.difference("{}", "a=b"), "systemctl status k3s"),
}


@pytest.mark.parametrize(("call", "remedy"), QUESTIONS.values(), ids=QUESTIONS)
def test_a_system_that_does_not_answer_is_an_error_with_its_remedy(stub, call, remedy):
    for program in ("docker", "kubectl"):
        stub(program, "echo 'cannot connect' >&2; exit 2")
    with pytest.raises(ProgramFailed, match="cannot connect") as error:
        call()
    assert error.value.remedy == remedy


# How the programs are called.


def test_a_query_reaches_the_command_in_a_container_without_a_network_by_a_pipe(stub, tmp_path):
    stub("docker", 'echo "$*" >arguments; cat')
    assert Docker("--read-only").query(REFERENCE, ("check", "it"), '{"SECRET_KEY": "the-key"}', 10) == (
        '{"SECRET_KEY": "the-key"}'
    )
    arguments = (tmp_path / "arguments").read_text()
    assert "the-key" not in arguments
    assert "--rm --interactive" in arguments
    assert f"--read-only --network none {REFERENCE} check it\n" in arguments


@pytest.mark.parametrize(
    ("message", "reported"),
    [
        ("Error from server (BadRequest): the container is waiting to start", ""),
        ("Error from server (NotFound): no such pod", ""),
        ("Error from server (Forbidden): no", "the log of web-1 cannot be read: Error from server (Forbidden): no"),
        ("dial tcp 10.0.0.9:10250: no route to host", "cannot be read: dial tcp 10.0.0.9:10250: no route to host"),
    ],
)
def test_a_log_that_cannot_be_read_is_reported_unless_there_is_none(stub, capfd, message, reported):
    stub("kubectl", f"echo '{message}' >&2; exit 1")
    assert Kubernetes().logs("web-1", 20) == ""
    printed = capfd.readouterr().err
    assert reported in printed
    assert bool(reported) == bool(printed)


def test_an_object_that_exists_is_not_created_again(stub, tmp_path):
    stub("kubectl", "cat >input; echo 'Error from server (AlreadyExists): it exists' >&2; exit 1")
    Kubernetes().create({"kind": "Secret"})
    assert (tmp_path / "input").read_text() == '{"kind": "Secret"}'
    stub("kubectl", "echo 'Error from server (Forbidden): no' >&2; exit 1")
    with pytest.raises(ProgramFailed, match="Forbidden"):
        Kubernetes().create({"kind": "Secret"})


def test_settings_reach_a_container_by_a_pipe_and_not_by_its_arguments(stub, tmp_path):
    stub("docker", 'echo "$*" >arguments; cat /dev/stdin >settings')
    Docker("--read-only").start("book-shop-a", REFERENCE, 4001, snapshot({"SECRET_KEY": "the-key"}))
    assert (tmp_path / "settings").read_text() == "SECRET_KEY=the-key\n"
    arguments = (tmp_path / "arguments").read_text()
    assert "the-key" not in arguments
    assert "--publish 127.0.0.1:4001:8000" in arguments
    assert "--read-only" in arguments
    assert f"--label book-shop.settings={snapshot({'SECRET_KEY': 'the-key'}).version}" in arguments
    assert arguments.endswith(f"{REFERENCE}\n")


ENGINE = """case "$1" in
  container) [ -e exists ] || {{ echo "No such container" >&2; exit 1; }}; {inspect} ;;
  rm) rm exists; echo "$3" >>removed ;;
  run) touch exists; {run} ;;
esac"""


@pytest.mark.parametrize(("run", "raised"), [("exit 1", ProgramFailed), ("exec sleep 60", TimedOut)])
def test_a_container_whose_command_fails_or_hangs_is_removed(stub, tmp_path, run, raised):
    stub("docker", ENGINE.format(inspect=f"echo '{json.dumps([CONTAINER])}'", run=run))
    with pytest.raises(ProgramFailed) as error:
        Docker().run("book-shop-migration", REFERENCE, ("migrate",), "", limit=0.5, show=False)
    assert error.type is raised
    assert (tmp_path / "removed").read_text() == "book-shop-migration\n"


def read_files(image, path, _destination):
    """Reads the archive of a directory in an image to its end."""
    with Docker().files_of_image(image, path) as stream:
        stream.read()


@pytest.mark.parametrize("read", [Docker().copy_from_image, read_files])
def test_an_image_that_lacks_a_directory_leaves_no_container(stub, tmp_path, capfd, read):
    stub(
        "docker", 'case $1 in create) echo id ;; cp) echo "no such path" >&2; exit 1 ;; rm) echo "$2" >removed ;; esac'
    )
    with pytest.raises(ProgramFailed) as error:
        read(REFERENCE, "/app/k8s", tmp_path / "k8s")
    assert "no such path" in error.value.stderr + capfd.readouterr().err
    assert (tmp_path / "removed").read_text() == "id\n"


# containerd.

STORE = r"""
[ "$1" != ctr ] || shift  # of k3s
case "$*" in
  "--namespace k8s.io images ls")
    printf 'REF TYPE DIGEST SIZE\nx/a@sha256:1 type sha256:1 1MiB\nsha256:9 type sha256:1 1MiB\n' ;;
  "--namespace k8s.io images rm "*) echo "$*" >removed ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize("program", ["ctr", "k3s"])
def test_the_images_of_containerd_with_all_their_names(stub, tmp_path, program):
    stub("ctr", "exit 1")
    stub(program, STORE)
    assert Containerd().images() == {"x/a@sha256:1": "sha256:1", "sha256:9": "sha256:1"}
    Containerd().remove(["x/a@sha256:1", "sha256:9"])
    assert (tmp_path / "removed").read_text().endswith("images rm x/a@sha256:1 sha256:9\n")


METHODS = "is_reachable pods apply select delete wait_for_rollout is_rolled_out replace names names_in get difference"


@pytest.mark.parametrize("method", METHODS.split())
def test_a_command_is_for_the_chosen_cluster_and_the_namespace(stub, tmp_path, method):
    stub("kubectl", 'echo "$*" >>commands\n' + prints({"kind": "List", "items": []}))
    function = getattr(Kubernetes("--kubeconfig", "/x/y"), method)
    function(*["x" for p in inspect.signature(function).parameters.values() if p.default is p.empty])
    (command,) = (tmp_path / "commands").read_text().splitlines()
    assert command.startswith("--kubeconfig /x/y --namespace book-shop ")
