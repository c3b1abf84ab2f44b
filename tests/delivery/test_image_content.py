"""An image is compared with its commit."""

import contextlib
import io
import tarfile
from pathlib import Path

import pytest
from delivery import context, docker, git, image_content
from delivery.cli import CommandError

COMMITTED = {
    "book-shop/Dockerfile": "FROM scratch\n", "book-shop/a/run": "#!/bin/sh\n", "book-shop/a/b.txt": "text",
    "k8s/shop.yaml": "kind: Deployment\n",
}  # fmt: skip


class FakeImage:
    """The files of an image below /app: those of the build context, {path: (TarInfo, bytes)}."""

    def __init__(self):
        context.write(git.resolve(), "context.tar")
        with tarfile.open("context.tar", errors="surrogateescape") as archive:
            self.files = {m.name: (m, archive.extractfile(m).read() if m.isreg() else b"") for m in archive}

    def add(self, path, content=b"", type=tarfile.REGTYPE, link=""):
        """Adds a file or replaces it."""
        member = tarfile.TarInfo(path)
        member.type, member.size, member.linkname, member.mode = type, len(content), link, 0o644
        self.files[path] = (member, content)

    @contextlib.contextmanager
    def stream(self, docker, image, path):
        """As Docker.files_of_image: the archive of docker cp."""
        assert (image, path) == ("sha256:1", "/app")
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", errors="surrogateescape") as archive:
            root = tarfile.TarInfo("app")
            root.type = tarfile.DIRTYPE
            archive.addfile(root)
            for path, (member, content) in self.files.items():
                member.name = f"app/{path}"
                archive.addfile(member, io.BytesIO(content))
        file.seek(0)
        yield file


@pytest.fixture
def image(repository, monkeypatch):
    """The FakeImage of HEAD."""
    Path("book-shop/a").mkdir(parents=True)
    Path("book-shop/a/run").touch(mode=0o755)
    Path("book-shop/link").symlink_to("a/b.txt")
    repository.commit(COMMITTED)
    made = FakeImage()
    monkeypatch.setattr(docker.Docker, "files_of_image", lambda *arguments: made.stream(*arguments))
    return made


def differences():
    """What is reported about the image of HEAD."""
    with pytest.raises(CommandError) as raised:
        image_content.check(git.resolve(), "sha256:1")
    assert f"the image of commit {git.resolve()} does not have the content of the commit" in str(raised.value)
    return [line.strip() for line in raised.value.why.splitlines()[1:]]


def test_an_image_with_the_entries_of_its_commit_and_generated_files_passes(image):
    for path in ("staticfiles/style.1.css", "a/__pycache__/b.cpython-313.pyc", "__pycache__/manage.pyc"):
        image.add(path, b"generated")
    image_content.check(git.resolve(), "sha256:1")


CHANGES = {
    "a/b.txt: missing": lambda image: image.files.pop("a/b.txt"),
    "a/b.txt: changed": lambda image: image.add("a/b.txt", b"text\r\n"),
    "k8s/shop.yaml: missing": lambda image: image.files.pop("k8s/shop.yaml"),
    "a/run: not executable": lambda image: image.add("a/run", COMMITTED["book-shop/a/run"].encode()),
    "Dockerfile: executable": lambda image: setattr(image.files["Dockerfile"][0], "mode", 0o755),
    "link: changed": lambda image: image.add("link", type=tarfile.SYMTYPE, link="a/run"),
    "more.txt: not in the commit": lambda image: image.add("more.txt", b"more"),
    "a/socket: not in the commit": lambda image: image.add("a/socket", type=tarfile.FIFOTYPE),
    "'new\\nline': not in the commit": lambda image: image.add("new\nline", b""),
}


@pytest.mark.parametrize("difference", CHANGES)
def test_names_a_difference(image, difference):
    CHANGES[difference](image)
    assert differences() == [difference]


def test_a_link_that_became_a_file_and_a_directory_that_became_a_link_are_changes(image):
    image.add("link", b"text")
    image.add("k8s", type=tarfile.SYMTYPE, link="a")
    assert differences() == ["k8s: changed", "link: changed"]


def test_a_hard_link_is_the_file_that_it_names(image):
    image.add("a/b.txt", type=tarfile.LNKTYPE, link="app/Dockerfile")
    assert differences() == ["a/b.txt: changed"]


def test_commits_with_another_hash_function_are_compared_too(repository, image, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("sha256"))
    repository.git("init", "-q", "-b", "main", "--object-format=sha256")
    repository.git("config", "user.name", "t")
    repository.git("config", "user.email", "t@example.com")
    repository.commit(COMMITTED)
    image.files = FakeImage().files
    image_content.check(git.resolve(), "sha256:1")
    image.add("a/b.txt", b"other")
    assert differences() == ["a/b.txt: changed"]


def test_fails_when_the_engine_sends_no_archive(image, monkeypatch):
    @contextlib.contextmanager
    def broken(*_):
        yield io.BytesIO(b"no archive")

    monkeypatch.setattr(docker.Docker, "files_of_image", broken)
    with pytest.raises(CommandError, match="cannot read the image sha256:1"):
        image_content.check(git.resolve(), "sha256:1")
