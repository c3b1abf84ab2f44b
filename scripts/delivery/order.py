"""The order of deploys: a deploy makes a newer image live. To go back, a rollback is required.

The host has no git. Under its lock it compares versions, and refuses an image that was rolled back. The laptop
compares the commits of dev with git (`ancestry`) and sends `after`, the digest of the live image that it compared
with; the host refuses the deploy if another image is live by then. `after` is

    None         nothing was compared
    "none"       no image was live
    sha256:...   this image was live
    "unordered"  any image may become live; a deploy has a `reason`, which the history shows
"""

import contextlib
import re
from typing import NamedTuple

from delivery import git
from delivery.cli import CommandError, UsageError
from delivery.process import ProgramFailed
from delivery.references import DIGEST, VERSION

UNORDERED = "unordered"
AFTER = re.compile(rf"none|{UNORDERED}|{DIGEST.pattern}")
LONGEST_REASON = 200  # characters
FORCE = 'FORCE=1 REASON="the reason"'


class Backwards(CommandError):
    """The deploy would go back. Nothing was changed."""


class Changed(CommandError):
    """Another image is live than the one that the deploy was compared with. Nothing was changed."""

    status = 3  # the laptop compares again


class Build(NamedTuple):
    """What an image (repository@digest) was built from; `version` and `commit` are "" if they are unknown."""

    image: str
    version: str
    commit: str

    @property
    def digest(self):
        """The digest of the image."""
        return self.image.partition("@")[2]

    def tag(self, environment):
        """The name of the image in commands: its release or snapshot tag, or repository@digest if it is unknown."""
        if not VERSION.fullmatch(self.version):
            return self.image
        return self.version if environment == "prod" else f"{self.version}-SNAPSHOT-{self.commit}"


def check_arguments(after, reason):
    """Raises UsageError unless the arguments of a deploy have the form above."""
    check_after(after)
    if reason is not None:
        check_reason(reason)
    if (reason is not None) != (after == UNORDERED):
        why = f"'{UNORDERED}' and a reason require each other"
        raise UsageError("invalid arguments", why, "deploy -h")


def check_after(after):
    """Raises UsageError unless the argument has the form above."""
    if after is not None and not AFTER.fullmatch(after):
        raise UsageError(f"invalid argument {after[:80]!r}", f"expected a digest, none or {UNORDERED}", "deploy -h")


def check_reason(reason):
    """Raises UsageError unless the reason is one printable line that begins with a letter or a digit."""
    # Systems Manager replaces {{...}} in parameters.
    if len(reason) <= LONGEST_REASON and reason.isprintable() and reason[:1].isalnum() and "{{" not in reason:
        return
    why = f"expected one printable line of at most {LONGEST_REASON} characters, without {{{{, that begins with a word"
    raise UsageError(f"invalid reason {reason[:80]!r}", why, FORCE)


def forced(environment, tag):
    """The command that deploys an image in any order."""
    return f"make deploy-{environment} IMAGE={tag} {FORCE}"


def deploys(history):
    """The deploys and rollbacks in a history, which also has restores, changes of settings and commands."""
    return [past for past in history if past.get("verb") in ("deploy", "rollback")]


def current(environment):
    """The live image, or the last one if no image runs; None if there was none."""
    return environment.live() or environment.state.load().current


def replaced(environment, image):
    """The digest that a deploy of the image replaces, or None."""
    # A deploy that was killed after the switch has not saved its image, so the saved one is the replaced one.
    for reference in (environment.live(), environment.state.load().current):
        if reference not in (None, image):
            return reference.partition("@")[2]
    return None


def current_build(environment):
    """The Build of the current image as a dict, or None if there was none. It pulls nothing."""
    image = current(environment)
    return image and describe(environment, image)._asdict()


