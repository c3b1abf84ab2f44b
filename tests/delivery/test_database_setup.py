"""database-roles, which bootstrap runs on a host: the roles, and the stored DATABASE_URLs."""

import pytest
from delivery import cli, host_settings, scram
from delivery.database_roles import Role
from delivery.settings import FileSettings
from test_killed import kills
from verb import run

OFF = Role(can_login=False)


def database_roles(host):
    """Runs the program on a host."""

    def operation():
        with cli.reported():
            host_settings.database_roles(host.paths)

    return run(operation, "database-roles")


class Shop:
    """An environment of a host. `live` is the DATABASE_URL of its live processes."""

    def __init__(self, host, name):
        self.host, self.name, self.postgres, self.paths = host, name, host.world.postgres, host.paths
        self.world, self.settings = host.world, FileSettings(host.paths.settings / f"{name}.env")
        self.owner = f"book_shop_{name}"
        self.a, self.b = f"{self.owner}_a", f"{self.owner}_b"
        self.live = self.stored()

    def stored(self):
        return self.settings.load()["DATABASE_URL"].value

    def url(self, role, password, rest=""):
        return f"postgresql://{role}:{password}@db.internal:5432/{self.owner}{rest}"

    def edit(self, url):
        """An administrator edits the file by hand."""
        text = self.settings.path.read_text().replace(f"DATABASE_URL={self.stored()}\n", f"DATABASE_URL={url}\n")
        self.settings.path.write_text(text)

    def bootstrap(self):
        result = database_roles(self.host)
        assert (result.status, result.out) == (0, ""), result.err
        assert self.postgres._accepts(self.live)
        return result.err

    def deploy(self):
        """The stored settings become live."""
        self.live = self.stored()
        assert self.postgres._accepts(self.live)

    def uses(self, *roles):
        """These roles have connections."""
        for role in {self.owner, self.a, self.b} & self.postgres.known.keys():
            self.postgres.known[role] = self.postgres.known[role]._replace(in_use=role in roles)


@pytest.fixture(params=["dev", "prod"])
def shop(request, host):
    return Shop(host, request.param)


def test_an_existing_host_keeps_its_role_and_its_settings(shop):
    before = shop.settings.path.read_text()
    for _ in range(2):
        assert shop.bootstrap() == ""
        assert shop.settings.path.read_text() == before
    assert shop.postgres.roles(shop.owner) == {shop.owner: shop.postgres.known[shop.owner], shop.a: OFF, shop.b: OFF}


def test_a_new_host_gets_a_random_password_for_a_login_role(host, world):
    world.postgres.known.clear()
    world.postgres.databases.clear()
    urls = []
    for name in ("dev", "prod"):
        (host.paths.settings / f"{name}.env").write_text("SECRET_KEY=the-key\n")
    assert database_roles(host).err == ""
    for name in ("dev", "prod"):
        settings = FileSettings(host.paths.settings / f"{name}.env").load()
        assert settings["SECRET_KEY"] == ("the-key", None, None)
        assert settings["DATABASE_URL"].actor == "bootstrap"
        urls.append(settings["DATABASE_URL"].value)
        assert urls[-1].startswith(f"postgresql://book_shop_{name}_a:")
        assert world.postgres._accepts(urls[-1])
        assert not world.postgres.known[f"book_shop_{name}"].can_login
    assert len({url.split(":")[2].split("@")[0] for url in urls}) == 2
    assert sorted(world.postgres.databases) == ["book_shop_dev", "book_shop_prod"]
    before = host.files()
    assert database_roles(host).err == ""
    assert {path: text for path, text in host.files().items() if path.parent != host.paths.locks} == {
        path: text for path, text in before.items() if path.parent != host.paths.locks
    }


