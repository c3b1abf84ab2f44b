"""Accounts: register, sign in and out, change the password; the cart comes along, and nobody is led elsewhere."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
PASSWORD = "a long pass phrase"
NEW = {"username": "lina", "password1": PASSWORD, "password2": PASSWORD, "email": ""}
PLACES = [
    ("", "/account/"),
    ("/orders", "/orders"),
    ("https://evil.test/", "/account/"),
    ("//evil.test/", "/account/"),
    ("javascript:alert(1)", "/account/"),
]


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def reader():
    return User.objects.create_user("lina", password=PASSWORD)


def signed_in(client) -> bool:
    return client.get("/account/").status_code == 200


@pytest.mark.parametrize(("wanted", "place"), PLACES)
def test_register_and_be_signed_in_where_one_wanted_to_go(client, wanted, place):
    answer = client.post("/account/register/", NEW | {"next": wanted})
    assert (answer.status_code, answer.headers["Location"]) == (302, place)
    assert "signed in as lina" in text(client.get("/account/"))
    assert not User.objects.get().is_staff


@pytest.mark.parametrize(("wanted", "place"), PLACES)
def test_sign_in_and_go_where_one_wanted_to(client, reader, wanted, place):
    answer = client.post("/account/login/", {"username": "lina", "password": PASSWORD, "next": wanted})
    assert (answer.status_code, answer.headers["Location"]) == (302, place)
    assert signed_in(client)


@pytest.mark.parametrize(("wanted", "place"), PLACES)
def test_the_forms_carry_along_only_places_in_the_shop(client, wanted, place):
    for form in ("login", "register"):
        assert client.get(f"/account/{form}/", {"next": wanted}).context["next"] in ("", place)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", ""),
        ("username", "LINA"),
        ("username", "a b"),
        ("email", "x"),
        ("password2", "another"),
        ("password2", "12345678"),
    ],
)
def test_what_can_not_be_registered_is_explained(client, reader, field, value):
    form = NEW | {"username": "sami", field: value}
    if value == "12345678":
        form["password1"] = value
    page = client.post("/account/register/", form)
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert User.objects.count() == 1
    assert PASSWORD not in text(page)


def test_a_wrong_password_says_nothing_about_who_exists(client, reader):
    pages = [
        client.post("/account/login/", {"username": name, "password": "wrong"}).context["form"].non_field_errors()
        for name in ("lina", "nobody")
    ]
    assert pages[0] == pages[1]
    assert len(pages[0]) == 1
    assert not signed_in(client)


def test_sign_out_only_by_post(client, reader):
    client.force_login(reader)
    assert client.get("/account/logout/").status_code == 405
    assert client.post("/account/logout/").headers["Location"] == "/"
    assert not signed_in(client)


def test_change_the_password_and_stay_signed_in(client, reader):
    client.force_login(reader)
    new = "another long pass phrase"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", form | {"old_password": "wrong"}).status_code == 200
    assert "Your password is changed." in text(client.post("/account/password/", form, follow=True))
    reader.refresh_from_db()
    assert reader.check_password(new)


@pytest.mark.parametrize("address", ["/account/", "/account/password/", "/orders", "/book-detail/1/review"])
def test_a_stranger_is_sent_to_the_login_and_comes_back(client, address):
    assert client.get(address).headers["Location"] == f"/account/login/?next={address}"


@pytest.mark.parametrize("address", ["/account/login/", "/account/register/"])
def test_the_cart_comes_along_in_a_session_with_another_key(client, make_books, django_user_model, address):
    (book,) = make_books("Dune", price=100, stock=9)
    client.post(f"/cart/{book.pk}/add", {"copies": "2"})
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    if address == "/account/login/":
        User.objects.create_user("lina", password=PASSWORD)
    client.post(address, NEW | {"password": PASSWORD})
    assert signed_in(client)
    assert client.session["cart"] == {str(book.pk): 2}
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


def test_the_next_who_sits_at_the_same_browser_finds_no_cart(client, make_books, reader):
    (book,) = make_books("Dune", price=100, stock=9)
    client.force_login(reader)
    client.post(f"/cart/{book.pk}/add", {"copies": "2"})
    client.post("/account/logout/")
    assert "cart" not in client.session


def test_who_is_signed_in_has_no_need_to_register(client, reader):
    client.force_login(reader)
    assert client.get("/account/register/").headers["Location"] == "/account/"


def test_passwords_and_keys_of_forms_are_kept_by_nobody(client, reader):
    for address in ("/account/login/", "/account/register/"):
        assert "no-store" in client.get(address).headers["Cache-Control"]
