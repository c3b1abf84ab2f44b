"""Changes a setting of an environment: proves the new value before it is stored.

Slot or pods with the new value start next to the live ones and get the traffic; then the value is stored. If that
fails, or the change is killed, the old value is still the stored one, and the next deploy returns to it
(docs/decisions/0077-prove-then-store.md).
"""

import contextlib
import time

from delivery import operations, settings, settings_schema, state
from delivery.cli import CommandError, UsageError, log
from delivery.lock import LockLost

FOR_DEVELOPERS = "DEBUG"


def set_value(environment, name, stream, actor):
    """Changes a setting to the value in a binary stream. Raises what `change` raises."""
    settings.check_name(name)
    value = settings.read_value(environment.name, name, stream)
    change(environment, name, value, actor, f"set {name}")


def unset(environment, name, actor):
    """Removes a setting. Raises what `change` raises."""
    settings.check_name(name)
    change(environment, name, None, actor, f"unset {name}")


def change(environment, name, value, actor, label):
    """Changes one setting and applies it; with the value None, removes it.

    `label` is the verb in the history, for example `set ALLOWED_HOSTS`. Raises UsageError if the application refuses
    the value, and CommandError if it does not become ready with it; then the old value is still in effect.
    """
    with environment.lock.acquire(f"{label} in {environment.name}") as token:
        environment.state.claim(token)
        change_locked(environment, token, name, value, actor, label)


def change_locked(environment, token, name, value, actor, label):
    """As `change`, for a caller that holds the lock and has claimed the state."""
    stored, image = environment.settings.load(), environment.live()
    defining = settings_schema.image(environment)
    definitions = settings_schema.definitions(environment.docker, defining, environment.name)
    check_change(environment.name, definitions, name, value)
    changed = {key: setting for key, setting in stored.items() if key != name}
    if value is not None:
        time_of_change = state.now()
        is_same = name in stored and stored[name].value == value
        changed[name] = stored[name] if is_same else settings.Setting(value, actor, time_of_change)
    new = settings.snapshot(settings.values(changed))
    settings_schema.check(environment.docker, defining, name, settings.values(stored), new.values)
    environment.nginx.check(environment.name, new.values)

    def save():
        if environment.settings.load() != stored:
            what = f"the stored settings of {environment.name} have changed meanwhile"
            raise CommandError(what, "another program wrote them", f"try again: make settings-{environment.name}")
        if changed != stored:
            environment.settings.save(changed)

    if not image:
        save()
        record(environment, token, label, actor, "", "", "ok", 0)
        log(f"stored. {environment.name} has no live image: make deploy-{environment.name} applies it")
        return
    if changed == stored and environment.live_settings() == new.version:
        log(f"{environment.name} has this value of {name} already" if value else f"{environment.name} has no {name}")
        return
    apply(environment, token, image, new, actor, label, save)


def apply(environment, token, image, new, actor, label, save):
    """Gives the live image the settings `new`, a Snapshot, then calls `save`. Raises CommandError."""
    started = time.monotonic()
    check_recorded(environment, image)
    live = environment.prepare(image)
    if environment.is_live(live):
        # A change that was killed may not have recorded the manifests, with which a failure is reverted.
        environment.state.save(token, environment.state.load().with_live(image, live.manifests))
    candidate = environment.with_settings(live, new)

    def end(result):
        record(environment, token, label, actor, image, candidate.revision, result, time.monotonic() - started)

    with (
        operations.recorded_failure(end, lambda: f"{environment.name} keeps its previous settings"),
        both_answered(environment, live.settings.values, new.values),
    ):
        operations.make_live(environment, token, candidate, save)
    end("ok")
    environment.state.save(token, environment.state.load().with_live(image, candidate.manifests))
    environment.clean_up(candidate)
    log(f"{environment.name} has the new settings")


@contextlib.contextmanager
def both_answered(environment, old, new):
    """Makes NGINX answer the host names in old and new settings, because both are live for a time.

    After another PUBLIC_URL, new pods redirect visitors to it while the previous ones still run. If the change fails,
    NGINX returns to the old names; if it succeeds, `clean_up` removes them.
    """
    try:
        environment.nginx.check(environment.name, old)
    except UsageError:  # NGINX never had the stored names, which were edited by hand
        old = new
    environment.nginx.follow(environment.name, old, new)
    try:
        yield
    except LockLost:
        raise
    except BaseException:
        with contextlib.suppress(CommandError):  # the reason of the failure is more important
            environment.nginx.follow(environment.name, old)
        raise


def check_recorded(environment, image):
    """Raises CommandError after a deploy that was killed: another image is recorded than the live one."""
    if environment.state.load().current != image:
        why = f"a deploy of {image} did not end"
        remedy = f"complete it, then try again: make deploy-{environment.name}"
        raise CommandError(f"{environment.name} is between two images: nothing was changed", why, remedy)


def check_change(environment, definitions, name, value):
    """Raises UsageError unless the image defines the setting, and does not require one that is removed."""
    definition = definitions.get(name)
    if value is None:
        if definition and definition["required"] and definition["default"] is None:
            why = "the application requires it, and it has no default"
            raise UsageError(f"{name} can't be removed", why, f"make set-{environment} SETTING={name} changes it")
    elif definition is None or name == FOR_DEVELOPERS:
        why = "it is for developers" if definition else "the application has no setting of this name"
        raise UsageError(f"invalid setting '{name}'", why, f"make settings-{environment} lists the names")


def record(environment, token, label, actor, image, revision, result, seconds):
    """Adds the change to the history, without the value."""
    environment.state.add(token, state.entry(environment.name, label, actor, image, revision, result, seconds))
