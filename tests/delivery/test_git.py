"""What a commit is called, and which commits have the same image, in the cases that test_promote.py does not show."""

import subprocess
import sys
from pathlib import Path

import pytest
from delivery import git
from delivery.cli import CommandError, UsageError

PROJECT = '[project]\nname = "book-shop"\nversion = "{}"\n'
SHOP = {"book-shop/pyproject.toml": PROJECT.format("1.0.0"), "k8s/shop.yaml": "kind: Job\n"}


@pytest.fixture
def first(repository):
    return repository.commit(SHOP)


def test_resolves_a_name_to_the_full_hash(repository, first):
    repository.git("tag", "-a", "v1", "-m", "an annotated tag, which is an object of its own")
    second = repository.commit({"x": "1"})
    assert git.resolve() == second
    for name in ("v1", "main~1", first, first[:8]):
        assert git.resolve(name) == first
        assert git.resolve_with_version(name) == (first, "1.0.0")


@pytest.mark.parametrize("resolve", [git.resolve, git.resolve_with_version])
@pytest.mark.parametrize(
    "name", ["nowhere", "", "HEAD:k8s", "--all", "HEAD..HEAD", "a b", "HEAD\nHEAD", "HEAD\n", "\udcff"]
)
def test_refuses_a_name_of_no_commit(repository, first, name, resolve):
    with pytest.raises(UsageError, match=r"(?s)commit '.*' not found"):
        resolve(name)


def test_an_empty_repository_has_no_head(repository):
    with pytest.raises(UsageError, match="commit 'HEAD' not found"):
        git.resolve()


@pytest.mark.parametrize("number", ["0.0.0", "1.0.0", "10.20.30"])
def test_the_version_is_that_of_the_commit(repository, first, number):
    commit = repository.commit({"book-shop/pyproject.toml": PROJECT.format(number)})
    assert (git.version(commit), git.version(first)) == (number, "1.0.0")
    assert git.snapshot(commit) == f"{number}-SNAPSHOT-{commit}"


NUMBERS = ["1.0", "1.0.0.0", "1.0.0rc1", "v1.0.0", "01.0.0", "1.0.0\\n", "", "1.0.٣", "1.0.0-x"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "it has no book-shop/pyproject.toml"),
        ("version = ", "is not TOML"),
        ("", "sets no version"),
        ("[project]\nname = 'x'\n", "sets no version"),
        ("project = 3\n", "sets no version"),
        ("[project]\nversion = 1\n", "no usable VERSION\n.* 1 in its book-shop/pyproject.toml is not N.N.N"),
        *((PROJECT.format(number), "no usable VERSION") for number in NUMBERS),
    ],
)
def test_an_unusable_version_is_an_error_with_its_reason(repository, first, text, why):
    commit = repository.commit({"book-shop/pyproject.toml": text, "book-shop/x": ""})
    for read in (git.version, git.resolve_with_version):
        with pytest.raises(git.Unreadable, match=why) as raised:
            read(commit)
        assert "set version" in raised.value.remedy


@pytest.mark.parametrize(
    ("files", "missing"),
    [({"book-shop/a": ""}, "k8s"), ({"book-shop/a": "", "k8s": "a file"}, "k8s"), ({"k8s/a": ""}, "book-shop")],
)
def test_the_source_requires_both_trees(repository, files, missing):
    commit = repository.commit(files)
    with pytest.raises(git.Unreadable, match=f"no directory {missing}/"):
        git.source(commit)


def test_changes_are_the_differences_to_a_commit_in_the_two_trees(repository, first):
    assert git.changes(first) == []
    repository.commit({"k8s/committed.yaml": "x", "README.md": "x", ".gitignore": "*.log\n"})
    for name, text in {"book-shop/new é.py": "", "k8s/shop.yaml": "changed", "book-shop/a.log": "", "top": ""}.items():
        Path(name).write_text(text)
    repository.git("add", "k8s/shop.yaml")  # staged is not committed
    assert git.changes("HEAD") == ["book-shop/new é.py", "k8s/shop.yaml"]
    assert git.changes(first) == ["book-shop/new é.py", "k8s/committed.yaml", "k8s/shop.yaml"]


