"""The build context of a commit: what Git stores, whatever the caller's settings are; and the entries it refuses."""

import subprocess
import tarfile
from pathlib import Path

import pytest
from delivery import context, git
from delivery.cli import CommandError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"


@pytest.fixture
def commit(repository):
    """A function that commits files, {path: text}, next to those that every commit has."""
    needed = {"book-shop/Dockerfile": "FROM scratch\n", "k8s/shop.yaml": "kind: Deployment\n"}
    return lambda files, **options: repository.commit(needed | files, **options)


def written(name="HEAD"):
    """The build context of a commit: {path: TarInfo}, and {path: bytes}."""
    context.write(git.resolve(name), "context.tar")
    with tarfile.open("context.tar", errors="surrogateescape") as archive:
        members = {member.name: member for member in archive}
        return members, {name: archive.extractfile(member).read() for name, member in members.items() if member.isreg()}


def refusal(name="HEAD"):
    """The error of a commit whose build context cannot be written."""
    with pytest.raises(CommandError) as raised:
        context.write(git.resolve(name), "context.tar")
    assert raised.value.status == 1
    return raised.value.why


def tree(*entries):
    """The hash of a new tree with these entries, as git-ls-tree prints them."""
    lines = "".join(f"{entry}\x00" for entry in entries)
    return run_git("mktree", "-z", stdin=lines.encode())


def run_git(*arguments, stdin=None):
    """The output of git, which reads these bytes."""
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_contains_both_trees_with_modes_links_and_the_date_of_the_commit(repository, commit):
    Path("book-shop/a/b").mkdir(parents=True)
    Path("book-shop/a/run").write_text("#!/bin/sh\n")
    Path("book-shop/a/run").chmod(0o755)
    Path("book-shop/a/b/link").symlink_to("../../Dockerfile")
    commit({"README.md": "not in the image"})
    members, contents = written()
    date = int(repository.git("log", "-1", "--format=%ct"))
    assert sorted(members) == ["Dockerfile", "a", "a/b", "a/b/link", "a/run", "k8s", "k8s/shop.yaml"]
    assert contents["k8s/shop.yaml"] == b"kind: Deployment\n"
    assert [oct(members[path].mode) for path in ("Dockerfile", "a", "a/run")] == ["0o644", "0o755", "0o755"]
    assert (members["a/b/link"].issym(), members["a/b/link"].linkname) == (True, "../../Dockerfile")
    assert {member.mtime for member in members.values()} == {date}


ATTRIBUTES = {
    "export-ignore": "*.txt export-ignore", "export-subst": "*.txt export-subst", "line endings": "*.txt eol=crlf",
    "ident": "*.txt ident", "filter": "*.txt filter=upper", "encoding": "*.txt working-tree-encoding=UTF-16",
}  # fmt: skip
SETTINGS = {
    "core.autocrlf": "true", "core.eol": "crlf", "core.attributesFile": "{}/attributes", "tar.umask": "0077",
    "filter.upper.smudge": "tr a-z A-Z", "filter.upper.clean": "cat", "core.quotePath": "true",
    "core.fileMode": "false",
}  # fmt: skip
CONTENT = "$Format:%H$ $Id$\nsecond line\n"


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("where", ["in the commit", "of the clone", "of the user"])
def test_attributes_and_settings_change_nothing(repository, commit, tmp_path, attribute, where):
    line = f"{ATTRIBUTES[attribute]}\n"
    commit({"book-shop/a.txt": CONTENT})
    if where == "in the commit":
        attributes = run_git("hash-object", "-w", "--stdin", stdin=line.encode())
        repository.git("update-index", "--add", "--cacheinfo", f"100644,{attributes},book-shop/.gitattributes")
        repository.git("commit", "-q", "-m", "attributes")
    for name, value in SETTINGS.items():
        repository.git("config", name, value.format(tmp_path))
    if where != "in the commit":
        path = Path(".git/info/attributes") if where == "of the clone" else tmp_path / "attributes"
        path.parent.mkdir(exist_ok=True)
        path.write_text(line)
    members, contents = written()
    assert contents["a.txt"] == CONTENT.encode()
    assert oct(members["a.txt"].mode) == "0o644"
    assert (".gitattributes" in members) == (where == "in the commit")


