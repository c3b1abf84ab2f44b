"""make version: what a commit is called. test_git.py tests where the names come from."""

import pytest


def test_is_that_of_the_commit_and_not_of_the_work_tree(shop):
    shop.verb("version", "changes").must_print("")
    for name, text in {"README.md": "x", "k8s/new.yaml": "x", "book-shop/pyproject.toml": 'version = "9.9.9"'}.items():
        with open(name, "a") as file:
            file.write(text)
    result = shop.verb("version")
    result.must_print("1.0.0")
    assert result.err == ""
    shop.verb("version", "changes").must_print("book-shop/pyproject.toml\nk8s/new.yaml")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("snapshot", "1.1.0-SNAPSHOT-{HEAD}"),
        ("release", "1.1.0"),
        ("source", "{HEAD:book-shop}-{HEAD:k8s}"),
        ("commit", "{HEAD}"),
        ("snapshot HEAD~1", "1.0.0-SNAPSHOT-{HEAD~1}"),
        ("release main~1", "1.0.0"),
        ("source HEAD~1", "{HEAD~1:book-shop}-{HEAD~1:k8s}"),
    ],
)
def test_of_head_and_of_a_named_commit(shop, command, answer):
    shop.bump("1.1.0")
    for name in ("HEAD", "HEAD~1", "HEAD:book-shop", "HEAD:k8s", "HEAD~1:book-shop", "HEAD~1:k8s"):
        answer = answer.replace(f"{{{name}}}", shop.head(name))
    shop.verb("version", *command.split()).must_print(answer)


def test_names_the_file_that_lacks_a_version(shop):
    shop.bump("1.0")
    why = "'1.0' in its book-shop/pyproject.toml is not N.N.N"
    shop.verb("version").must_fail("has no usable VERSION", why, "remedy: set version")
