"""The verbs of an environment. They use the protocols only, so they are the same on a host and on a cluster."""

import contextlib
import json
import time

from delivery import images, nginx, order, public_url, settings_schema
from delivery.cli import CommandError, log
from delivery.files import NotWritten
from delivery.lock import LockLost
from delivery.process import ProgramFailed
from delivery.state import entry


def deploy(environment, image, actor, after=None, reason=None):
    """Makes an image live. If that fails, the previous image stays live.

    `after` and `reason` are those of the module `order`. Raises order.Backwards if the deploy would go back,
    order.Changed if it was compared with another live image, and CommandError, whose reason names the image
    that is still live.
    """
    images.check(image, environment.repository)
    order.check_arguments(after, reason)
    with environment.lock.acquire(f"deploy {environment.name} {image}") as token:
        environment.state.claim(token)
        _deploy(environment, token, image, actor, "deploy", after, reason)


def rollback(environment, image, actor):
    """Makes the previous image live again, or the given one, which must have been live before.

    Refuses a second rollback in a row without an image: otherwise two users who roll back at the same
    time would return to the faulty image. Raises CommandError.
    """
    name = environment.name
    if image:
        images.check(image, environment.repository)
    with environment.lock.acquire(f"rollback {name} {image or ''}".rstrip()) as token:
        environment.state.claim(token)
        history = order.deploys(environment.state.history())
        if not image:
            memory, live = environment.state.load(), environment.live()
            # A deploy that was killed after the switch has not saved its image.
            was_killed = live and live != memory.current
            image = memory.current if was_killed else memory.previous
            if not image:
                why = f"{name} has had no other live image"
                raise CommandError("nothing to roll back to", why, f"make history-{name}")
            last = next((past for past in reversed(history) if past["result"] == "ok"), None)
            if last and last["verb"] == "rollback" and not was_killed:
                why = f"{last['actor']} rolled {name} back at {last['time']}"
                raise CommandError(
                    f"the last deploy of {name} was a rollback: nothing was changed", why,
                    f"name the version to return to: make rollback-{name} TO={image}",
                )  # fmt: skip
        digest = image.partition("@")[2]
        results = [past["result"] for past in history if past["digest"] == digest]
        if not results:
            why = f"{name} never served it"
            raise CommandError(f"cannot roll back to '{image}'", why, f"make history-{name}")
        if results[-1] != "ok":
            why = "its last deploy failed"
            remedy = f"make history-{name} lists the others; if the cause of the failure was removed: "
            remedy += order.forced(name, image)
            raise CommandError(f"cannot roll back to '{image}'", why, remedy)
        _deploy(environment, token, image, actor, "rollback", check=check_public_url)


def undo(environment, image, actor):
    """Makes the previous image live again if the last successful deploy made `image` live and it still is.

    Otherwise changes nothing: a later deploy or rollback has replaced it, or it was live before. Raises CommandError.
    """
    name = environment.name
    images.check(image, environment.repository)
    with environment.lock.acquire(f"undo {name} {image}") as token:
        environment.state.claim(token)
        memory, digest = environment.state.load(), image.partition("@")[2]
        history = order.deploys(environment.state.history())
        changes = [(past["verb"], past["digest"]) for past in history if past["result"] == "ok"]
        was_live = len(changes) > 1 and changes[-2][1] == digest
        if was_live or changes[-1:] != [("deploy", digest)] or environment.live() != image or memory.current != image:
            log(f"nothing to undo: the last deploy of {name} did not make {image} live")
            return
        if not memory.previous:
            why = f"{name} has had no other live image, so {image} stays live"
            raise CommandError("nothing to roll back to", why, f"fix it, and make deploy-{name}")
        _deploy(environment, token, memory.previous, actor, "rollback")


def _deploy(environment, token, image, actor, verb, after=None, reason=None, check=None):
    """`check` is called with the environment and the candidate, before anything is changed."""
    started = time.monotonic()

    def record(result):
        seconds = time.monotonic() - started
        more = {"version": version, "replaced": replaced, "reason": reason}
        past = entry(environment.name, verb, actor, image, candidate.revision, result, seconds, **more)
        environment.state.add(token, past)

    def save_state():
        memory = environment.state.load().with_live(image, candidate.manifests)
        environment.state.save(token, memory)

    candidate = prepare(environment, image, returns=verb == "rollback")
    if image == environment.live() == environment.state.load().current and has_other_settings(environment, candidate):
        verb = "restart"  # no other image becomes live, so rollback and undo ignore it
        candidate = candidate.with_settings(candidate.settings)
    version, replaced = order.describe(environment, image).version, order.replaced(environment, image)
    if environment.is_live(candidate):
        # A deploy that was killed may have stopped between its last steps.
        last = next(reversed(order.deploys(environment.state.history())), {})
        if (last.get("digest"), last.get("result")) != (image.partition("@")[2], "ok"):
            record("ok")
        save_state()
        environment.clean_up(candidate)
        log(f"{environment.name} serves {image} already")
        return
    if verb == "deploy":
        order.check(environment, image, after)
    if check:
        check(environment, candidate)

    with recorded_failure(record, lambda: f"Still live: {_still_live(environment)}"):
        make_live(environment, token, candidate)
    try:
        record("ok")
        save_state()
        environment.clean_up(candidate)
    except LockLost:
        raise
    except CommandError as error:
        why = f"{error.why}. {image} is live in {environment.name} nevertheless"
        raise CommandError(error.what, why, error.remedy) from error
    log(f"{environment.name} serves {image}")


