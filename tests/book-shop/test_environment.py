"""python3 -m book_shop.environment: the schema of the settings, and the check of values before they are stored."""

import json
import re
import subprocess
import sys

import pytest
from book_shop import environment
from delivery import allowed_hosts, settings
from delivery.cli import UsageError
from delivery.grammar import GRAMMAR
from shop_program import LIMIT, PROJECT, run

ROOT = PROJECT.parent
VALID = {
    "SECRET_KEY": "0123456789abcdef" * 4,
    "ALLOWED_HOSTS": "shop.example.org,203.0.113.7",
    "DATABASE_URL": "postgresql://shop:p%40ss@db.internal:5432/shop",
}
EXAMPLES = VALID | {
    "DEBUG": "0",
    "SECRET_KEY_FALLBACKS": "one,two",
    "COOKIE_SUFFIX": "prod",
    "PUBLIC_URL": "https://shop.example.org",
    "PREVIEW": "1",
    "PREVIEW_PASSWORD": "open sesame, please",
    "EMAIL_HOST": "smtp.example.org",
    "EMAIL_PORT": "2525",
    "EMAIL_HOST_USER": "shop@example.org",
    "EMAIL_HOST_PASSWORD": "p w",
    "EMAIL_SECURITY": "tls",
    "DEFAULT_FROM_EMAIL": "Book Shop <shop@example.org>",
}
NAMES = list(environment.Settings.model_fields)


def check(stdin: bytes) -> subprocess.CompletedProcess:
    """Run the check in an environment without settings."""
    return subprocess.run(
        [sys.executable, "-m", "book_shop.environment", "check"],
        cwd=PROJECT,
        env={},
        input=stdin,
        capture_output=True,
        timeout=LIMIT,
    )


def test_schema_is_printed_even_if_the_environment_is_invalid():
    done = run("-m", "book_shop.environment", "schema", SECRET_KEY=None, DATABASE_URL="x", EMAIL_PORT="x")
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert {tuple(one) for one in listed} == {("name", "type", "required", "secret", "default", "help")}
    assert {one["name"]: one["type"] for one in listed} == {
        "DEBUG": "choice",
        "SECRET_KEY": "secret",
        "SECRET_KEY_FALLBACKS": "secret",
        "ALLOWED_HOSTS": "hosts",
        "DATABASE_URL": "URL",
        "COOKIE_SUFFIX": "text",
        "PUBLIC_URL": "URL",
        "PREVIEW": "choice",
        "PREVIEW_PASSWORD": "secret",
        "EMAIL_HOST": "text",
        "EMAIL_PORT": "number",
        "EMAIL_HOST_USER": "text",
        "EMAIL_HOST_PASSWORD": "secret",
        "EMAIL_SECURITY": "choice",
        "DEFAULT_FROM_EMAIL": "email",
    }
    assert {one["name"] for one in listed if one["required"]} == {"SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"}
    assert {one["name"] for one in listed if one["secret"]} == {
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "DATABASE_URL",
        "PREVIEW_PASSWORD",
        "EMAIL_HOST_PASSWORD",
    }
    assert all(one["help"] and (one["default"] is None or isinstance(one["default"], str)) for one in listed)
    assert all(re.fullmatch(GRAMMAR["setting"], one["name"]) for one in listed)


def test_check_accepts_valid_settings_without_a_word():
    for values in (VALID, EXAMPLES):
        done = check(json.dumps(values).encode())
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_check_names_each_refused_setting_on_one_line_without_values():
    values = {
        "SECRET_KEY": "hidden",
        "EMAIL_PORT": "hidden",
        "DATABASE_URL": "postgresql://u:hidden@h:x/n",
        "NO_SUCH": "hidden",
        "_env_file": "hidden",
        "self": "hidden",
        "a\nb\u0007": "hidden",
    }
    done = check(json.dumps(values).encode())
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"hidden" not in done.stderr
    lines = dict(line.split(": ", 1) for line in done.stderr.decode().splitlines())
    assert set(lines) == {*values, "ALLOWED_HOSTS", "'a\\nb\\x07'"} - {"a\nb\u0007"}
    assert lines["SECRET_KEY"] == "it has fewer than 32 characters"
    assert lines["ALLOWED_HOSTS"] == "it is not set"
    assert lines["NO_SUCH"] == lines["self"] == "this image has no such setting"


@pytest.mark.parametrize("stdin", [b"", b"[", b"[]", b'"x"', b"\xff", b'{"EMAIL_HOST": "\xff"}', b"[" * 100_000])
def test_check_of_anything_but_an_object_is_wrong_usage(stdin):
    done = check(stdin)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


