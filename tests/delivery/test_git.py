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


def test_resolve_gives_the_full_hash(repository, first):
    repository.git("tag", "-a", "v1", "-m", "an annotated tag, which is an object of its own")
    second = repository.commit({"x": "1"})
    assert git.resolve() == second
    for name in ("v1", "main~1", first, first[:8]):
        assert git.resolve(name) == first


@pytest.mark.parametrize("name", ["nowhere", "", "HEAD:k8s", "--all", "HEAD..HEAD", "a b"])
def test_resolve_refuses_what_names_no_commit(repository, first, name):
    with pytest.raises(UsageError, match="names no commit here"):
        git.resolve(name)


def test_resolve_in_an_empty_repository(repository):
    with pytest.raises(UsageError, match="'HEAD' names no commit"):
        git.resolve()


@pytest.mark.parametrize("number", ["0.0.0", "1.0.0", "10.20.30"])
def test_version(repository, first, number):
    assert git.version(repository.commit({"book-shop/pyproject.toml": PROJECT.format(number)})) == number
    assert git.version(first) == "1.0.0"


@pytest.mark.parametrize(
    "number", ["1.0", "1.0.0.0", "1.0.0rc1", "v1.0.0", "01.0.0", "1.0.0\\n", "", "1.0.٣", "1.0.0-x"]
)
def test_version_has_to_be_three_numbers(repository, first, number):
    with pytest.raises(git.Unreadable, match="no usable VERSION"):
        git.version(repository.commit({"book-shop/pyproject.toml": PROJECT.format(number)}))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "it has no book-shop/pyproject.toml"),
        ("version = ", "is not TOML"),
        ("", "sets none"),
        ("[project]\nname = 'x'\n", "sets none"),
        ("project = 3\n", "sets none"),
        ("[project]\nversion = 1\n", "1 in its book-shop/pyproject.toml is not N.N.N"),
    ],
)
def test_version_says_why_there_is_none(repository, first, text, why):
    with pytest.raises(git.Unreadable, match=why) as raised:
        git.version(repository.commit({"book-shop/pyproject.toml": text, "book-shop/x": ""}))
    assert "set version" in raised.value.remedy


def test_snapshot(repository, first):
    assert git.snapshot(first) == f"1.0.0-SNAPSHOT-{first}"


def test_source_is_the_two_trees(repository, first):
    trees = [repository.git("rev-parse", f"{first}:{tree}") for tree in ("book-shop", "k8s")]
    assert git.source(first) == "-".join(trees)
    assert git.source(repository.commit({"README.md": "x"})) == git.source(first)
    assert git.source(repository.commit({"k8s/more.yaml": "x"})) != git.source(first)


def test_source_needs_both_trees(repository):
    without = repository.commit({"book-shop/pyproject.toml": PROJECT.format("1.0.0")})
    with pytest.raises(git.Unreadable, match="no directory k8s/"):
        git.source(without)
    with pytest.raises(git.Unreadable, match="no directory k8s/"):
        git.source(repository.commit({"k8s": "a file"}))
    with pytest.raises(git.Unreadable, match="no directory book-shop/"):
        git.source(repository.commit({"k8s": None, "book-shop/pyproject.toml": None, "k8s/a": "x"}))


def test_changes(repository, first):
    assert git.changes(first) == []
    repository.commit({"k8s/committed.yaml": "x", "README.md": "x", ".gitignore": "*.log\n"})
    for name, text in {"book-shop/new é.py": "", "k8s/shop.yaml": "changed", "book-shop/a.log": "", "top": ""}.items():
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    repository.git("add", "k8s/shop.yaml")  # staged is not committed
    assert git.changes("HEAD") == ["book-shop/new é.py", "k8s/shop.yaml"]
    assert git.changes(first) == ["book-shop/new é.py", "k8s/committed.yaml", "k8s/shop.yaml"]


