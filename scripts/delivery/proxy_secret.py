"""The secret that a trusted proxy sends to this host (docs/decisions/0090-trust-a-proxy-by-a-secret.md).

There may be two values, so that it can be changed without a request that is not trusted: the host accepts both.
"""

import re
import secrets

from delivery import files, parameter_store
from delivery.cli import CommandError
from delivery.paths import BOOTSTRAP

VALUE = "[0-9a-f]{32,64}"
PARAMETER = "proxy/SECRET"  # below PARAMETERS of host.env


def load(paths):
    """The values that a host accepts; none if it trusts no proxy.

    On AWS they are a parameter, which Terraform creates if there is a proxy. Another host has a file, which is
    generated if it is missing. Raises CommandError, also if AWS doesn't answer.
    """
    host = paths.host()
    if parameters := host.get("PARAMETERS"):
        name = f"{parameters}/{PARAMETER}"
        return parse(parameter_store.parameter(name, host["AWS_REGION"]) or "", name, "make infra")
    file = paths.settings / "proxy-secret"
    if not file.exists():
        files.replace(file, secrets.token_hex(32) + "\n", 0o600)
    remedy = f"rm {file} && {BOOTSTRAP} generates another one"
    return parse(file.read_text(encoding="utf-8", errors="replace"), file, remedy)


def parse(text, place, remedy):
    """The values in the text, which are separated by a comma. Raises CommandError, without the text."""
    values = [value.strip() for value in text.split(",")] if text.strip() else []
    if len(values) > 2 or not all(re.fullmatch(VALUE, value) for value in values):
        why = "expected one or two values of 32 to 64 hex digits (0-9, a-f), separated by a comma"
        raise CommandError(f"invalid secret of the proxy in '{place}': NGINX keeps its previous one", why, remedy)
    return values


def nginx_map(values):
    """The lines of NGINX's map that accept the values, for prod (nginx/book-shop/client.conf)."""
    return "".join(f'"~^prod {value}$" 1;\n' for value in values)
