"""Pushes a commit's image to the registry as a snapshot, and promotes the snapshot to a release."""

import itertools
import json
import subprocess
import sys

from delivery import git, handover, registry
from delivery.cli import CommandError, flag, log

BUILD_AGAIN = "commit again, then make image push"
MOST = 100  # tags that promote looks for, with one request each; if more commits share a source, push again


def push(commit):
    """Pushes the image of a commit under its snapshot tag and returns its repository@digest.

    A tag that is in the registry is left alone. Raises CommandError if it, or the engine's image, belongs to another
    commit, or if the image must not leave this machine (base_image.check), and registry.Moved if another push wrote
    the tag at the same time.
    """
    shop = registry.shop()
    name, commit = commit, git.resolve(commit)
    tag = git.snapshot(commit)
    expected = {git.REVISION_LABEL: commit, git.SOURCE_LABEL: git.source(commit)}
    reference = f"{shop.repository}:{tag}"
    build = "make image" if name == "HEAD" else f"make image COMMIT={commit}"

    digest = shop.recorded_digest(tag)
    if digest:
        check_labels(shop.labels(digest), expected, f"{reference} in the registry", BUILD_AGAIN)
    try:
        local = local_labels(reference)
    except CommandError:
        if not digest:
            raise
        local = None  # the image is in the registry, so no engine is needed
    if local is not None:
        check_labels(local, expected, f"{reference} in the Docker engine", build)
    if digest:
        log(f"{tag} is in the registry already")
        return shop.image(digest)
    if local is None:
        why = "neither the Docker engine nor the registry has it"
        raise CommandError(f"image '{reference}' not found", why, build)

    from delivery import base_image

    if not base_image.is_local(shop.repository):
        base_image.check(local, f"{reference} in the Docker engine", build)
    log(f"pushing {tag}")
    with shop.engine() as environment:
        failed = subprocess.run(["docker", "push", reference], stdout=sys.stderr, env=environment).returncode
    if failed:
        raise CommandError(f"docker push {reference} failed", "see its messages above", "make doctor")
    digest = shop.awaited_digest(tag)
    if not digest:
        raise CommandError(f"{reference} is not in the registry", "docker push reported success", "make doctor")
    check_labels(shop.labels(digest), expected, f"{reference} in the registry", BUILD_AGAIN)
    return shop.image(shop.check_tag(tag, pushed_digests(shop.repository, reference)))


def local_labels(reference):
    """The labels of a local image, or None if the engine does not have it. Raises CommandError without an engine."""
    if not docker("image", "ls", "--quiet", reference).strip():
        return None
    return json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", reference)) or {}


def pushed_digests(repository, reference):
    """The digests under which the engine has pushed an image to the repository."""
    names = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", reference)) or []
    return [name.partition("@")[2] for name in names if name.partition("@")[0] == str(repository)]


def docker(*arguments):
    """Runs docker and returns its stdout. Raises CommandError if there is no engine or it fails."""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, check=True, text=True).stdout
    except FileNotFoundError:
        raise CommandError("docker not found", "docker is not on the PATH", "make setup-image") from None
    except subprocess.CalledProcessError as error:
        raise CommandError("the Docker engine doesn't answer", error.stderr.strip(), "make setup-image") from None


def check_labels(labels, expected, where, remedy):
    """Raises CommandError unless the labels have the expected values, those of a commit and its source."""
    for label, value in expected.items():
        if labels.get(label) != value:
            why = f"its label {label} is '{labels.get(label, '')}' instead of '{value}': no tag ever moves"
            raise CommandError(f"{where} is not the image of this commit", why, remedy)


def promote(commit):
    """Gives the snapshot of a commit's source the release tag VERSION and returns repository@digest of the release.

    A release that exists is left alone. With DELIVERY_PLAN=1 it returns what it would do. Returns None if
    release-check has found nothing to release. Raises CommandError if there is no snapshot, its labels are not
    those of the source, it must not leave this machine (base_image.check), or VERSION belongs to another image,
    and registry.Moved if another promotion wrote the tag at the same time.
    """
    planned = flag("DELIVERY_PLAN")
    if commit == "HEAD" and (checked := handover.read(required=False)) and not checked.image:
        log(checked)
        return None
    shop = registry.shop()
    name = commit
    commit, release = git.resolve_with_version(name)  # all candidates have this version too: it is part of the source

    released = shop.recorded_digest(release)
    tags, newest = [], None
    for candidate, source in itertools.islice(git.candidates(commit), MOST):
        tags.append(f"{release}-SNAPSHOT-{candidate}")
        digest = shop.recorded_digest(tags[-1])
        newest = newest or (digest and tags[-1])
        # The released source may have a newer snapshot, of a commit that changes neither tree: nothing to do.
        if digest and released in (None, digest):
            expected = {git.REVISION_LABEL: candidate, git.SOURCE_LABEL: source}
            break
    else:
        if newest:
            why = f"{release} is {released}, not the snapshot {newest} of this source, and a release tag never moves"
            remedy = f"bump the version in {git.PROJECT}, commit, then make image push promote"
            raise CommandError(f"{shop.repository}:{release} is released already, as another image", why, remedy)
        why = f"no tag {release}-SNAPSHOT-<commit> for the newest {len(tags)} commits with the source\n"
        why += f"    {git.source(commit)}\n    that are reachable from {commit} or dev"
        if git.shallow():
            why += "; this clone is shallow: git fetch --unshallow shows more"
        remedy = "make image push; or push it to dev, whose pipeline does that. Then make promote"
        if name != "HEAD":
            remedy = f"make image push promote COMMIT={commit}"
        raise CommandError(f"{shop.repository} has no snapshot of commit {commit}", why, remedy)

    manifest, where = shop.manifest(digest), f"{shop.repository}:{tags[-1]}"
    labels = shop.labels_of(manifest, tags[-1])
    check_labels(labels, expected, f"{where} in the registry", BUILD_AGAIN)
    if not released:
        from delivery import base_image  # slow to import

        if not base_image.is_local(shop.repository):
            base_image.check(labels, where, BUILD_AGAIN)
    if planned:
        return f"{tags[-1]} -> {release}{' (already promoted)' if released else ''}: {shop.image(digest)}"
    if released:
        log(f"{release} is {tags[-1]} already")
    else:
        log(f"promoting {tags[-1]} to {release}")
        shop.tag(manifest, release)
    if name == "HEAD":
        handover.write(commit, release, shop.image(digest))
    return shop.image(digest)