@pytest.mark.parametrize("arguments", [[], ["show"], ["check", "x"], ["schema", "x"]])
def test_unknown_command_is_wrong_usage(arguments):
    done = run("-m", "book_shop.environment", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "it is empty; unset it instead"),
        ("   ", "it is empty; unset it instead"),
        ("a\nb", "it contains a line break or another control character"),
        ("a\n", "it contains a line break or another control character"),
        ("a\rb", "it contains a line break or another control character"),
        ("a\0b", "it contains a line break or another control character"),
        ("a\x1b[2Jb", "it contains a line break or another control character"),
        ("a\x7fb", "it contains a line break or another control character"),
        ("a\u2028b", "it contains a line break or another control character"),
        ("\udcffx", "it is not valid UTF-8"),
        ("\ud800", "it is not valid UTF-8"),
        (" x", "it begins or ends with a blank"),
        ("x\u00a0", "it begins or ends with a blank"),
        ("x" * 65536, "it is longer than 4096 bytes"),
        ("\u00e9" * 2049, "it is longer than 4096 bytes"),
        (None, "it is not text"),
        (1, "it is not text"),
        (["x"], "it is not text"),
        ({"x": "y"}, "it is not text"),
        (True, "it is not text"),
    ],
    ids=ascii,
)
def test_no_setting_accepts_a_value_that_could_not_be_stored_exactly(name, value, reason):
    assert environment.problems(VALID | {name: value}) == {name: reason}


HOSTILE = [
    '"',
    "'",
    '"x"',
    "$(id)",
    "`id`",
    "${HOME}",
    "a b",
    "a;b",
    "a|b",
    "a=b",
    "#x",
    "\\",
    "%s",
    "{0}",
    "--X",
    "é",
    "\u202e",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_accepted_exactly_and_other_types_refuse_hostile_values(monkeypatch, name, value):
    if name == "SECRET_KEY":
        value += "x" * 40
    found = environment.problems(VALID | {name: value})
    if name not in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"):
        assert list(found) == [name]
        assert value not in found[name] or len(value) == 1
        return
    assert found == {}
    for each, given in (VALID | {name: value}).items():
        monkeypatch.setenv(each, given)
    assert getattr(environment.load(), name) == value


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("DEBUG", ["0", "1"], ["true", "2"]),
        ("SECRET_KEY", ["x" * 32, "ü" * 32], ["x" * 31, "x" * 40 + ",y"]),
        ("SECRET_KEY_FALLBACKS", ["old", "new,old"], [",", "a,", "a,,b", "a, b"]),
        (
            "DATABASE_URL",
            ["postgres://u:p@h/n", "postgresql://u:p@[::1]:5432/n?sslmode=require", "sqlite:////tmp/x"],
            ["postgresql://u:p@h", "postgresql://u:p@h:65536/n", "postgresql://u:p@h/n?no=1", "h/n"],
        ),
        ("COOKIE_SUFFIX", ["prod", "a-1", "x" * 32], ["Prod", "a_b", "x" * 33, "a.b"]),
        ("PREVIEW", ["0", "1"], ["true", "2", "yes", "01", "\u0661"]),
        (
            "EMAIL_HOST",
            ["smtp.example.org", "mail_relay", "203.0.113.7", "2001:db8::1", "x" * 63],
            ["smtp..org", "-x", "smtp.example.org:25", "http://x", "x" * 64, "[::1]", ".".join(["x" * 60] * 5)],
        ),
        ("EMAIL_PORT", ["1", "25", "65535"], ["0", "65536", "-1", "+1", "2_5", "٢٥", "25.0", "0x19", "123456"]),
        ("EMAIL_SECURITY", ["none", "starttls", "tls"], ["ssl", "TLS", "yes"]),
        (
            "DEFAULT_FROM_EMAIL",
            ["shop@example.org", "Book Shop <shop@example.org>", "متجر <shop@example.org>", "webmaster@localhost"],
            ["shop", "a@b, c@d", "<a@b", "A <b>", "a@b>", "a@b c@example.org", "x@example.org <y>"],
        ),
    ],
)
def test_values_of_a_type(name, accepted, refused):
    assert [value for value in accepted if environment.problems(VALID | {name: value})] == []
    assert [value for value in refused if list(environment.problems(VALID | {name: value})) != [name]] == []


ACCEPTED_URLS = [
    "https://shop.example.org", "http://shop.example.org:8080", "https://localhost:8443", "http://203.0.113.7:8080",
    "https://xn--bcher-kva.example", "https://d111111abcdef8.cloudfront.net", "https://a", "http://a:1",
    "https://7.example", "https://a:65535", "https://x.1a", "http://a:443", "https://a:80",
    f"https://{'x' * 63}.example",
]  # fmt: skip
REFUSED_URLS = {
    "it does not begin with http:// or https://": [
        "shop.example.org", "ftp://a", "//a", "https:/a", "https:a", "javascript:alert(1)", "a://b", "://a", "https",
    ],
    "it has characters other than ASCII; write the host name in its xn-- form": [
        "https://bücher.example", "https://متجر.example", "https://a\u3002example", "https://\uff41", "https://a\u00ad",
        "https://a:\uff18", "https://a\u200b",
    ],
    "it contains a user name or password": ["https://u@a", "https://u:p@a", "https://a@b:1", "https://@a", "https://a@"],
    "it has more than a host and a port; remove the path and also a slash at the end": [
        "https://a/", "https://a/b", "https://a?b", "https://a#b", "https:///a", "https://a\\b", "https://a:1/",
        "https://https://a", "https:///",
    ],
    "its host is an IPv6 address; use a host name": ["https://[::1]", "https://[2001:db8::1]:1", "https://::1", "http://[a]"],
    "it contains capital letters, which browsers send as small letters": [
        "HTTPS://a", "https://Shop.example", "https://XN--bcher-kva.example",
    ],
    "its host name ends with a dot": ["https://a.", "https://a.b.:1"],
    "its host is not a host name or an IPv4 address": [
        "https://", "https://:1", "https://a..b", "https://.a", "https://-a", "https://a-.b", "https://a_b", "https://*",
        "https://*.a", "https://a b", "https://a;b", "https://a,b", "https://$host", "https://a%41", "https://1.2.3",
        "https://256.1.1.1", "https://1", "https://0x7f.1", "https://a.0x1", "https://01.2.3.4", "https://a.7",
        f"https://{'x' * 64}.a", "https://" + ".".join(["x" * 60] * 5), 'https://a"b', "https://<a>",
    ],
    "its port is not a number from 1 to 65535": [
        "https://a:", "https://a:0", "https://a:65536", "https://a:x", "https://a:-1", "https://a:+1", "https://a:080",
        "https://a:1 2", "https://a:123456", "https://a:1_0",
    ],
    "it has the default port of https, which browsers leave out": ["https://a:443"],
    "it has the default port of http, which browsers leave out": ["http://a:80"],
}  # fmt: skip


