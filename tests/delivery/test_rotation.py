"""rotate on a host: another database password or another key, while the environment serves."""

import re

import pytest
from delivery import database_roles
from delivery.environments import versioned_secrets
from fakes import WEB, image, matches, settings_in
from test_database_setup import database_roles as bootstrap
from test_killed import kills

SECRETS = ["database", "secret-key"]


class Rotated:
    """An environment that serves image 1, and the values of its running processes."""

    def __init__(self, place):
        self.place, self.world, self.name, self.paths = place, place.world, place.name, place.paths
        self.postgres, self.owner = place.world.postgres, f"book_shop_{place.name}"
        self.checked, self.served = 0, set()
        self.postgres.create_roles(self.owner)
        place.deployed(1)

    def rotate(self, what):
        return self.place.run("rotate", what)

    def stored(self, name):
        return self.place.environment.settings.current().values.get(name, "")

    def running(self):
        """The settings of each pod, or of each slot that has or had traffic."""
        if self.name == "dev":
            slots = [self.world.docker.containers.get(f"book-shop-{slot}") for slot in "ab"]
            live = self.world.docker.containers.get(f"book-shop-{self.world.switch.slot}")
            self.served |= {live.settings.version} if live else set()
            return [s.settings.values for s in slots if s and s.running and s.settings.version in self.served]
        pods = [pod for pod in self.world.kubernetes._pods if matches(pod, WEB)]
        return [self.secret(pod) for pod in pods if pod["end"] is None or pod["end"] > self.world.now]

    def secret(self, pod):
        return settings_in(self.world.kubernetes.objects[f"secret/{versioned_secrets.name_in(pod)}"])

    def check(self):
        """Each process can log in to the database, and accepts what every other one signs."""
        running = self.running()
        self.checked += len(running)
        for values in running:
            assert "@db.internal:" not in values["DATABASE_URL"] or self.postgres._accepts(values["DATABASE_URL"])
            accepted = {values["SECRET_KEY"], *values.get("SECRET_KEY_FALLBACKS", "").split(",")}
            assert {other["SECRET_KEY"] for other in running} <= accepted

    def live(self):
        """The settings of all running processes, which are equal."""
        running = self.running()
        assert running
        assert all(values == running[0] for values in running)
        return running[0]

    def edit(self, name, value):
        """An administrator edits the file by hand."""
        path = self.paths.settings / f"{self.name}.env"
        path.write_text(re.sub(rf"(?m)^{name}=.*\n|\Z", f"{name}={value}\n", path.read_text(), count=1))


@pytest.fixture(params=["dev", "prod"])
def shop(request, host, world, monkeypatch):
    """A Rotated that checks its processes at each step of a verb."""
    made = Rotated(getattr(host, request.param))
    call = world.call

    def checked(*arguments, **options):
        made.check()
        call(*arguments, **options)

    monkeypatch.setattr(world, "call", checked)
    yield made
    made.check()
    assert made.checked > 0


def test_the_database_password_is_replaced_and_the_previous_one_is_not_accepted(shop, act_as):
    act_as("ann")
    used = [shop.live()["DATABASE_URL"]]
    for role in ("_a", "_b", "_a"):
        shop.rotate("database").must_print("", f"{shop.name}: rotate database is complete")
        url = shop.live()["DATABASE_URL"]
        assert database_roles.role_of(url, shop.owner)[0] == shop.owner + role
        assert shop.stored("DATABASE_URL") == url
        assert shop.postgres._accepts(url)
        assert not any(map(shop.postgres._accepts, used))
        assert url not in used
        used.append(url)
        assert shop.place.history()[-1] == ("ann", "rotate database", 1, "ok")
    assert [role.can_login for role in shop.postgres.roles(shop.owner).values()] == [False, True, False]
    assert shop.place.environment.settings.load()["DATABASE_URL"].actor == "ann"


def test_a_new_key_is_accepted_by_all_processes_before_the_first_one_signs_with_it(shop, act_as):
    act_as("ann")
    keys = [shop.live()["SECRET_KEY"]]
    for _ in range(5):
        shop.rotate("secret-key").must_succeed()
        live = shop.live()
        keys.insert(0, live["SECRET_KEY"])
        assert re.fullmatch("[0-9a-f]{64}", keys[0])
        assert live["SECRET_KEY_FALLBACKS"].split(",") == keys[:4]
        assert (shop.stored("SECRET_KEY"), shop.stored("SECRET_KEY_FALLBACKS")) == (keys[0], ",".join(keys[:4]))
    assert len(set(keys)) == 6
    steps = [("ann", f"rotate secret-key {step}", 1, "ok") for step in ("1/2", "2/2")]
    assert shop.place.history()[-2:] == steps


@pytest.mark.parametrize("what", SECRETS)
def test_a_killed_rotation_is_completed_by_the_next_one(shop, what):
    before, changes = shop.live(), []
    for change in kills(shop, lambda: shop.rotate(what)):
        changes.append(change)
        assert shop.place.serves() == 1
        shop.rotate(what).must_succeed()
        live = shop.live()
        assert live == shop.place.environment.settings.current().values
        if what == "database":
            assert not shop.postgres._accepts(before["DATABASE_URL"])
            assert sum(role.can_login for role in shop.postgres.roles(shop.owner).values()) == 1
        else:
            assert live["SECRET_KEY"] != before["SECRET_KEY"]
            assert before["SECRET_KEY"] in live["SECRET_KEY_FALLBACKS"].split(",")
        assert shop.place.holder() is None
    assert len(changes) >= 6