@pytest.mark.parametrize("password", ["by-hand", "p%40ss%2F%25%24%28id%29", "%C3%BC"])
@pytest.mark.parametrize("rest", ["", "?sslmode=prefer"])
def test_a_password_changed_by_hand_is_given_to_a_free_role(shop, password, rest):
    shop.edit(shop.url(shop.owner, password, rest))
    assert f"make deploy-{shop.name} applies it" in shop.bootstrap()
    assert shop.stored() == shop.url(shop.a, password, rest)
    assert shop.bootstrap() == ""
    shop.deploy()


def test_passwords_changed_by_hand_again_and_again_never_stop_the_live_processes(shop):
    shop.bootstrap()
    for number in range(12):
        shop.uses(shop.live.split("/")[2].split(":")[0])
        shop.edit(shop.stored().replace(shop.stored().split(":")[2].split("@")[0], f"by-hand-{number}"))
        shop.bootstrap()
        assert shop.postgres._accepts(shop.stored())
        if number % 3 == 2:
            shop.deploy()


def test_a_password_is_not_applied_while_both_roles_may_be_in_use(shop):
    shop.bootstrap()
    shop.edit(shop.url(shop.a, "first"))
    shop.bootstrap()
    shop.deploy()
    shop.edit(shop.url(shop.a, "second"))
    shop.bootstrap()
    shop.edit(shop.url(shop.a, "third"))
    shop.uses()  # PostgreSQL has just started, so nothing is connected
    before = shop.stored()
    assert "both login roles may be in use" in shop.bootstrap()
    assert shop.stored() == before
    shop.uses(shop.a)
    shop.bootstrap()
    assert shop.stored() == shop.url(shop.b, "third")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://{0}:elsewhere@db.example.org:5432/{0}",
        "postgresql://{0}:elsewhere@db.internal:5432/other",
        "postgresql://administrator:elsewhere@db.internal:5432/{0}",
        "postgresql://{0}@db.internal:5432/{0}",
        "sqlite:////elsewhere.sqlite3",
        "elsewhere",
    ],
)
def test_a_url_of_something_else_is_left_as_it_is(shop, url):
    shop.bootstrap()
    before = dict(shop.postgres.known)
    shop.edit(url.format(shop.owner))
    text = shop.settings.path.read_text()
    message = shop.bootstrap()
    assert f"does not manage the role in the DATABASE_URL of {shop.name}" in message
    assert "It is left as it is" in message
    assert "elsewhere" not in message
    assert (shop.settings.path.read_text(), shop.postgres.known) == (text, before)


def test_a_password_edited_by_hand_that_matches_again_changes_nothing(shop):
    shop.bootstrap()
    shop.edit(shop.url(shop.owner, "by-hand"))
    shop.bootstrap()
    shop.edit(shop.live)
    before = dict(shop.postgres.known)
    assert shop.bootstrap() == ""
    assert (shop.stored(), shop.postgres.known) == (shop.live, before)


def test_the_password_is_in_no_output(shop):
    shop.edit(shop.url(shop.owner, "by-hand"))
    assert "by-hand" not in shop.bootstrap()


def test_a_killed_bootstrap_is_completed_by_the_next_one(shop):
    shop.edit(shop.url(shop.owner, "by-hand"))
    changes = []
    for change in kills(shop, lambda: database_roles(shop.host)):
        changes.append(change)
        assert shop.postgres._accepts(shop.live)
        shop.uses(shop.owner)
        shop.bootstrap()
        assert shop.postgres._accepts(shop.stored())
    assert {"postgres.create_roles", "postgres.let_in", "file.replace"} <= set(changes)


def test_a_deploy_finishes_before_the_settings_are_changed(shop, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    shop.edit(shop.url(shop.owner, "by-hand"))
    before = shop.settings.path.read_text()
    with getattr(shop.host, shop.name).locked(f"deploy {shop.name}"):
        result = database_roles(shop.host)
    assert result.status == 1
    assert "is locked" in result.err
    assert shop.settings.path.read_text() == before
    assert scram.matches("the-password", shop.postgres.known[shop.owner].verifier)
    assert not shop.postgres.known[shop.a].can_login
