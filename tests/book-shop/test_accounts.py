"""Accounts: registration, signing in and out, changing the password."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from shop_fixtures import PASSWORD, text

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
LOGIN, REGISTER = "/account/login/", "/account/register/"
NEW = {"username": "lina", "password1": PASSWORD, "password2": PASSWORD, "email": ""}


@pytest.fixture(params=[LOGIN, REGISTER])
def entry(request):
    """Return the URL and the data of a form that signs lina in."""
    if request.param == REGISTER:
        return REGISTER, NEW
    User.objects.create_user("lina", password=PASSWORD)
    return LOGIN, {"username": "lina", "password": PASSWORD}


def signed_in(client) -> bool:
    return "signed in as lina" in text(client.get("/account/"))


@pytest.mark.parametrize(
    ("next_url", "destination"),
    [
        ("", "/account/"),
        ("/orders", "/orders"),
        ("https://evil.test/", "/account/"),
        ("//evil.test/", "/account/"),
        ("javascript:alert(1)", "/account/"),
    ],
)
def test_signs_in_and_redirects_within_the_shop_only(client, entry, next_url, destination):
    url, form = entry
    assert client.get(url, {"next": next_url}).context["next"] in ("", destination)
    answer = client.post(url, form | {"next": next_url})
    assert (answer.status_code, answer.headers["Location"]) == (302, destination)
    assert signed_in(client)
    assert not User.objects.get().is_staff


def test_signing_in_keeps_the_cart_in_a_session_with_a_new_key(client, dune, entry):
    url, form = entry
    client.post(f"/cart/{dune.pk}/add", {"copies": "2"})
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post(url, form)
    assert signed_in(client)
    assert client.session["cart"] == {str(dune.pk): 2}
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


def test_forms_with_passwords_are_not_cached(client, entry):
    assert "no-store" in client.get(entry[0]).headers["Cache-Control"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("username", {"username": ""}),
        ("username", {"username": "LINA"}),
        ("username", {"username": "a b"}),
        ("email", {"email": "x"}),
        ("password2", {"password2": "another"}),
        ("password2", {"password1": "12345678", "password2": "12345678"}),
    ],
)
def test_invalid_registration_shows_the_error_and_no_password(client, reader, field, change):
    page = client.post(REGISTER, NEW | {"username": "sami"} | change)
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert User.objects.count() == 1
    assert PASSWORD not in text(page)


def test_failed_sign_in_does_not_reveal_which_names_exist(client, reader):
    known, unknown = (
        client.post(LOGIN, {"username": name, "password": "wrong"}).context["form"].non_field_errors()
        for name in ("lina", "unknown")
    )
    assert known == unknown
    assert len(known) == 1
    assert not signed_in(client)


def test_sign_out_requires_post_and_empties_the_cart(client, dune, reader):
    client.force_login(reader)
    client.post(f"/cart/{dune.pk}/add", {"copies": "2"})
    assert client.get("/account/logout/").status_code == 405
    assert client.post("/account/logout/").headers["Location"] == "/"
    assert not signed_in(client)
    assert "cart" not in client.session


def test_change_of_password_requires_the_old_one_and_keeps_the_session(client, reader):
    client.force_login(reader)
    new = "another long pass phrase"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", form | {"old_password": "wrong"}).status_code == 200
    assert "Your password has been changed." in text(client.post("/account/password/", form, follow=True))
    reader.refresh_from_db()
    assert reader.check_password(new)


@pytest.mark.parametrize("url", ["/account/", "/account/password/", "/orders", "/book-detail/1/review"])
def test_pages_of_readers_redirect_to_the_login(client, url):
    assert client.get(url).headers["Location"] == f"/account/login/?next={url}"


def test_registration_redirects_a_signed_in_reader(client, reader):
    client.force_login(reader)
    assert client.get(REGISTER).headers["Location"] == "/account/"
