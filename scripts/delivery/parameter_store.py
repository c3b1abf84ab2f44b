"""The settings of an environment in Parameter Store of AWS Systems Manager, for a host on AWS.

Each setting is a SecureString <path>/<NAME> with the plain value. Its description is the user who changed it, and
AWS records when. Only the host may read them (docs/decisions/0085-settings-in-parameter-store.md).
"""

import functools
import re
import time

from delivery import aws, state
from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR
from delivery.references import ENVIRONMENTS
from delivery.settings import LONGEST, Setting, snapshot, values

DELETED_AT_ONCE = 10
PAUSES = (*aws.PAUSES, 15)  # seconds; AWS requires 30 s before a deleted parameter is created again
PER_PAGE = 50  # of DescribeParameters; that of GetParametersByPath is 10
REFUSALS = {  # of PutParameter: why, remedy
    "ParameterLimitExceeded": ("the account has as many parameters as AWS allows", "delete unused parameters"),
    "ParameterMaxVersionLimitExceeded": ("its oldest version has a label", "aws ssm unlabel-parameter-version"),
    "HierarchyTypeMismatchException": ("it exists with another type than SecureString", "aws ssm delete-parameter"),
    **dict.fromkeys(aws.THROTTLED, ("AWS accepts no more changes at the moment", "run the command again in a minute")),
}


class ParameterStore:
    """Settings whose names follow `path`, such as /book-shop/prod."""

    def __init__(self, path, region, sleep=time.sleep):
        self.path, self._region, self._sleep = path, region, sleep

    def current(self):
        """As Settings.current."""
        return snapshot(values(self.load()))

    def load(self):
        """As Settings.load."""
        listed = {"Path": self.path, "WithDecryption": True}
        stored = self._ssm.pages("get_parameters_by_path", "Parameters", **listed)
        directly = [{"Key": "Path", "Option": "OneLevel", "Values": [self.path]}]
        described = self._ssm.pages("describe_parameters", "Parameters", ParameterFilters=directly, MaxResults=PER_PAGE)
        actors = {entry["Name"]: entry.get("Description", "") for entry in described}
        settings = {}
        for entry in sorted(stored, key=lambda entry: entry["Name"]):
            actor = actors.get(entry["Name"], "")
            changed = state.in_utc(entry["LastModifiedDate"])
            known = actor if re.fullmatch(GRAMMAR["actor"], actor) else None
            settings[entry["Name"].rpartition("/")[2]] = Setting(entry["Value"], known, changed)
        return settings

    def save(self, settings):
        """As Settings.save. Also raises what `check` raises, before anything is changed."""
        stored = self.load()
        changed = {name: setting for name, setting in settings.items() if setting != stored.get(name)}
        for name, setting in changed.items():
            check(name, setting.value)
        for name, setting in changed.items():
            self._put(name, setting)
        for name in stored.keys() - settings.keys():
            self._delete(name)

    @functools.cached_property
    def _ssm(self):
        return aws.HostClient("ssm", self._region, sleep=self._sleep)

    def _put(self, name, setting):
        """Stores a setting, and reads it again, because AWS does not document which values it changes."""
        parameter = f"{self.path}/{name}"
        content = {"Value": setting.value, "Description": setting.actor or "", "Type": "SecureString"}
        try:
            answer = self._ssm.ask("put_parameter", Name=parameter, Overwrite=True, Tier="Standard", **content)
        except aws.Refused as refused:
            raise self._refusal(name, refused) from None
        if self._stored(f"{parameter}:{answer['Version']}") != setting.value:
            why = "what it returns differs from what was stored"
            raise CommandError(f"Parameter Store has changed the value of {name}", why, "choose another value")

    def _refusal(self, name, refused):
        """The CommandError for a refused change. AWS's message may repeat the value, except for denied access."""
        what = f"Parameter Store did not store {self.path}/{name}"
        if refused.code in aws.DENIED:
            return CommandError(what, refused.why, refused.remedy)
        why, remedy = REFUSALS.get(refused.code, (f"AWS refused the value ({refused.code})", "choose another value"))
        return CommandError(what, why, remedy)

    def _stored(self, version):
        """The value of a version of a parameter, which may not be visible at once."""
        for pause in (*PAUSES, None):
            try:
                return self._ssm.ask("get_parameter", Name=version, WithDecryption=True)["Parameter"]["Value"]
            except aws.Refused as refused:
                if pause is None or refused.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                    raise
            self._sleep(pause)

    def _delete(self, name):
        try:
            self._ssm.ask("delete_parameter", Name=f"{self.path}/{name}")
        except aws.Refused as refused:
            if refused.code != "ParameterNotFound":  # another user has deleted it
                raise


def parameter(name, region):
    """The value of a parameter outside the settings; None if it doesn't exist. Raises CommandError."""
    try:
        return aws.HostClient("ssm", region).ask("get_parameter", Name=name, WithDecryption=True)["Parameter"]["Value"]
    except aws.Refused as refused:
        if refused.code != "ParameterNotFound":
            raise
    return None


def delete_all(name, region):
    """Deletes the settings of both environments of an installation, with the credentials of its owner."""
    ssm = aws.Client("ssm", region)
    for environment in ENVIRONMENTS:
        stored = ssm.pages("get_parameters_by_path", "Parameters", Path=f"/{name}/{environment}")
        names = [entry["Name"] for entry in stored]
        for first in range(0, len(names), DELETED_AT_ONCE):
            ssm.ask("delete_parameters", Names=names[first : first + DELETED_AT_ONCE])


def check(name, value):
    """Raises UsageError for a value that Parameter Store refuses, without the value (delivery.settings.read_value)."""
    why = not value and "it is empty"
    why = why or (len(value.encode()) > LONGEST and f"it has more than {LONGEST} bytes")
    why = why or ("{{" in value and "AWS takes {{ for a reference to a parameter")
    if why:
        raise UsageError(f"Parameter Store cannot have this value of {name}", why, "choose another value")


def move_file(file, store):
    """Moves the settings of a host that was set up before it had Parameter Store from a FileSettings.

    An interrupted move is completed by the next one. Raises CommandError, and keeps the file, if a setting has
    another value in Parameter Store.
    """
    # The application takes an empty value for none, and Parameter Store cannot have it.
    old = {name: setting for name, setting in file.load().items() if setting.value}
    store.save(old | store.load())
    moved = values(store.load())
    if different := [name for name, value in values(old).items() if moved.get(name) != value]:
        why = f"they have other values in Parameter Store: {', '.join(different)}"
        remedy = f"to keep those of Parameter Store: rm {file.path}; then make infra"
        raise CommandError(f"the settings of '{file.path}' are not moved", why, remedy)
    file.path.unlink()