def describe(environment, image, pull=False):
    """The Build of an image, from the history or from the labels of the engine's image; `pull` pulls a missing one."""
    digest = image.partition("@")[2]
    for past in reversed(environment.state.history()):
        if past.get("digest") == digest and past.get("version"):
            return Build(image, past["version"], past["commit"])
    local = None
    with contextlib.suppress(ProgramFailed):  # the registry may not have it any more
        local = environment.docker.image(image)
        if local is None and pull:
            environment.docker.pull(image)
            local = environment.docker.image(image)
    return Build(image, local.version, local.revision) if local else Build(image, "", "")


def check(environment, image, after):
    """Raises Backwards or Changed if the image, which the engine has, must not become live. Call it under the lock."""
    reference = current(environment)
    if after == UNORDERED or reference in (None, image):
        return
    name, history = environment.name, deploys(environment.state.history())
    live, candidate = describe(environment, reference, pull=True), describe(environment, image)
    if after and after != live.digest:
        why = f"{live.digest} is live, and the deploy was compared with {after}"
        raise Changed(f"the live image of {name} has changed: nothing was changed", why, f"make deploy-{name}")
    if name == "prod" or not after:  # for dev, the laptop has compared the commits: a branch may have a lower version
        check_version(name, candidate, live, history)
    if environment.live():  # on a host that was built again, nothing runs that would be better
        check_withdrawn(name, candidate, history)


def check_withdrawn(environment, candidate, history):
    """Raises Backwards if the image was rolled back, or replaced by a lower version with FORCE: it may be faulty.

    A rollback to an image counts for all images that were live since that one.
    """
    done = [past for past in history if past["result"] == "ok"]
    for number, past in reversed([*enumerate(done)]):
        if past["digest"] == candidate.digest:
            return
        went_back = past["verb"] == "rollback" or is_lower(past.get("version", ""), candidate.version)
        if went_back and candidate.digest in (past.get("replaced"), *live_since(done[:number], past["digest"])):
            tag = candidate.tag(environment)
            why = f"{past['actor']} went back from it to {past.get('version') or past['digest']} at {past['time']}"
            remedy = f"deploy a newer version; or return to this one: make rollback-{environment} TO={tag}"
            raise Backwards(f"{tag} was rolled back in {environment}: nothing was changed", why, remedy)


def live_since(done, digest):
    """The digests that became live after this one last did; none if it never did. `done` are successful deploys."""
    digests = [past["digest"] for past in done]
    return digests[len(digests) - digests[::-1].index(digest) :] if digest in digests else []


def check_version(environment, candidate, live, history):
    """Raises Backwards if the version is lower than the live one, or in prod if another image has the same version."""
    if not VERSION.fullmatch(live.version):
        return
    if not VERSION.fullmatch(candidate.version) or is_lower(candidate.version, live.version):
        why = f"its version '{candidate.version}' is lower than {live.version}"
        raise refusal(environment, candidate, live, history, why)
    if environment == "prod" and candidate.version == live.version:
        what = f"prod serves another image of {live.version}: nothing was changed"
        why = f"{live.digest} is live, not {candidate.digest}, and a version has one image"
        remedy = f"bump the version in {git.PROJECT}, commit, then make image push promote deploy-prod"
        raise Backwards(what, why, remedy)


def refusal(environment, candidate, live, history, why):
    """The Backwards error of a deploy that would go back, with the deploy that superseded it and the way to go back."""
    tag, live_tag = candidate.tag(environment), live.tag(environment)
    for past in reversed(history):
        if (past["digest"], past["result"]) == (live.digest, "ok"):
            why += f". {past['actor']} made {live_tag} live at {past['time']} ({past['verb']})"
            break
    remedy = forced(environment, tag)
    results = [past["result"] for past in history if past["digest"] == candidate.digest]
    if results and results[-1] == "ok":
        remedy = f"make rollback-{environment} TO={tag}"
    return Backwards(f"{tag} is older than {live_tag} in {environment}: nothing was changed", why, remedy)


def is_lower(version, other):
    """Whether a version is lower than another one; never if one of them is not a VERSION."""
    if not (VERSION.fullmatch(version) and VERSION.fullmatch(other)):
        return False
    return [*map(int, version.split("."))] < [*map(int, other.split("."))]