def test_candidates_are_the_commits_of_the_same_source_newest_first(repository, first):
    docs = repository.commit({"docs": "1"})
    changed = repository.commit({"k8s/shop.yaml": "other"})
    back = repository.commit({"k8s/shop.yaml": SHOP["k8s/shop.yaml"]})
    assert list(git.candidates(back)) == [back, docs, first]
    assert list(git.candidates(changed)) == [changed]
    assert list(git.candidates(docs)) == [docs, first]


def test_candidates_look_at_dev_here_and_at_origin_and_nowhere_else(repository, first):
    found = {}
    for branch in ("dev", "far", "feature", "devel"):
        repository.git("switch", "-q", "-c", branch, first)
        found[branch] = repository.commit({"docs": branch}, branch)
    repository.git("switch", "-q", "main")
    repository.git("update-ref", "refs/remotes/origin/dev", found["far"])
    assert list(git.candidates(first)) == [found["far"], found["dev"], first]
    repository.git("branch", "-q", "-D", "dev")
    assert list(git.candidates(first)) == [found["far"], first]


def test_candidates_pass_over_commits_that_lack_a_tree(repository):
    repository.commit({"README.md": "before the shop"})
    shop = repository.commit(SHOP)
    repository.git("rm", "-q", "-r", "k8s")
    repository.commit({})
    again = repository.commit({"k8s/shop.yaml": SHOP["k8s/shop.yaml"]})
    assert list(git.candidates(again)) == [again, shop]


def test_candidates_are_independent_of_the_users_git_settings(repository, first):
    gpg = Path("gpg")
    gpg.write_text("#!/bin/sh\necho words of gpg >&2\nexit 1\n")
    gpg.chmod(0o755)
    for name, value in {"log.showSignature": "true", "color.ui": "always", "gpg.program": gpg.absolute()}.items():
        repository.git("config", name, str(value))
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n"
    Path("signed").write_text(repository.git("cat-file", "commit", first).replace("\n\n", "\n" + signature, 1) + "\n")
    signed = repository.git("hash-object", "-t", "commit", "-w", "signed")
    assert "words of gpg" in repository.git("log", signed)
    assert list(git.candidates(signed)) == [signed]


def test_candidates_need_no_more_than_the_first(repository, first):
    newest = repository.commit({"docs": "1"})
    found = git.candidates(newest)
    assert next(found) == newest
    found.close()  # ends both processes; a hang here is the failure


def test_candidates_fail_loudly_when_the_history_is_broken(repository, first):
    second = repository.commit({"docs": "1"})
    objects = repository.git("rev-parse", "--git-path", "objects")
    subprocess.run(["rm", "-f", f"{objects}/{first[:2]}/{first[2:]}"], check=True)
    with pytest.raises(CommandError, match="can't walk the history"):
        list(git.candidates(second))


def test_shallow(repository, first, tmp_path, monkeypatch):
    repository.commit({"docs": "1"})
    assert not git.shallow()
    repository.git("clone", "-q", "--depth", "1", f"file://{tmp_path}", "clone")
    monkeypatch.chdir("clone")
    assert git.shallow()


def test_start_up_stays_light():
    """Start-up is most of a verb's time, so modules that take as long as all others together stay out."""
    heavy = {"boto3", "botocore", "requests", "urllib3", "urllib.request", "dataclasses", "asyncio", "shutil", "typing"}
    check = f"import sys; from delivery import cli, promotion; cli.Parser(); print(*(set(sys.modules) & {heavy!r}))"
    path = {"PYTHONPATH": str(Path(__file__).parents[2] / "scripts")}
    done = subprocess.run([sys.executable, "-S", "-c", check], check=True, capture_output=True, text=True, env=path)
    assert done.stdout.split() == []


def test_dates_of_the_commits_that_are_here(repository):
    one = repository.commit({"a": "1"})
    two = repository.commit({"a": "2"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    assert git.dates([two, "0" * 40, one, tree]) == {one: repository.clock - 60, two: repository.clock}
    assert git.dates(["0" * 40]) == git.dates([]) == {}
