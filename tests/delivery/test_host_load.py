"""dump and load on a host; what they share with restore is tested in test_host_restore.py."""

import pytest
from conftest import VERBS
from fakes import image
from verb import run_script

DUMP = b'PGDMP{"data": "their books", "schema": null, "sessions": 0}\nend\n'


@pytest.fixture(params=["dev", "prod"])
def place(request, host):
    """An environment with "new books"; image 1 is live."""
    found = getattr(host, request.param)
    found.deployed(1)
    found.databases = host.world.postgres.databases
    found.databases[f"book_shop_{found.name}"]["data"] = "new books"
    return found


def load(place, *arguments, stdin=DUMP):
    return run_script(VERBS / "load", place.name, *arguments, stdin=stdin)


def live(place):
    return place.databases[f"book_shop_{place.name}"]["data"]


def replaced(place):
    paths = (place.paths.backups / place.name).glob("*-replaced.dump")
    return [path.read_text().split('"')[3] for path in paths]


def test_replaces_the_live_data_and_keeps_it_as_a_backup(place, act_as):
    act_as("ann")
    load(place).must_succeed()
    assert (live(place), replaced(place)) == ("their books", ["new books"])
    assert place.history()[-1] == ("ann", "load", 1, "ok")
    assert [path.name for path in place.paths.backups.iterdir() if path.is_file()] == []


def test_personal_data_is_replaced_before_the_data_becomes_live(place):
    seen = []
    place.world.before("postgres.exchange", lambda: seen.append(place.databases[f"book_shop_{place.name}_restored"]))
    load(place, "anonymous").must_succeed()
    assert [database["data"] for database in seen] == ["no names"]
    assert place.history()[-1][1] == "load anonymous"


def test_without_the_command_that_replaces_personal_data_nothing_becomes_live(place):
    place.world.push(1, "no-anonymize")
    load(place, "anonymous").must_fail("personal data was not replaced", f"{place.name} has its previous data")
    assert (live(place), sorted(place.databases)) == ("new books", ["book_shop_dev", "book_shop_prod"])


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"", "it is empty"),
        (b"SELECT 1;", "not in the format of pg_dump -Fc"),
        (b"PGDM", "not in the format of pg_dump -Fc"),
        (DUMP.removesuffix(b"end\n"), "could not read from input file"),
    ],
)
def test_what_is_not_a_whole_dump_changes_nothing(place, stdin, message):
    before = place.snapshot()
    load(place, stdin=stdin).must_fail("nothing was changed", message)
    assert place.snapshot() == before


def test_a_dump_of_a_newer_server_is_refused_with_a_remedy(place):
    place.world.failures["postgres.check_dump"] = ["unsupported version (1.99) in file header"]
    load(place).must_fail("nothing was changed", "remedy: use a dump that pg_dump of the host's version")


def test_a_dump_for_which_there_is_no_space_is_refused_while_it_arrives(place):
    place.world.free = 1999
    load(place).must_fail("not enough disk space", "1999 bytes are free")
    assert live(place) == "new books"


def test_stdin_is_read_before_the_lock_is_taken(place, monkeypatch):
    """`make dump-dev | make load-dev` must not wait for itself."""
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    with place.locked("dump"):
        load(place).must_fail("is locked")
        load(place, stdin=b"").must_fail("it is empty")


def with_url(place, **changes):
    """Stores another form of the environment's DATABASE_URL."""
    file = place.paths.settings / f"{place.name}.env"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("DATABASE_URL=")]
    parts = {"name": f"book_shop_{place.name}", "host": "db.internal", "query": ""} | changes
    url = f"postgresql://book_shop_{place.name}:the-password@{parts['host']}:5432/{parts['name']}{parts['query']}"
    file.write_text("\n".join([*lines, f"DATABASE_URL={url}"]) + "\n")


def test_without_a_database_url_psql_says_how_to_set_one(place):
    file = place.paths.settings / f"{place.name}.env"
    file.write_text("SECRET_KEY=the-key\n")
    result = run_script(VERBS / "psql", place.name)
    result.must_fail(f"{place.name} has no DATABASE_URL", f"make set-{place.name} SETTING=DATABASE_URL")


@pytest.mark.parametrize("form", [{"query": "?sslmode=prefer"}, {"query": "?"}, {"encoded": True}])
def test_the_new_database_is_changed_whatever_the_form_of_the_url(place, form):
    with_url(place, **({"name": f"book%5Fshop%5F{place.name}"} if "encoded" in form else form))
    place.host.run("deploy", place.name, image(1))
    load(place, "anonymous").must_succeed()
    assert (live(place), replaced(place)) == ("no names", ["new books"])


@pytest.mark.parametrize(
    "form",
    [{"host": "rds.example.org"}, {"name": "other"}, {"query": "?dbname=other"}, {"query": "?hostaddr=10.0.0.1"}],
)
@pytest.mark.parametrize("verb", [("load",), ("load", "anonymous"), ("restore", "latest"), ("dump",)])
def test_data_that_is_not_in_the_database_of_this_host_is_neither_replaced_nor_dumped(place, form, verb):
    assert place.host.run("backup").status == 0
    with_url(place, **form)
    before = place.snapshot()
    name, *more = verb
    result = run_script(VERBS / name, place.name, *more, stdin=DUMP)
    result.must_fail("this project does not manage the role in the DATABASE_URL")
    assert (place.snapshot(), result.out) == (before, "")
