"""The commands of the runbooks that need no host."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import runbook

ROOT = Path(__file__).parents[2]
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
IMAGE = "public.ecr.aws/docker/library/python:3.13-slim-trixie"
# As buildx prints it.
DOCKER = f"""#!/bin/sh
[ "$*" = "buildx imagetools inspect {IMAGE}" ] || exit 1
printf 'Name:      %s\\nMediaType: application/vnd.oci.image.index.v1+json\\nDigest:    %s\\n\\n' "$4" {NEW}
printf 'Manifests: \\n  Name: %s@sha256:{"3" * 64}\\n' "$4"
"""
DOCKERFILES = {
    "now": "ARG BASE_IMAGE=pinned\nFROM {} AS pinned\nFROM ${{BASE_IMAGE}} AS base\nCOPY requirements.lock ./\n",
    "up to 1.0.1": "# the shop\nARG BASE_IMAGE={}\nFROM ${{BASE_IMAGE}} AS base\n",
}


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values(), ids=DOCKERFILES)
def test_a_release_is_prepared_on_a_patched_base_image(tmp_path, monkeypatch, dockerfile):
    def git(*arguments):
        return subprocess.check_output(["git", *arguments], cwd=tmp_path, text=True)

    project = 'name = "book-shop"\nversion = "1.2.0"\nrequires-python = ">=3.10"\ndependencies = ["a==1.2.0"]\n'
    (tmp_path / "book-shop").mkdir()
    (tmp_path / "book-shop/Dockerfile").write_text(dockerfile.format(f"{IMAGE}@{OLD}"))
    (tmp_path / "book-shop/pyproject.toml").write_text(project)
    git("init", "--quiet", "--initial-branch=dev")
    git("add", "book-shop")
    git("commit", "--quiet", "--message=1.2.0")
    git("tag", "v1.2.0")
    (tmp_path / "book-shop/later").touch()
    git("add", "book-shop")
    git("commit", "--quiet", "--message=later")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    name = "rebuild-on-a-patched-base.md"
    title = "Rebuild a release on a patched base image"
    script = runbook.commands(name, title) + runbook.commands(name, "Prepare the commit")
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, capture_output=True)

    assert git("show", "HEAD:book-shop/Dockerfile") == dockerfile.format(f"{IMAGE}@{NEW}")
    assert git("show", "HEAD:book-shop/pyproject.toml") == re.sub(
        '^version = "1.2.0"', 'version = "1.2.1"', project, flags=re.M
    )
    assert git("log", "--format=%s", "v1.2.0..").splitlines() == ["Rebuild 1.2.0 on a patched base image as 1.2.1"]
    assert git("diff", "--name-only", "v1.2.0", "HEAD").splitlines() == [
        "book-shop/Dockerfile",
        "book-shop/pyproject.toml",
    ]
    assert git("branch", "--show-current") == "patch-1.2.1\n"


@pytest.mark.parametrize(
    ("heading", "verbs"),
    [
        ("Database password", ["rotate prod database", "status", "history prod"]),
        ("A database of your own", ["set prod DATABASE_URL"]),
        ("`SECRET_KEY`", ["rotate prod secret-key"] * 2 + ["unset prod SECRET_KEY_FALLBACKS"]),
    ],
)
def test_secrets_are_rotated_with_these_verbs(tmp_path, heading, verbs):
    """In a copy of the Makefile whose scripts print how they are called."""
    lines = runbook.commands("rotate-secrets.md", heading).splitlines()
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("setup", *{verb.split()[0] for verb in verbs}):
        path = tmp_path / "scripts" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("" if name == "setup" else '#!/bin/sh\necho "${0##*/} $*" | sed "s/ $//"\n')
        path.chmod(0o755)
    script = "\n".join(line for line in lines if line.startswith("make "))
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in of_make}
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout.splitlines()) == (0, verbs), done.stderr


def test_an_unknown_heading_is_an_error():
    with pytest.raises(LookupError):
        runbook.commands("rebuild-on-a-patched-base.md", "Nothing")