@pytest.mark.parametrize(
    "variable",
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"],
)
def test_git_variables_of_the_caller_change_nothing(repository, commit, tmp_path_factory, monkeypatch, variable):
    head = commit({"book-shop/a.txt": "this one"})
    monkeypatch.setenv(variable, str(tmp_path_factory.mktemp("other")))
    assert git.resolve() == head
    assert written()[1]["a.txt"] == b"this one"


@pytest.mark.parametrize("kind", ["GIT_DIR", "replaced"])
def test_the_order_of_commits_is_that_of_this_repository(repository, commit, monkeypatch, tmp_path, kind):
    first, second = commit({"book-shop/x": "1"}), commit({"book-shop/x": "2"})
    if kind == "GIT_DIR":
        monkeypatch.setenv("GIT_DIR", str(tmp_path))
    else:
        repository.git("replace", "--graft", second)
    assert (git.is_ancestor(first, second), git.is_ancestor(second, first)) == (True, False)


@pytest.mark.parametrize("kind", ["commit", "blob", "tree"])
def test_replaced_objects_change_nothing(repository, commit, kind):
    name = {"commit": "", "blob": ":book-shop/a.txt", "tree": ":book-shop"}[kind]
    first = commit({"book-shop/a.txt": "first"})
    second = commit({"book-shop/a.txt": "second"})
    repository.git("replace", f"{second}{name}", f"{first}{name}")
    assert written(second)[1]["a.txt"] == b"second"


def test_files_that_docker_and_git_ignore_are_contained(repository, commit):
    ignored = [".dockerignore", ".gitignore", ".hidden", "a.pyc", "x/.gitattributes"]
    Path("book-shop/x").mkdir(parents=True)
    for name in ignored:
        Path("book-shop", name).write_text("*\n**/.*\n")
    repository.git("add", "--force", "book-shop")
    commit({})
    assert written()[0].keys() >= set(ignored)


@pytest.mark.parametrize(
    "name", ["new\nline", "tab\t", "a b'\"\\", "-x", "ünï", "A", "a", b"\xff".decode(errors="surrogateescape")]
)
def test_odd_names_are_contained(commit, name):
    commit({"book-shop/" + name: "odd", "book-shop/a": "other", "book-shop/" + "d" * 200 + "/" + "e" * 200: "long"})
    _, contents = written()
    assert contents[name] == (b"other" if name == "a" else b"odd")
    assert contents["d" * 200 + "/" + "e" * 200] == b"long"


def test_an_empty_directory_is_contained(repository, commit):
    commit({})
    outer = tree(f"040000 tree {tree()}\todd")
    root = tree(f"040000 tree {outer}\tbook-shop", f"040000 tree {repository.git('rev-parse', 'HEAD:k8s')}\tk8s")
    members, _ = written(repository.git("commit-tree", "-m", "odd", root))
    assert members["odd"].isdir()


def test_an_old_mode_of_a_file_is_that_of_today(repository, commit):
    commit({"book-shop/a.txt": "text"})
    content = b"100664 old\0" + bytes.fromhex(repository.git("rev-parse", "HEAD:book-shop/a.txt"))
    old = run_git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=content)
    root = tree(f"040000 tree {old}\tbook-shop", f"040000 tree {old}\tk8s")
    members, contents = written(repository.git("commit-tree", "-m", "old", root))
    assert (oct(members["old"].mode), contents["k8s/old"]) == ("0o644", b"text")


@pytest.mark.parametrize("tree", ["book-shop", "k8s"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (POINTER, "a Git LFS pointer"),
        (POINTER.replace("git-lfs.github", "hawser.github"), "a Git LFS pointer"),
        ("/annex/objects/SHA256E-s3--abc.png\n", "a git-annex pointer"),
        ("\0GITCRYPT\0secret", "encrypted by git-crypt"),
    ],
)
def test_refuses_a_file_that_stands_for_another_one(commit, tree, content, problem):
    commit({f"{tree}/covers/one.png": content, "book-shop/two": "fine"})
    assert refusal() == f"it cannot contain\n    {tree}/covers/one.png: {problem}"


