"""manage.py invite: administrators are created and set their password on a one-time link."""

import io
import re
from datetime import timedelta

import pytest
from accounts.invitation import tokens
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from shop_fixtures import PASSWORD, text
from shop_program import run

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
ADDRESS = "lina@example.org"
NEW = {"new_password1": PASSWORD, "new_password2": PASSWORD}
GONE = 410


def invite(address=ADDRESS) -> str:
    """Return the path that the command prints."""
    out = io.StringIO()
    call_command("invite", address, stdout=out)
    return out.getvalue().removesuffix("\n")


def refused(address) -> tuple[int, str]:
    """Return the exit status and the message of the command, which changes nothing."""
    before = list(User.objects.order_by("pk").values())
    with pytest.raises(CommandError) as refusal:
        invite(address)
    assert list(User.objects.order_by("pk").values()) == before
    return refusal.value.returncode, str(refusal.value)


def set_password(link, **changes):
    """Open a link and send its form, in a browser of its own."""
    client = Client(enforce_csrf_checks=True)
    page = client.get(link, follow=True)
    if page.status_code == GONE:
        return page
    form = NEW | changes | {"csrfmiddlewaretoken": str(page.context["csrf_token"])}
    return client.post(page.redirect_chain[-1][0], form, follow=True)


def test_invited_person_becomes_an_administrator_with_the_chosen_password(client):
    link = invite()
    user = User.objects.get()
    assert (user.username, user.email, user.is_staff, user.is_superuser) == (ADDRESS, ADDRESS, True, True)
    assert not user.has_usable_password()
    answer = set_password(link)
    assert answer.redirect_chain == [("/account/login/?next=%2Fadmin%2F", 302)]
    assert "Your password has been set. Now you can sign in." in text(answer)
    assert client.login(username=ADDRESS, password=PASSWORD)
    assert client.get("/admin/").status_code == 200


def test_only_the_path_is_on_stdout(migrated_database):
    done = run("manage.py", "invite", ADDRESS, DATABASE_URL=migrated_database)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"/account/invitation/[\w-]+/\?token=[0-9a-z]+-[0-9a-f]+\n", done.stdout)
    done = run("manage.py", "invite", "lina", DATABASE_URL=migrated_database)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Enter a valid email address." in done.stderr


def test_link_works_once():
    link = invite()
    opened = Client()
    assert opened.get(link, follow=True).status_code == 200  # looking at the page does not use it up
    set_password(link)
    assert set_password(link, new_password1="x").status_code == GONE
    page = opened.get(re.sub(r"\?.*", "", link))  # a second browser had opened the form
    assert page.status_code == GONE
    assert "ask for a new link" in text(page)
    assert User.objects.get().check_password(PASSWORD)


def test_link_expires_after_three_days(monkeypatch):
    link, now = invite(), tokens._now()
    for hours, status in ((71, 302), (73, GONE)):
        monkeypatch.setattr(tokens, "_now", lambda hours=hours: now + timedelta(hours=hours))
        assert Client().get(link).status_code == status


def test_new_link_replaces_the_previous_one_and_the_password():
    first = invite()
    second = invite("LINA@EXAMPLE.ORG")
    assert Client().get(first).status_code == GONE
    set_password(second)
    assert User.objects.get().check_password(PASSWORD)
    third = invite()
    assert not User.objects.get().has_usable_password()
    assert Client().get(third).status_code == 302
    assert User.objects.count() == 1


def test_link_survives_a_change_of_the_key(settings):
    link, old = invite(), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [old]
    set_password(link)
    assert User.objects.get().check_password(PASSWORD)
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().get(invite()).status_code == 302


@pytest.mark.parametrize("token", ["", "set-password", "x", "x-y", "\0", "0-" + "0" * 64, "é", "9" * 5000 + "-x"])
@pytest.mark.parametrize("number", ["MQ", "OTk", "x", "_", "0" * 500, "LTE"])
def test_no_other_link_opens_the_form(number, token):
    User.objects.create_superuser("admin", password=PASSWORD)
    answer = Client().get(f"/account/invitation/{number}/", {"token": token})
    assert answer.status_code == GONE
    assert "new_password1" not in text(answer)
    assert Client().post(f"/account/invitation/{number}/", NEW).status_code == GONE
    assert User.objects.get().check_password(PASSWORD)


def test_weak_password_is_refused_and_the_link_still_works():
    link = invite()
    answer = set_password(link, new_password1="12345678", new_password2="12345678")
    assert answer.context["form"].errors
    assert not User.objects.get().has_usable_password()
    set_password(link)
    assert User.objects.get().has_usable_password()


def test_token_is_in_no_page_log_or_address_that_others_see():
    link = invite()
    path, token = link.split("?token=")
    answer = Client().get(link)
    # The access logs have paths without queries.
    assert token not in path
    assert (answer.status_code, answer.headers["Location"]) == (302, path)
    client = Client()
    page = client.get(link, follow=True)
    assert token not in text(page)
    for each in (answer, page):
        assert each.headers["X-Robots-Tag"] == "noindex"
        assert each.headers["Referrer-Policy"] == "same-origin"
        assert "no-store" in each.headers["Cache-Control"]


def test_page_is_in_arabic_too():
    page = text(Client().get(invite(), follow=True, headers={"accept-language": "ar"}))
    assert "كلمة المرور" in page
    assert "Set your password" not in page


@pytest.mark.parametrize(
    "address",
    [
        "", " ", "lina", "lina@", "@example.org", "a@b", "a b@example.org", "a@example.org\n", "a\0@example.org",
        "x" * 65536 + "@example.org", "$(id)@x", "\udcff@example.org", "a@example.org,b@example.org", "a@" + "x." * 200,
    ],
    ids=range(14),
)  # fmt: skip
def test_invalid_address_is_wrong_usage(address):
    status, message = refused(address)
    assert status == 2
    assert len(message) < 500


def test_address_of_a_customer_is_refused():
    User.objects.create_user("sami", email="Sami@example.org", password=PASSWORD)
    User.objects.create_user("nadia@example.org", password=PASSWORD)
    for address in ("sami@example.org", "Nadia@Example.org"):
        status, message = refused(address)
        assert status == 1
        assert address in message and "customer" in message


def test_deactivated_and_ambiguous_administrators_are_refused():
    User.objects.create_user("old", email="old@example.org", is_staff=True, is_active=False)
    assert "deactivated" in refused("old@example.org")[1]
    for name in ("one", "two"):
        User.objects.create_user(name, email="both@example.org", is_staff=True)
    assert "one, two" in refused("both@example.org")[1]


@pytest.mark.parametrize("address", ["o'brien@example.org", "x" * 60 + "@" + "y" * 60 + "." + "z" * 60 + ".example"])
def test_address_that_cannot_be_a_name_gets_another_name(client, address):
    answer = set_password(invite(address))
    user = User.objects.get(email=address)
    user.full_clean()
    assert answer.status_code == 200
    assert client.login(username=user.username, password=PASSWORD)


def test_staff_member_keeps_their_rights():
    User.objects.create_user("editor", email=ADDRESS, is_staff=True)
    set_password(invite())
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.has_usable_password()) == ("editor", False, True)
