"""The verbs that the laptop and CI run on a target."""

import os
import re
import sys

from delivery import ancestry, backups, commands, force, git, handover, order, registry, status, streams, targets, undo
from delivery import logs as log_lines
from delivery.application import NAME
from delivery.cli import AlreadyReported, CommandError, UsageError, confirm, flag, log
from delivery.references import ENVIRONMENTS, VERSION

VERB_WIDTH, LONGEST_VERB = 9, 40  # characters
HISTORY = ("TIME", "ACTOR", "VERB", "COMMIT", "DIGEST", "RESULT", "SECONDS", "REASON")
EMAIL = re.compile(r"[^@\s-][^@\s]*@[^@\s]+")  # the application checks the rest
TRIES = 5  # how often a deploy is compared with an image that has become live meanwhile


def deploy(environment, image):
    """Makes an image live: the named one, or HEAD's snapshot in dev and release in prod. Returns repository@digest.

    A deploy that would go back is refused, unless DELIVERY_FORCE=1 gives a reason. With DELIVERY_PLAN=1 it
    changes nothing and returns what would change.
    """
    planned, reason = flag("DELIVERY_PLAN"), force.reason()
    shop = registry.shop()
    release = handover.read() if (environment, image) == ("prod", None) else None
    if release and not release.image:
        log(release)
        return None
    if release:
        handover.check_tag(shop, release)
    reference = resolve(shop, environment, release.image if release else image)
    target = targets.for_environment(environment)
    if planned:
        return target.ask("plan", *ordered(shop, target, environment, reference, reason)[:3]).rstrip()
    undo.record(target, environment, reference)
    for left in reversed(range(TRIES)):
        try:
            target.run("deploy", *ordered(shop, target, environment, reference, reason))
            return reference
        except (AlreadyReported, order.Changed) as failure:
            if failure.status != order.Changed.status or not left:
                raise
            log(f"another image has become live in {environment}: compare again")


def ordered(shop, target, environment, image, reason):
    """The arguments of a deploy: the environment, the image and, if required, `after` and the reason."""
    if reason:
        require_order(target, environment)
        return environment, image, order.UNORDERED, reason
    # In prod, the host compares the versions.
    after = ancestry.compare(shop, target, image) if environment == "dev" else None
    return (environment, image, after) if after else (environment, image)


def require_order(target, environment):
    """Raises CommandError if the host's files are too old to take `after`."""
    if "current" not in status.environments(target)[environment]:
        why = "they neither compare images nor record a reason"
        raise CommandError("the host's files are older than this checkout", why, "make infra; or make demo")


def resolve(shop, environment, name):
    """repository@digest of the image to deploy: a tag, repository@digest, or HEAD's for None.

    Raises UsageError for another repository and for a snapshot in production, CommandError if there is no
    such tag, or HEAD's release has another source.
    """
    commit = None
    if name is None:
        commit = git.resolve()
        name = (git.snapshot if environment == "dev" else git.version)(commit)
    if environment == "prod" and "@" not in name and not VERSION.fullmatch(name):
        why = "production runs releases only: VERSION, as in 1.2.3"
        raise UsageError(f"'{name}' is not a release", why, "make promote")
    image = shop.named(name, "make image push" if environment == "dev" else "make promote")
    if environment == "prod":
        check_release(shop, image.partition("@")[2], None if "@" in name else name, commit)
    return image


def check_release(shop, digest, version, commit):
    """Raises CommandError unless the image is the release of its version, by its labels and its tag in the registry.

    `version` is that of the tag it was found by, or None; with `commit`, it must have the source of the commit.
    """
    labels = shop.labels(digest)
    labelled = labels.get(git.VERSION_LABEL, "")
    if version is None and (not VERSION.fullmatch(labelled) or shop.recorded_digest(labelled) != digest):
        why = f"it has the version '{labelled}', whose release tag does not name it; production runs releases only"
        raise CommandError(f"'{shop.image(digest)}' is not a release", why, "make promote")
    if version not in (None, labelled):
        why = f"the image of this tag has the version '{labelled}': the tag has moved"
        raise CommandError(f"'{shop.repository}:{version}' is not the release {version}", why, "make history-prod")
    if commit and labels.get(git.SOURCE_LABEL) != git.source(commit):
        why = f"its image was built from another source, of commit {labels.get(git.REVISION_LABEL)}"
        remedy = f"bump the version in {git.PROJECT}, commit, then make image push promote deploy-prod"
        raise CommandError(f"'{shop.repository}:{version}' is not the release of HEAD", why, remedy)


def rollback(environment, image):
    """Makes the previous image live again, or the named one, which must have been live before.

    With DELIVERY_PLAN=1 it changes nothing and returns what would change.
    """
    planned = flag("DELIVERY_PLAN")
    check_first_attempt()
    reference = image and registry.shop().named(image)
    target = targets.for_environment(environment)
    if planned:
        require_order(target, environment)
        reference = reference or previous(target, environment)
        return target.ask("plan", environment, reference, order.UNORDERED).rstrip()
    target.run("rollback", environment, *[reference] if reference else [])
    return None


def check_first_attempt():
    """Raises CommandError in a workflow that a user has started by hand and run again: it is a stale request."""
    attempt = os.environ.get("GITHUB_RUN_ATTEMPT", "1")
    if os.environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch" and attempt != "1":
        why = f"this is attempt {attempt} of a run, and another image may be live since the first one"
        raise CommandError("a rollback is not repeated", why, "start the workflow again instead of its old run")


def previous(target, environment):
    """The repository@digest that a rollback would make live. Raises CommandError if there is none."""
    digest = status.environments(target)[environment]["previous"]
    if not digest:
        why = f"{environment} has had no other live image"
        raise CommandError("nothing to roll back to", why, f"make history-{environment}")
    return registry.shop().image(digest)


