"""The settings of the shop: environment variables, validated at startup.

`python3 -m book_shop.environment schema` prints them as a JSON list. With `check` it reads the complete settings from
stdin, a JSON object {NAME: value}, and names those that must not be stored.
"""

import json
import sys
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError, PydanticUseDefault
from pydantic_settings import BaseSettings, SettingsConfigDict

from book_shop import validation

# Used with DEBUG=1 only, because it is public.
DEVELOPMENT_KEY = "development-only-key-that-signs-nothing-of-value-0123456789"

# The kubelet and the health check of the image send these names.
ALWAYS_ALLOWED = ["localhost", "127.0.0.1"]


class Refusal(SystemExit):
    """The environment is invalid. The message has one line for each problem, and the exit status is 1.

    It is a SystemExit because Django and gunicorn print a traceback for other exceptions in the settings module.
    """


def _setting(kind: str, text: str, example: str, default=None, *, required=False, secret=False, missing=""):
    # `missing`: what would go wrong without the setting. Such a setting is required unless DEBUG=1.
    return Field(
        default,
        description=text,
        repr=not secret,
        validate_default=bool(missing),
        json_schema_extra={
            "kind": kind, "example": example, "required": required, "secret": secret, "missing": missing
        },
    )  # fmt: skip


class Settings(BaseSettings):
    """The settings from the environment. Its other variables are ignored."""

    # Values are text: with decoding, lists would have to be JSON.
    model_config = SettingsConfigDict(
        case_sensitive=True, enable_decoding=False, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    DEBUG: str = _setting("choice", "1: a developer's run, in which nothing is required", "0 or 1", "0")
    SECRET_KEY: str | None = _setting(
        "secret",
        "the key that signs sessions and forms",
        "a long random value that stays the same across restarts, for example from `openssl rand -hex 32`",
        required=True,
        secret=True,
        missing="sessions and forms could be forged",
    )
    SECRET_KEY_FALLBACKS: Annotated[str, AfterValidator(validation.keys)] = _setting(
        "secret",
        "other keys whose signatures are accepted, separated by commas: those of a key change",
        "the keys, separated by commas",
        "",
        secret=True,
    )
    ALLOWED_HOSTS: str | None = _setting(
        "hosts",
        "the host names that are answered, separated by commas; .example.org includes its subdomains, * is any name",
        "the host names of the shop, for example ALLOWED_HOSTS=shop.example.org,203.0.113.7",
        required=True,
        missing="links could point to any host name that a client sends",
    )
    DATABASE_URL: Annotated[str | None, AfterValidator(validation.database_url)] = _setting(
        "URL",
        "the PostgreSQL database; a developer's run without one uses a SQLite file",
        "postgresql://USER:PASSWORD@HOST:5432/NAME, or unset it to use SQLite",
        required=True,
        secret=True,
    )
    COOKIE_SUFFIX: Annotated[str | None, AfterValidator(validation.cookie_suffix)] = _setting(
        "text",
        "the end of the cookies' names, which keeps environments with the same host name apart; by default it is "
        "derived from SECRET_KEY",
        "the name of the environment",
    )
    PUBLIC_URL: Annotated[str | None, AfterValidator(validation.public_url)] = _setting(
        "URL",
        "the address at which visitors reach the shop, which is always answered; with https://, requests without "
        "encryption are redirected to it, and cookies are Secure",
        "https://HOST, or http://HOST:PORT",
    )
    PREVIEW: Annotated[str, AfterValidator(validation.zero_or_one)] = _setting(
        "choice",
        "1: a preview, not a shop for the public; each page has a banner, and orders are marked",
        "0 or 1",
        "0",
    )
    PREVIEW_PASSWORD: Annotated[str | None, AfterValidator(validation.password)] = _setting(
        "secret",
        "the password without which NGINX shows no page of the preview, with any user name; it needs PREVIEW=1",
        "12 to 128 letters, digits and other ASCII characters",
        secret=True,
    )
    EMAIL_HOST: Annotated[str | None, AfterValidator(validation.host)] = _setting(
        "text", "the mail server; without one, no mail is sent", "a host name, for example smtp.example.org"
    )
    EMAIL_PORT: Annotated[int | None, BeforeValidator(validation.port)] = _setting(
        "number",
        "the port of the mail server; by default that of EMAIL_SECURITY: 587 (starttls), 465 (tls) or 25 (none)",
        "a port, for example 587",
    )
    EMAIL_HOST_USER: str = _setting("text", "the user name at the mail server", "a user name", "")
    EMAIL_HOST_PASSWORD: str = _setting("secret", "the password at the mail server", "a password", "", secret=True)
    EMAIL_SECURITY: Annotated[str, AfterValidator(validation.security)] = _setting(
        "choice", "how mail is encrypted: none, starttls or tls", "none, starttls or tls", "starttls"
    )
    DEFAULT_FROM_EMAIL: Annotated[str, AfterValidator(validation.sender)] = _setting(
        "email",
        "the sender of the shop's mail",
        "a mail address, for example Book Shop <shop@example.org>",
        "webmaster@localhost",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _one_line(cls, value):
        # A blank value counts as unset. A Secret that was made from a file ends with a line break.
        if isinstance(value, str):
            value = validation.text(value.strip())
            if not value:
                raise PydanticUseDefault
        return value

    @field_validator("SECRET_KEY", "ALLOWED_HOSTS")
    @classmethod
    def _is_set(cls, value, info):
        empty = not value if info.field_name == "SECRET_KEY" else not validation.parts(value or "")
        if empty and info.data.get("DEBUG") != "1":
            missing = cls.model_fields[info.field_name].json_schema_extra["missing"]
            raise PydanticCustomError("not_set", missing)
        return value

    @property
    def debug(self) -> bool:
        """Whether DEBUG is 1. Any other value means production."""
        return self.DEBUG == "1"

    @property
    def secret_key(self) -> str:
        """The signing key."""
        return self.SECRET_KEY or DEVELOPMENT_KEY

    @property
    def secret_key_fallbacks(self) -> list[str]:
        """The other keys whose signatures are accepted."""
        return validation.parts(self.SECRET_KEY_FALLBACKS)

    @property
    def allowed_hosts(self) -> list[str]:
        """The host names of the shop and of its health checks."""
        names = [*ALWAYS_ALLOWED, *validation.parts(self.ALLOWED_HOSTS or "")]
        return [*names, urlsplit(self.PUBLIC_URL).hostname] if self.PUBLIC_URL else names

    @property
    def https(self) -> bool:
        """Whether visitors reach the shop by HTTPS."""
        return (self.PUBLIC_URL or "").startswith("https://")

    @property
    def preview(self) -> bool:
        """Whether this is a preview, not a shop for the public."""
        return self.PREVIEW == "1"


class Candidate(Settings):
    """Settings that are to be stored. They come from the caller, not from the environment.

    A host may have started with values for years that it would not store today. So these rules do not apply at startup.
    """

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, **others):
        """Use the arguments only."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value):
        return validation.storable(value)

    @field_validator("SECRET_KEY")
    @classmethod
    def _key_can_be_listed(cls, value):
        if value and "," in value:
            raise ValueError("it contains a comma, which separates keys in SECRET_KEY_FALLBACKS")
        return value

    @field_validator("ALLOWED_HOSTS")
    @classmethod
    def _hosts_of_nginx(cls, value):
        return value and validation.allowed_hosts(value)

    @field_validator("DEBUG")
    @classmethod
    def _zero_or_one(cls, value):
        return validation.zero_or_one(value)

    @field_validator("PREVIEW_PASSWORD")
    @classmethod
    def _asked_for_on_a_preview(cls, value, info):
        # PREVIEW is missing if it was refused itself.
        if value and info.data.get("PREVIEW", "1") != "1":
            raise ValueError("it is for previews only; set PREVIEW=1 first, or unset PREVIEW_PASSWORD")
        return value


def load() -> Settings:
    """Return the settings from the environment. Raise Refusal, without values, if they are invalid."""
    try:
        return Settings()
    except ValidationError as error:
        raise Refusal("\n".join(map(_line, error.errors()))) from None


def _line(error) -> str:
    name = error["loc"][0]
    fault = "is not set" if error["type"] == "not_set" else "is invalid"
    example = Settings.model_fields[name].json_schema_extra["example"]
    return f"error: {name} {fault}: {_why(error)}. Set it to {example}"


def _why(error) -> str:
    return error["msg"].removeprefix("Value error, ")


def schema() -> list[dict]:
    """Return the settings: name, type, whether required and secret, default (text or None) and help."""
    return [
        {
            "name": name,
            "type": field.json_schema_extra["kind"],
            "required": field.json_schema_extra["required"],
            "secret": field.json_schema_extra["secret"],
            "default": field.default or None,
            "help": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]


def problems(values: Mapping[str, object]) -> dict[str, str]:
    """Return {name: reason} for the settings that must not be stored. `values` are all settings of an environment."""
    known = {one["name"]: one["required"] for one in schema()}
    found = {name: "this image has no such setting" for name in values if name not in known}
    found |= {name: "it is not set" for name, required in known.items() if required and name not in values}
    reasons = {}
    # A key change first stores the old key among the fallbacks, so that a short one can still be replaced.
    key, others = (str(values.get(name, "")) for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS"))
    if len(key) < validation.SHORTEST_KEY and key not in others.split(","):
        reasons["SECRET_KEY"] = f"it has fewer than {validation.SHORTEST_KEY} characters"
    try:
        Candidate(**{name: value for name, value in values.items() if name in known})
    except ValidationError as error:
        reasons |= {one["loc"][0]: _why(one) for one in error.errors()}
    return reasons | found


def main(arguments: list[str]) -> int:
    """Run `schema` or `check`, and return the exit status: 0, 1 if a setting was refused, 2 for wrong usage."""
    if arguments == ["schema"]:
        print(json.dumps(schema(), indent=1))
        return 0
    if arguments != ["check"]:
        print("usage: python3 -m book_shop.environment schema|check", file=sys.stderr)
        return 2
    try:
        values = json.loads(sys.stdin.buffer.read())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        print('error: stdin is not a JSON object such as {"EMAIL_HOST": "smtp.example.org"}', file=sys.stderr)
        return 2
    found = problems(values)
    for name, why in found.items():
        # A name from the caller may have any characters.
        print(f"{name if name.isidentifier() and name.isascii() else ascii(name)}: {why}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