def prepare(environment, image, returns=False):
    """As Environment.prepare. Also raises UsageError if NGINX cannot have the stored settings."""
    candidate = environment.prepare(image, returns)
    environment.nginx.check(environment.name, candidate.settings.values)
    return candidate


def check_public_url(environment, candidate):
    """Raises CommandError if PUBLIC_URL is https and the image of the candidate does not know it, as older ones."""
    url, name, image = candidate.settings.public_url, environment.name, candidate.image
    if not public_url.is_https(url):
        return
    try:
        known = settings_schema.definitions(environment.docker, image, name)
    except CommandError:  # it is older than its settings
        known = {}
    if public_url.SETTING not in known:
        why = f"it does not know {public_url.SETTING}, so its forms would answer 403 at {url}"
        remedy = f"make unset-{name} SETTING={public_url.SETTING}; then roll back, and use the shop over HTTP"
        raise CommandError(f"cannot roll back to '{image}'", why, remedy)


def make_live(environment, token, candidate, save=lambda: None):
    """Gives a candidate the traffic, then calls `save`. If a step fails, the previous image stays live.

    Raises CommandError.
    """
    environment.migrate(candidate)
    token.check()  # the migration may have taken minutes
    with reverted_on_failure(environment, token, candidate):
        environment.start(candidate)
        environment.prove(candidate)
        environment.switch(candidate)
        environment.drain(candidate)
        token.check()
        save()


@contextlib.contextmanager
def recorded_failure(record, effect):
    """Records a failed change of what is live, and adds its effect, which the function returns, to the reason."""
    try:
        yield
    except LockLost:
        raise
    except CommandError as error:
        with contextlib.suppress(ProgramFailed, NotWritten):  # the reason is more important than the entry
            record("failed")
        raise CommandError(error.what, f"{error.why}. {effect()}", error.remedy) from error


def has_other_settings(environment, candidate):
    """Whether the settings of a candidate differ from those of the live slot or pods."""
    return environment.live_settings() != candidate.settings.version


@contextlib.contextmanager
def reverted_on_failure(environment, token, candidate):
    """Makes the previous image live again if a step fails, unless another deploy holds the lock now."""
    try:
        yield
    except LockLost:
        raise
    except BaseException:
        token.check()
        environment.revert(candidate)
        raise


def _still_live(environment):
    """The live image after a failed deploy, for an error message."""
    try:
        return environment.live() or "nothing"
    except ProgramFailed:
        return "probably the previous image"


def plan(environment, image, after=None):
    """What a deploy of the image would change, as text. Changes nothing that is live. Raises what `deploy` raises."""
    images.check(image, environment.repository)
    order.check_after(after)
    candidate = prepare(environment, image)
    order.check(environment, image, after)
    lines = f"image: {environment.live() or 'none'}\n    -> {image} (commit {candidate.revision})\n"
    return lines + environment.plan(candidate).rstrip()


def history(environment, lines):
    """The last entries of an environment's history, one JSON object per line, oldest first."""
    return "\n".join(json.dumps(past, separators=(",", ":")) for past in environment.state.history()[-lines:])


def status(environment):
    """The status of an environment, as a dict with the keys that delivery/status.py lists.

    A value that cannot be determined is None, or False for healthy.
    """
    url, stored = environment.url(), _or_none(environment.settings.current)
    version = environment.web.version(url) if url else {}
    image = _or_none(environment.live)
    previous = environment.state.load().previous
    history = environment.state.history()
    return {
        "environment": environment.name,
        "version": version.get("version"),
        "revision": version.get("revision"),
        "digest": image and image.partition("@")[2],
        "healthy": environment.web.is_ready(url),
        "previous": previous and previous.partition("@")[2],
        "current": _or_none(lambda: order.current_build(environment)),
        "settings_pending": stored and _or_none(lambda: settings_pending(environment, stored)),
        "url": stored and stored.public_url,
        "asks_password": environment.name == "dev" and bool(stored and nginx.preview_password(stored.values)),
        "deploying": environment.lock.holder(),
        "last": next((past for past in reversed(history) if not past.get("verb", "").startswith("manage ")), None),
    }


def settings_pending(environment, stored):
    """Whether the stored settings, a Snapshot, differ from those of the live image; None if there is none, or they are
    unknown.
    """
    live = environment.live_settings()
    if live == stored.version:
        return False
    return True if live else None


def _or_none(function):
    """The result of the function, or None if it raises CommandError, which is logged."""
    try:
        return function()
    except CommandError as error:
        log(f"{error.what}: {error.why}")
        return None