def history(environment, lines):
    """The last deploys of an environment as a table, oldest first."""
    past = status.history(targets.for_environment(environment), environment, lines)
    rows = [HISTORY, *map(history_row, past)]
    widths = (20, 16, max(VERB_WIDTH, *(len(row[2]) for row in rows)), 13, 20, 7, 7, 0)
    padded = (map(str.ljust, row, widths) for row in rows)
    return "\n".join(" ".join(cells).rstrip() for cells in padded)


def history_row(entry):
    """The cells of one entry of the history."""
    build = (entry["commit"][:12], entry["digest"][:19])
    end = (entry["result"], str(entry["seconds"]), entry.get("reason", ""))
    return (entry["time"], entry["actor"], verb_of(entry), *build, *end)


def verb_of(entry):
    """The verb of an entry for the table: printable, and a long command is cut."""
    text = "".join(character if character.isprintable() else " " for character in entry["verb"])
    return text if len(text) <= LONGEST_VERB else text[: LONGEST_VERB - 1] + "…"


def manage(environment, command):
    """Runs manage.py on the live image with this process's streams. Raises AlreadyReported with its exit status."""
    argument = commands.encode(commands.split(command))
    targets.for_environment(environment).attach("manage", environment, argument, terminal=streams.are_terminal())


def invite(environment, email):
    """Creates an administrator and returns the link with which to set the password. Raises AlreadyReported."""
    if not EMAIL.fullmatch(email):
        raise UsageError(f"invalid EMAIL {email[:80]!r}", "expected name@domain", f"make invite-{environment} EMAIL=…")
    target, argument = targets.for_environment(environment), commands.encode(["invite", email])
    address = status.url_of(target, environment)  # before the link exists, which only its output has
    streams.set_input()
    path = streams.output_of(lambda: target.attach("manage", environment, argument)).strip()
    if not address:
        log(f"{environment} has no address yet: put the address before this path")
    return f"{address}{path}"


def logs(environment, lines, since, grep, previous, follow):
    """The selected lines of the application's log, one JSON object a line; with `follow`, prints them without end."""
    log_lines.check_exclusive(previous, follow)
    lines = lines or str(log_lines.MOST if since else 100)
    options = [*([f"--since={since}"] if since else []), *([f"--grep={grep}"] if grep else [])]
    target = targets.for_environment(environment)
    if follow:
        return target.follow("logs", environment, lines, *options, "--follow")
    return target.ask("logs", environment, lines, *options, *(["--previous"] if previous else [])).rstrip()


def dump(environment):
    """Prints a dump of the live database. Raises UsageError if stdout is a terminal."""
    if sys.stdout.isatty():
        why = "a dump is binary data"
        raise UsageError("stdout is a terminal", why, f"make dump-{environment} >{environment}.dump")
    target = targets.for_environment(environment)
    streams.set_input()
    target.attach("dump", environment)


def load(environment, anonymous, yes):
    """Replaces the data of an environment with a dump from stdin; asks on the terminal first unless `yes`."""
    if sys.stdin.isatty():
        why = "stdin is a terminal; a dump is binary data"
        raise UsageError("no dump was given", why, f"make load-{environment} <{environment}.dump")
    target = targets.for_environment(environment)
    personal = ", without personal data" if anonymous else ""
    log(f"{environment} ({status.url_of(target, environment)}) gets the data of the dump on stdin{personal}")
    on_cluster = targets.on_cluster(environment)
    print(f"Its present data is {'not kept' if on_cluster else 'kept as a backup'}.", file=sys.stderr)
    if not yes:
        confirm("The data is replaced.", target.context if on_cluster else environment, terminal=True)
    target.attach("load", environment, *(["anonymous"] if anonymous else []))


def psql(environment):
    """Opens psql on the live database, or runs the SQL on stdin. Raises AlreadyReported with its exit status."""
    targets.for_environment(environment).attach("psql", environment, terminal=streams.are_terminal())


def rotate(environment, what):
    """Replaces a secret of an environment, `what` of delivery/rotation.py, without a lost request."""
    targets.for_environment(environment).run("rotate", environment, what)


def backup(environment):
    """Backs up the data of one environment, or of both (None); returns the paths on the host, one per line."""
    names = [environment] if environment else []
    try:
        return targets.for_data(*names or ENVIRONMENTS).ask("backup", *names).rstrip()
    except AlreadyReported as failure:
        print(failure.output, end="", file=sys.stderr)  # the path of the other environment, whose backup succeeded
        raise


def list_backups():
    """The backups on the host, newest first, one per line; reports overdue ones on stderr."""
    entries = backups.of(targets.for_data())
    for environment in ENVIRONMENTS:
        if problem := backups.overdue(entries, environment):
            log(f"{problem}. To see why, run on the host: journalctl -u {NAME}-backup")
    return "\n".join(map(str, entries))


def restore(environment, name, yes):
    """Replaces the data of an environment with a backup, the named one or `latest`; asks first unless `yes`.

    Raises CommandError if there is no such backup or the answer is not the environment's name.
    """
    backups.check_name(name)
    target = targets.for_data(environment)
    backup = backups.select(backups.of(target), environment, name)
    age = backups.age(backups.now() - backup.time)
    address = status.url_of(target, environment)
    log(f"{environment} ({address}) gets the data of {backup.time:%Y-%m-%d %H:%M:%S} UTC")
    print(f"{backup}\nChanges made there in the last {age} are removed and kept as a backup.", file=sys.stderr)
    if not yes:
        confirm("The data is replaced.", environment)
    # By name, because another backup may be the latest by now.
    target.run("restore", environment, backup.name)