@pytest.mark.parametrize("value", ACCEPTED_URLS)
def test_public_url_is_accepted_if_the_delivery_package_accepts_it(value):
    assert environment.problems(VALID | {"PUBLIC_URL": value}) == {}
    assert re.fullmatch(GRAMMAR["public_url"], value)


@pytest.mark.parametrize(("reason", "value"), [(why, url) for why, urls in REFUSED_URLS.items() for url in urls])
def test_public_url_that_no_browser_sends_is_refused(monkeypatch, reason, value):
    assert environment.problems(VALID | {"PUBLIC_URL": value}) == {"PUBLIC_URL": reason}
    monkeypatch.setenv("DEBUG", "1")
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(
        environment.Refusal, match=f"PUBLIC_URL is invalid: {re.escape(reason)}. Set it to https://HOST"
    ):
        environment.load()


@pytest.mark.parametrize("value", ["x" * 12, "x" * 128, "open sesame, please", "\"'$(id)`;:\\|{}"])
def test_password_of_a_preview_is_accepted_with_it_only(value):
    assert environment.problems(VALID | {"PREVIEW": "1", "PREVIEW_PASSWORD": value}) == {}
    for other in ({}, {"PREVIEW": "0"}):
        refused = environment.problems(VALID | other | {"PREVIEW_PASSWORD": value})
        assert refused == {
            "PREVIEW_PASSWORD": "it is for previews only; set PREVIEW=1 first, or unset PREVIEW_PASSWORD"
        }


@pytest.mark.parametrize("value", ["x" * 11, "x" * 129, "pässword 1234", "كلمة سر طويلة جدا"])
def test_password_of_a_preview_that_browsers_send_differently_is_refused(value):
    found = environment.problems(VALID | {"PREVIEW": "1", "PREVIEW_PASSWORD": value})
    assert found == {"PREVIEW_PASSWORD": "it is not 12 to 128 letters, digits and other ASCII characters"}


# The host writes NGINX's list of names from the setting.
@pytest.mark.parametrize(
    "value",
    [
        "a", "*", "*,a.example", ".example.org", "203.0.113.7", "A.Example", "xn--bcher-kva.example", "a-.b", "1",
        "a,b", "a, b", " a", "a,", ",a", ",", "a,,b", "*.example.org", "..a", "a..b", "a.", "-a", "a_b", "a:80",
        "[::1]", "::1", "http://a", "a/b", "bücher.example", "a;b", "a b", "$host", "~a", "a\\b", '"a"',
    ],
)  # fmt: skip
def test_host_names_are_accepted_if_nginx_understands_them(value):
    try:
        allowed_hosts.check(value)
    except UsageError:
        understood = False
    else:
        understood = True
    assert (environment.problems(VALID | {"ALLOWED_HOSTS": value}) == {}) == understood


def test_short_key_can_be_replaced():
    changing = VALID | {"SECRET_KEY": "short"}
    assert list(environment.problems(changing)) == ["SECRET_KEY"]
    assert environment.problems(changing | {"SECRET_KEY_FALLBACKS": VALID["SECRET_KEY"] + ",short"}) == {}


def test_longest_value_is_what_the_stores_accept():
    assert environment.validation.LONGEST == settings.LONGEST


def test_reference_lists_all_settings():
    text = (ROOT / "docs" / "reference.md").read_text()
    section = text.split("### The application's environment\n")[1].split("\n#")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:3] == "| `"]
    assert {cells[0].strip("`"): cells[2] for cells in rows} == {
        one["name"]: one["help"].replace("|", "\\|") for one in environment.schema()
    }
    defaults = {cells[0].strip("`"): cells[1] for cells in rows}
    for one in environment.schema():
        expected = "required" if one["required"] else f"`{one['default']}`" if one["default"] else "unset"
        assert defaults[one["name"]] == expected
