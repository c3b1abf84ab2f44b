"""The settings of an environment: the values that can be stored, and the file that has them."""

import io
import re
import subprocess

import pytest
from delivery import settings
from delivery.cli import CommandError, UsageError
from delivery.settings import FileSettings, Setting

EXACT = ["x", " a b ", "'\"`$(id)${HOME}\\n%s #", "a=b=c", "#", "ü€😀", "-", "x" * 4096, "{x}", "é" * 2048]
REFUSED = [b"", b"\n", b"a\nb", b"a\n\n", b"\na", b"a\rb", b"a\r\n", b"a\0b", b"\x1b[2J", b"\x7f", b"\xff\xfe", b"\xc3"]
REFUSED += [b"x" * 4097, b"x" * 65536, "é".encode() * 2049, b"{{x}}"]
REFUSED += [character.encode() for character in ("\x85", "\u2028", "\u2029")]


@pytest.mark.parametrize("value", EXACT)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_value_is_what_was_sent_without_one_newline(value, end):
    assert settings.read_value("dev", "NAME", io.BytesIO((value + end).encode())) == value


@pytest.mark.parametrize("data", REFUSED)
def test_a_value_that_no_store_can_have_is_refused_without_it_in_the_error(data):
    with pytest.raises(UsageError) as refused:
        settings.read_value("prod", "NAME", io.BytesIO(data))
    assert "NAME" in str(refused.value)
    assert re.fullmatch("make (un)?set-prod SETTING=NAME", refused.value.remedy)
    assert not data or data.decode(errors="replace") not in str(refused.value).replace("\n", "")


@pytest.mark.parametrize("name", ["", "lower", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "A" * 65, "$(id)"])
def test_another_name_than_that_of_a_setting_is_refused(name):
    with pytest.raises(UsageError, match="invalid setting"):
        settings.check_name(name)


def test_a_value_that_was_taken_for_a_part_of_the_name_is_not_shown():
    with pytest.raises(UsageError, match="invalid setting 'A'") as refused:
        settings.check_name("A=secret")
    assert "secret" not in str(refused.value)


def test_docker_never_gets_a_value_with_more_than_one_line():
    """Parameter Store has such values if they were stored by hand. The second line would be a setting of its own."""
    with pytest.raises(CommandError, match="invalid value of A") as refused:
        settings.environment_file({"A": "secret\nB=x"})
    assert "secret" not in str(refused.value)


def test_a_file_has_what_was_saved_and_only_root_can_read_it(tmp_path):
    store = FileSettings(tmp_path / "prod.env")
    assert store.load() == {}
    saved = {f"NAME_{number}": Setting(value) for number, value in enumerate(EXACT)}
    saved["CHANGED"] = Setting("x", "ann", "2026-11-25T03:15:00Z")
    store.save(saved)
    assert store.load() == saved
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["prod.env"]


def test_a_file_that_was_edited_by_hand_is_read_and_its_user_is_unknown(tmp_path):
    store = FileSettings(tmp_path / "prod.env")
    store.path.write_text(
        "\ufeff\n# a comment\nONE=1\n \n# 2026-11-25T03:15:00Z ann\nTWO=a=b\n# 2026-11-25T03:15:00Z bob\n\nSIX=\r\n"
        "\t# SEVEN=x\r\n  EIGHT= a \r\nNINE=1\nNINE=2"
    )
    assert store.load() == {
        "ONE": Setting("1"),
        "TWO": Setting("a=b", "ann", "2026-11-25T03:15:00Z"),
        "SIX": Setting(""),
        "EIGHT": Setting(" a "),
        "NINE": Setting("2"),
    }


@pytest.mark.parametrize("line", ["secret-value", "export NAME=secret-value", "na me=secret-value"])
def test_a_line_that_is_no_setting_is_reported_without_its_text(tmp_path, line):
    store = FileSettings(tmp_path / "prod.env")
    store.path.write_text(f"NAME=x\n{line}\n")
    with pytest.raises(CommandError, match="invalid line 2") as refused:
        store.load()
    assert "secret-value" not in str(refused.value)


def test_a_file_that_is_not_text_is_reported_without_its_content(tmp_path):
    store = FileSettings(tmp_path / "prod.env")
    store.path.write_bytes(b"NAME=secret-value\xff\n")
    with pytest.raises(CommandError, match="can't read") as refused:
        store.load()
    assert "secret-value" not in str(refused.value)


def test_the_version_depends_on_the_names_and_values_only():
    one, other = Setting("1", "ann", "2026-11-25T03:15:00Z"), Setting("1")
    same = settings.version(settings.values({"A": one, "B": other}))
    assert settings.version({"B": "1", "A": "1"}) == same
    others = [{"A": "1"}, {"A": "1", "B": "2"}, {"A": "1", "C": "1"}, {"A": "1B", "B": ""}, {}]
    assert len({same, *map(settings.version, others)}) == 1 + len(others)


def test_a_snapshot_does_not_print_its_values():
    assert "secret-value" not in f"{settings.snapshot({'A': 'secret-value'})!r}"


def test_the_version_is_the_same_in_every_process():
    command = "from delivery import settings; print(settings.version({'A': 'x', 'B': 'ü'}))"
    done = [
        subprocess.run(["python3", "-c", command], cwd="scripts", env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
                       capture_output=True, text=True, check=True).stdout
        for seed in "12"
    ]  # fmt: skip
    assert done == [settings.version({"A": "x", "B": "ü"}) + "\n"] * 2