def candidates(commit):
    found = list(git.candidates(commit))
    assert {source for _, source in found} <= {git.source(commit)}
    return [candidate for candidate, _ in found]


def test_candidates_are_also_on_dev_here_and_at_origin_and_on_no_other_branch(repository, first):
    found = {}
    for branch in ("dev", "far", "feature", "devel"):
        repository.git("switch", "-q", "-c", branch, first)
        found[branch] = repository.commit({"docs": branch}, branch)
    repository.git("switch", "-q", "main")
    repository.git("update-ref", "refs/remotes/origin/dev", found["far"])
    repository.git("update-ref", "refs/remotes/origin/feature", found["feature"])
    assert candidates(first) == [found["far"], found["dev"], first]
    repository.git("branch", "-q", "-D", "dev")
    assert candidates(first) == [found["far"], first]


def test_a_commit_that_lacks_a_tree_is_no_candidate(repository):
    repository.commit({"README.md": "before the shop"})
    shop = repository.commit(SHOP)
    repository.commit({"k8s/shop.yaml": None})
    again = repository.commit({"k8s/shop.yaml": SHOP["k8s/shop.yaml"]})
    assert candidates(again) == [again, shop]


def test_candidates_do_not_depend_on_the_users_git_settings(repository, first):
    gpg = Path("gpg").absolute()
    gpg.write_text("#!/bin/sh\necho words of gpg >&2\nexit 1\n")
    gpg.chmod(0o755)
    for name, value in {"log.showSignature": "true", "color.ui": "always", "gpg.program": str(gpg)}.items():
        repository.git("config", name, value)
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n"
    Path("signed").write_text(repository.git("cat-file", "commit", first).replace("\n\n", "\n" + signature, 1) + "\n")
    signed = repository.git("hash-object", "-t", "commit", "-w", "signed")
    assert "words of gpg" in repository.git("log", signed)
    assert candidates(signed) == [signed]


@pytest.mark.parametrize("near", [1, 2, 3, 6, 7])
def test_all_candidates_are_found_however_many_are_read_first(repository, first, monkeypatch, near):
    monkeypatch.setattr(git, "NEAR", near)
    other, docs = {"k8s/shop.yaml": "kind: Pod\n"}, {"docs": "1"}
    commits = [first, *map(repository.commit, (docs, other, SHOP, other, SHOP))]
    assert candidates(commits[-1]) == [commits[5], commits[3], commits[1], first]


def test_a_broken_history_is_an_error(repository, first):
    second = repository.commit({"docs": "1"})
    Path(f".git/objects/{first[:2]}/{first[2:]}").unlink()
    with pytest.raises(CommandError, match="cannot read the history"):
        candidates(second)


def test_dates_are_those_of_the_commits_in_this_clone(repository):
    one = repository.commit({"a": "1"})
    two = repository.commit({"a": "2"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    assert git.dates([two, "0" * 40, one, tree]) == {one: repository.clock - 60, two: repository.clock}
    assert git.dates(["0" * 40]) == git.dates([]) == {}


def test_start_up_loads_no_slow_modules():
    """Start-up is most of a verb's time, and each of these takes as long as all others together."""
    slow = {"boto3", "botocore", "requests", "urllib3", "urllib.request", "dataclasses", "asyncio", "shutil", "typing"}
    check = f"import sys; from delivery import cli, promotion; cli.Parser(); print(*(set(sys.modules) & {slow!r}))"
    path = {"PYTHONPATH": str(Path(__file__).parents[2] / "scripts")}
    done = subprocess.run([sys.executable, "-S", "-c", check], check=True, capture_output=True, text=True, env=path)
    assert done.stdout.split() == []