def test_a_long_file_that_quotes_a_pointer_is_contained(commit):
    commit({"book-shop/lfs.md": POINTER + "x" * context.LONGEST})
    assert len(written()[1]["lfs.md"]) > context.LONGEST


@pytest.mark.parametrize("tree", ["book-shop", "k8s"])
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("link", "/etc/passwd"), ("link", ".."), ("link", "../README.md"), ("a/link", "../../k8s/shop.yaml"),
        ("a/b/link", "../../../x"), ("link", "a/../../x"), ("link", "other/../.."), ("link", "outside/x"),
    ],
)  # fmt: skip
def test_refuses_a_link_out_of_its_directory(commit, tree, path, target):
    """Also by another link: other -> a/b is within, and outside -> / is not."""
    link = Path(tree, path)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    Path(tree, "other").symlink_to("a")
    Path(tree, "outside").symlink_to("/")
    commit({f"{tree}/a/b/file": ""})
    assert f"{tree}/{path}: a link out of its directory, to {target}" in refusal()


@pytest.mark.parametrize(
    "target", ["a", "a/../a/b/file", "other/b/file", "./a/.", "missing", "link", "other/b/../../a"]
)
def test_links_within_the_directory_are_contained(commit, target):
    Path("book-shop/a/b").mkdir(parents=True)
    Path("book-shop/link").symlink_to(target)
    Path("book-shop/other").symlink_to("a")
    commit({"book-shop/a/b/file": ""})
    assert written()[0]["link"].linkname == target


def test_refuses_a_submodule(repository, commit):
    head = commit({})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},book-shop/vendor/lib")
    repository.git("commit", "-q", "-m", "submodule")
    assert refusal() == "it cannot contain\n    book-shop/vendor/lib: a submodule"


@pytest.mark.parametrize("name", ["book-shop/k8s", "book-shop/k8s/extra.yaml"])
def test_refuses_a_path_that_belongs_to_the_other_tree(commit, name):
    commit({name: "x"})
    assert "book-shop/k8s: the image has k8s/ of the repository at this path" in refusal()


@pytest.mark.parametrize("name", [".wh.a", ".wh..wh..opq", "a/.wh.b/c"])
def test_refuses_a_name_that_marks_a_deleted_file_in_a_layer(commit, name):
    commit({f"book-shop/{name}": "x"})
    assert "in an image, a name with .wh. marks a deleted file" in refusal()


def test_names_all_entries_that_it_refuses(repository, commit):
    Path("k8s").mkdir()
    Path("k8s/up").symlink_to("../..")
    commit({"book-shop/one.png": POINTER, "book-shop/new\nline.png": POINTER})
    assert [line.strip() for line in refusal().splitlines()[1:]] == [
        "k8s/up: a link out of its directory, to ../..",
        "'book-shop/new\\nline.png': a Git LFS pointer",
        "book-shop/one.png: a Git LFS pointer",
    ]


def test_fails_when_this_clone_lacks_a_file(repository, commit):
    """As a partial clone that cannot reach its origin."""
    commit({"book-shop/a.txt": "lost"})
    blob = repository.git("rev-parse", "HEAD:book-shop/a.txt")
    Path(".git/objects", blob[:2], blob[2:]).unlink()
    with pytest.raises(CommandError, match=f"no content of book-shop/a.txt .object {blob}"):
        context.write(git.resolve(), "context.tar")


def test_a_partial_and_sparse_clone_has_the_same_context(repository, commit, tmp_path, monkeypatch):
    commit({"book-shop/deep/a.txt": "text", "book-shop/b.txt": "other"})
    repository.git("config", "uploadpack.allowFilter", "true")
    expected = written()[1]
    repository.git("clone", "-q", "--filter=blob:none", "--sparse", f"file://{tmp_path}", ".git/clone")
    monkeypatch.chdir(".git/clone")
    assert not Path("book-shop/deep").exists()
    assert written()[1] == expected


def test_two_contexts_of_a_commit_are_equal(commit, tmp_path):
    commit({f"book-shop/{number}.txt": str(number) for number in range(9)})
    contexts = []
    for name in ("one", "two"):
        context.write(git.resolve(), name)
        contexts.append(Path(name).read_bytes())
    assert contexts[0] == contexts[1]
