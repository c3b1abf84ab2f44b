"""What a failed request to GitHub means, and the command that fixes it.

GitHub answers very different causes with 403, so the message of the answer decides, not the status.
"""

import json
import os
import re
import time

from delivery.cli import CommandError


class NotFound(CommandError):
    """The object does not exist, or this login may not see it (404)."""


class Refused(CommandError):
    """GitHub rejected the request (422): the object exists already, or the request is invalid."""


class NotInPlan(CommandError):
    """The plan of the repository's owner does not include the feature for this repository."""


class NotPermitted(CommandError):
    """The token lacks a permission or scope, whatever its owner may do."""


TOKENS = "https://github.com/settings/tokens"
# Pattern of GitHub's message, kind of the error, what failed, remedy.
MESSAGES = (
    (
        r"Upgrade to GitHub|billing plan",
        NotInPlan,
        "the GitHub plan does not include this for a private repository",
        "gh repo edit{repository} --visibility public --accept-visibility-change-consequences;"
        " or a plan that includes it: https://github.com/settings/billing/plans",
    ),
    (r"rate limit", CommandError, "the rate limit of GitHub is reached", "run the command again {when}"),
    (
        r"SAML enforcement",
        CommandError,
        "the organization requires its single sign-on for this login",
        "open {sso} and authorize the login, then run the command again",
    ),
    (
        r"by integration|GitHub App to create or update workflow",
        NotPermitted,
        "the token of this job or app lacks a permission",
        "add it under permissions: of the job; or on your machine: gh auth login",
    ),
    (
        r"by personal access token",
        NotPermitted,
        "the personal access token lacks a permission for this repository",
        f"add it to the token at {TOKENS}; or without this token: unset GH_TOKEN GITHUB_TOKEN && gh auth login",
    ),
    (r"without `?workflow`? scope", NotPermitted, "the login lacks a scope", "gh auth refresh --scopes workflow"),
    (
        r"Must have admin rights",
        CommandError,
        "this login does not administrate the repository",
        "gh auth login as an administrator of the repository, or ask one to run the command",
    ),
    (r"archived so is read-only", CommandError, "the repository is archived", "gh repo unarchive{repository}"),
    (
        r"IP allow list",
        CommandError,
        "the organization does not accept this machine's address",
        "run the command from an address that the organization allows",
    ),
)


def failure(request, status, headers, message, content):
    """The CommandError for a request that failed.

    `status` is the HTTP status as text, None without an answer; `headers` have lower-case names; `message` is
    what gh printed, and `content` the body of the answer.
    """
    why = "; ".join([f"{request}: {message.strip() or 'no message'}", *details(content)])
    permissions = headers.get("x-accepted-github-permissions")
    needed = f"; it needs {permissions}" if permissions else ""
    for pattern, kind, what, remedy in MESSAGES if status in ("403", "404", "422", "429") else ():
        if re.search(pattern, why):
            values = {"repository": repository(), "when": when(headers), "sso": sso(headers)}
            return kind(what, why + (needed if kind is NotPermitted else ""), remedy.format(**values))
    if status == "404":
        return NotFound("not found on GitHub, or not visible to this login", why, "gh auth status")
    if status == "422":
        return Refused("GitHub rejected the request", why, "gh repo view --web shows the current state")
    if status == "401":
        return not_logged_in(why)
    if status == "403":
        return CommandError("GitHub denied the request", why + needed, "gh auth status")
    if status == "429":
        return CommandError("the rate limit of GitHub is reached", why, f"run the command again {when(headers)}")
    if status is None:
        remedy = "check the network and gh auth status; without a GitHub remote set GITHUB_REPOSITORY=owner/name"
        return CommandError("GitHub doesn't answer", why, remedy)
    return CommandError("GitHub failed", why, "run the command again in a minute; completed changes are kept")


def not_logged_in(why):
    """The CommandError for a missing, unknown or expired login."""
    return CommandError("not logged in to GitHub", why, "gh auth login, or set GH_TOKEN")


def details(content):
    """The single errors in the body of an answer, as texts."""
    try:
        answer = json.loads(content)
    except ValueError:
        return []
    errors = answer.get("errors") if isinstance(answer, dict) else None
    errors = errors if isinstance(errors, list) else [errors] if errors else []
    return [str(error.get("message", error) if isinstance(error, dict) else error) for error in errors]


def repository():
    """The repository as an argument of gh, which otherwise takes that of the clone."""
    name = os.environ.get("GITHUB_REPOSITORY")
    return f" {name}" if name else ""


def when(headers):
    """When a request may be repeated after a rate limit, from the headers of the answer."""
    if headers.get("retry-after", "").isdecimal():
        return f"in {headers['retry-after']} seconds"
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        return time.strftime("after %H:%M:%S UTC", time.gmtime(int(headers["x-ratelimit-reset"])))
    return "in a few minutes; gh api rate_limit shows the limits"


def sso(headers):
    """The page that authorizes a login for an organization with single sign-on."""
    found = re.search(r"url=(\S+)", headers.get("x-github-sso", ""))
    return found[1] if found else TOKENS
