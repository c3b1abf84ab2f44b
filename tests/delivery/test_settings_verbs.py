"""make settings, set and unset on the laptop. What the host does is tested in test_settings_change.py."""

import os
import pty
import subprocess
import sys

import pytest
from delivery import settings_verbs
from laptop import SCRIPTS

TABLE = """\
NAME       STATE   CHANGED              BY  HELP
EMAIL_HOST set     2026-01-02T03:04:05Z ann the EMAIL_HOST
EMAIL_PORT default -                    -   the EMAIL_PORT
EMAIL_USER -       -                    -   the EMAIL_USER
SECRET_KEY set     -                    -   the SECRET_KEY"""
VALUES = """\
NAME       STATE   CHANGED              BY  VALUE        HELP
EMAIL_HOST set     2026-01-02T03:04:05Z ann mail.example the EMAIL_HOST
EMAIL_PORT default -                    -   25           the EMAIL_PORT
EMAIL_USER -       -                    -   -            the EMAIL_USER
SECRET_KEY set     -                    -   (hidden)     the SECRET_KEY"""


@pytest.mark.parametrize(("arguments", "table"), [([], TABLE), (["--values"], VALUES)])
def test_settings_is_a_table(shop, local_host, arguments, table):
    shop.verb("settings", "dev", *arguments).must_print(table)


def test_the_table_of_settings_fits_into_a_terminal():
    rows = [("NAME", "HELP"), ("EMAIL_HOST", "the host name of the server that sends mail"), ("A", "x")]
    assert settings_verbs.table(rows, 45).splitlines() == [
        "NAME       HELP",
        "EMAIL_HOST the host name of the server that",
        "           sends mail",
        "A          x",
    ]
    assert settings_verbs.table(rows, 5) == settings_verbs.table(rows, 41)


@pytest.mark.parametrize("value", ["x", " $(id) '\"` ü ", "-y", "x" * 4096])
@pytest.mark.parametrize("end", ["", "\n"])
def test_set_sends_the_value_on_stdin(shop, local_host, value, end):
    result = shop.verb("set", "prod", "EMAIL_HOST", stdin=value + end)
    result.must_print("")
    assert local_host.stored == {"dev": {}, "prod": {"EMAIL_HOST": value.encode()}}
    assert value not in result.err or value == "x"


@pytest.mark.parametrize("value", [b"", b"\n", b"a\nb", b"a\r", b"\0", b"\xff", b"x" * 4097, b"x" * 65536, b"{{"])
def test_set_sends_nothing_if_no_setting_can_have_the_value(shop, local_host, value):
    shop.verb("set", "prod", "EMAIL_HOST", stdin=value).must_fail("nothing was changed", status=2)
    assert (local_host.calls, local_host.stored["prod"]) == ([], {})


def test_unset_removes_a_setting(shop, local_host):
    local_host.stored["dev"]["EMAIL_HOST"] = "x"
    shop.verb("unset", "dev", "EMAIL_HOST").must_print("", "the answer of unset EMAIL_HOST")
    assert local_host.stored["dev"] == {}


def test_the_failure_of_the_host_is_the_one_of_set(shop, local_host):
    local_host.failures["set"] = (2, "EMAIL_HOST: it is not a host name")
    shop.verb("set", "dev", "EMAIL_HOST", stdin="a b").must_fail("EMAIL_HOST: it is not a host name", status=2)


def test_set_reads_the_value_from_a_terminal_without_an_echo(tmp_path):
    """On a local host whose docker stores what it reads."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n[ $2 = inspect ] && echo true || cat >{tmp_path}/value\n")
    docker.chmod(0o755)
    controller, terminal = pty.openpty()
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DELIVERY_HOST": "local"}
    with subprocess.Popen(
        [sys.executable, SCRIPTS / "set", "dev", "EMAIL_HOST"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment | {"DELIVERY_DEMO": "demo"},
        start_new_session=True,
    ) as setting:
        os.close(terminal)
        shown = read(controller, b"EMAIL_HOST: ")
        os.write(controller, b"typed-value\n")
        shown += read(controller)
        assert setting.wait() == 0, shown
    assert (tmp_path / "value").read_text() == "typed-value"
    assert b"typed-value" not in shown
    os.close(controller)


def read(controller, end=None):
    """What a terminal shows, up to the text `end` or until it is closed."""
    shown = b""
    while end is None or end not in shown:
        try:
            part = os.read(controller, 1024)
        except OSError:  # Linux: no process has the terminal open
            break
        if not part:
            break
        shown += part
    return shown
