"""docker, kubectl and ctr: how their answers and errors are understood. Stubs stand for the programs."""

import inspect
import json
import stat

import pytest
from delivery.containerd import Containerd
from delivery.docker import Container, Docker, Image
from delivery.kubernetes import Kubernetes
from delivery.process import ProgramFailed, TimedOut

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


# Docker.

IMAGES = r"""
# As version 29.1.3: images without a tag are listed with --all only.
case " $* " in *" --all "*) echo localhost:5000/book-shop@sha256:untagged ;; esac
for digest in sha256:tagged sha256:tagged "<none>"; do echo "localhost:5000/book-shop@$digest"; done
"""


def test_images_without_a_tag_are_listed(stub):
    stub("docker", IMAGES)
    found = Docker().images("localhost:5000/book-shop")
    assert found == ["localhost:5000/book-shop@sha256:tagged", "localhost:5000/book-shop@sha256:untagged"]


def prints(value):
    """A script that prints JSON."""
    return f"cat <<'END'\n{json.dumps(value)}\nEND"


@pytest.mark.parametrize("labels", [None, {}, {"org.opencontainers.image.revision": "abc"}])
def test_an_image_has_a_platform_and_a_revision(stub, labels):
    stub("docker", prints([{"Os": "linux", "Architecture": "arm64", "Config": {"Labels": labels}}]))
    assert Docker().image(REFERENCE) == Image("linux/arm64", "abc" if labels else "")


CONTAINER = {"Config": {"Image": REFERENCE}, "State": {"Running": True, "Pid": 42}, "RestartCount": 2}


def test_a_container_has_an_image_and_a_state(stub):
    stub("docker", prints([CONTAINER]))
    assert Docker().container("book-shop-a") == Container(REFERENCE, True, 2, 42)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("image", "Error: No such image: x"),
        ("image", "Error response from daemon: no such image: x"),
        ("container", "Error: No such container: x"),
    ],
)
def test_what_the_engine_does_not_have_is_none(stub, kind, message):
    stub("docker", f"echo '{message}' >&2; exit 1")
    assert getattr(Docker(), kind)("x") is None


@pytest.mark.parametrize("kind", ["image", "container"])
def test_an_engine_that_does_not_answer_is_an_error(stub, kind):
    stub("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ProgramFailed, match="Cannot connect to the Docker daemon") as error:
        getattr(Docker(), kind)("x")
    assert error.value.remedy == "systemctl status docker"


def test_settings_reach_a_container_by_a_pipe_and_not_by_its_arguments(stub, tmp_path):
    stub("docker", 'echo "$*" >arguments; cat /dev/stdin >settings')
    Docker("--read-only").start("book-shop-a", REFERENCE, 4001, "SECRET_KEY=the-key\n")
    assert (tmp_path / "settings").read_text() == "SECRET_KEY=the-key\n"
    arguments = (tmp_path / "arguments").read_text()
    assert "the-key" not in arguments
    assert "--publish 127.0.0.1:4001:8000" in arguments
    assert "--read-only" in arguments
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


def test_an_image_that_lacks_a_directory_leaves_no_container(stub, tmp_path):
    stub(
        "docker", 'case $1 in create) echo id ;; cp) echo "no such path" >&2; exit 1 ;; rm) echo "$2" >removed ;; esac'
    )
    with pytest.raises(ProgramFailed, match="no such path"):
        Docker().copy_from_image(REFERENCE, "/app/k8s", tmp_path / "k8s")
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


# Kubernetes.


def test_an_object_that_does_not_exist_is_none(stub):
    stub("kubectl", "true")
    assert Kubernetes().get("deployment", "book-shop") is None


@pytest.mark.parametrize(
    ("method", "arguments"), [("get", ("deployment", "x")), ("pods", ("a=b",)), ("delete", ("x",))]
)
def test_a_cluster_that_does_not_answer_is_an_error_with_its_remedy(stub, method, arguments):
    stub("kubectl", "echo 'The connection to the server was refused' >&2; exit 1")
    kubernetes = Kubernetes("--context", "x", remedy="systemctl status k3s")
    with pytest.raises(ProgramFailed, match="connection to the server was refused") as error:
        getattr(kubernetes, method)(*arguments)
    assert error.value.remedy == "systemctl status k3s"
    assert not kubernetes.is_reachable()
    assert kubernetes.logs("web-1", 20) == ""


METHODS = "is_reachable pods apply select delete wait_for_rollout is_rolled_out replace names names_in get difference"


@pytest.mark.parametrize("method", METHODS.split())
def test_a_command_is_for_the_chosen_cluster_and_the_namespace(stub, tmp_path, method):
    stub("kubectl", 'echo "$*" >>commands\n' + prints({"kind": "List", "items": []}))
    function = getattr(Kubernetes("--kubeconfig", "/x/y"), method)
    function(*["x" for p in inspect.signature(function).parameters.values() if p.default is p.empty])
    (command,) = (tmp_path / "commands").read_text().splitlines()
    assert command.startswith("--kubeconfig /x/y --namespace book-shop ")


@pytest.mark.parametrize(("script", "expected"), [("true", ""), ("echo +image; exit 1", "+image\n")])
def test_a_difference_is_no_error(stub, script, expected):
    stub("kubectl", script)
    assert Kubernetes().difference("{}", "a=b") == expected


def test_a_difference_that_cannot_be_computed_is_an_error(stub):
    stub("kubectl", "echo forbidden >&2; exit 2")
    with pytest.raises(ProgramFailed, match="forbidden"):
        Kubernetes().difference("{}", "a=b")


@pytest.mark.parametrize("answer", [{"kind": "Job"}, {"kind": "List", "items": [{"kind": "Job"}]}])
def test_one_manifest_or_several_are_selected(stub, answer):
    stub("kubectl", prints(answer))
    assert Kubernetes().select("{}", "a=b") == [{"kind": "Job"}]