@pytest.mark.parametrize("what", SECRETS)
def test_a_deploy_after_a_killed_rotation_makes_the_stored_settings_live(shop, what):
    for _ in kills(shop, lambda: shop.rotate(what)):
        shop.place.run("deploy", image(1)).must_succeed()
        assert shop.live() == shop.place.environment.settings.current().values
        assert sum(role.can_login for role in shop.postgres.roles(shop.owner).values()) == 1


@pytest.mark.parametrize("what", SECRETS)
def test_a_rotation_that_fails_keeps_the_previous_values(shop, what):
    before = shop.live()
    shop.world.push(1, "never-ready")
    shop.rotate(what).must_fail(f"{shop.name} keeps its previous settings")
    assert shop.live() == before == shop.place.environment.settings.current().values
    assert shop.place.history()[-1][3] == "failed"
    shop.world.push(1)
    shop.rotate(what).must_succeed()


@pytest.mark.parametrize("what", SECRETS)
def test_settings_that_are_stored_and_not_live_are_applied_first(shop, what):
    """Otherwise the role that is not stored would get a password, while it is in use."""
    shop.rotate("database").must_succeed()
    shop.edit("DATABASE_URL", f"postgresql://{shop.owner}_a:by-hand@db.internal:5432/{shop.owner}")
    bootstrap(shop.place.host).must_succeed()
    assert shop.stored("DATABASE_URL").startswith(f"postgresql://{shop.owner}_b:by-hand@")
    assert shop.live()["DATABASE_URL"] != shop.stored("DATABASE_URL")
    shop.rotate(what).must_succeed()
    assert shop.live() == shop.place.environment.settings.current().values


def test_a_deploy_applies_a_password_changed_by_hand_and_ends_the_previous_one(shop):
    before = shop.live()["DATABASE_URL"]
    shop.edit("DATABASE_URL", f"postgresql://{shop.owner}:by%20hand@db.internal:5432/{shop.owner}")
    bootstrap(shop.place.host).must_succeed()
    assert shop.live()["DATABASE_URL"] == before
    shop.place.run("deploy", image(1)).must_succeed()
    assert shop.live()["DATABASE_URL"] == f"postgresql://{shop.owner}_a:by%20hand@db.internal:5432/{shop.owner}"
    assert not shop.postgres._accepts(before)


def test_a_database_of_the_owner_is_not_changed(shop):
    shop.edit("DATABASE_URL", f"postgresql://shop:elsewhere@db.example.org:5432/{shop.owner}")
    shop.place.run("deploy", image(1)).must_succeed()
    before, known = shop.live(), dict(shop.postgres.known)
    result = shop.rotate("database")
    result.must_fail(
        f"this project does not manage the role in the DATABASE_URL of {shop.name}",
        "it names another server or database",
        f"make set-{shop.name} SETTING=DATABASE_URL",
    )
    assert "elsewhere" not in result.err
    assert (shop.live(), shop.postgres.known) == (before, known)
    shop.rotate("secret-key").must_succeed()


@pytest.mark.parametrize("what", SECRETS)
def test_without_a_live_image_the_secret_is_stored(shop, what):
    before = shop.place.environment.settings.current().values
    if shop.name == "dev":
        shop.world.docker.containers.clear()
    else:
        shop.world.kubernetes.delete("deployment.apps/book-shop")
        shop.world.kubernetes._pods.clear()
    shop.rotate(what).must_succeed()
    after = shop.place.environment.settings.current().values
    assert after != before
    assert shop.postgres._accepts(after["DATABASE_URL"])
    shop.place.run("deploy", image(1)).must_succeed()
    assert shop.live() == after


@pytest.mark.parametrize("what", SECRETS)
def test_an_environment_that_was_never_deployed_is_refused_before_anything_changes(host, what):
    files = host.files()
    known = dict(host.world.postgres.known)
    host.run("rotate", "dev", what).must_fail("there are no settings yet", "make deploy-dev")
    assert host.world.postgres.known == known
    assert {path for path, text in host.files().items() if files.get(path) != text} <= {
        host.paths.locks / "book-shop-dev"
    }


@pytest.mark.parametrize("what", SECRETS)
def test_an_image_without_settings_is_refused_before_anything_changes(shop, what):
    shop.world.push(1, "no-settings")
    before, known = shop.live(), dict(shop.postgres.known)
    shop.rotate(what).must_fail(f"the image of {shop.name} does not define its settings")
    assert (shop.live(), shop.postgres.known) == (before, known)


def test_no_secret_is_in_an_output_or_in_the_history(shop):
    outputs = [shop.rotate(what) for what in (*SECRETS, *SECRETS)]
    secrets = [value for name, value in shop.live().items() if name != "ALLOWED_HOSTS"]
    secrets += [database_roles.role_of(shop.live()["DATABASE_URL"], shop.owner)[1]]
    secrets += shop.live()["SECRET_KEY_FALLBACKS"].split(",")
    text = f"{outputs}{shop.place.environment.state.history()}"
    assert [secret for secret in secrets if secret in text] == []


def test_keys_that_were_stored_by_hand_stay_accepted(shop):
    shop.edit("SECRET_KEY_FALLBACKS", " older , oldest,,the-key ")
    shop.rotate("secret-key").must_succeed()
    assert shop.live()["SECRET_KEY_FALLBACKS"].split(",")[1:] == ["the-key", "older", "oldest"]
