"""The shop behind HTTPS (PUBLIC_URL=https://…), and without it as before."""

import contextlib
import http.client
import re

import pytest
from book_shop import smoke
from django.test import Client
from shop_fixtures import PASSWORD, text
from shop_program import LIMIT

URL = "https://shop.example:8443"
YEAR = "max-age=31536000"
PROBES = ["/healthz", "/readyz", "/version"]
pytestmark = pytest.mark.django_db


def visitor(scheme="https", host="shop.example:8443", **options) -> Client:
    """Return a client as behind the proxy, which states the scheme in a header."""
    return Client(headers={"host": host, "x-forwarded-proto": scheme}, **options)


@pytest.fixture
def https(configure, monkeypatch):
    """Turn HTTPS on, in a process that has just started."""
    monkeypatch.setattr(smoke, "test", smoke.SmokeTest())
    configure(PUBLIC_URL=URL)


# Redirect


@pytest.mark.parametrize("scheme", ["http", "HTTPS", "http,https", "", "ws"])
@pytest.mark.parametrize("host", ["shop.example:8443", "shop.test", "localhost", "evil.test"])
def test_request_without_encryption_is_redirected_to_the_public_url(https, host, scheme):
    for path in ("/", "/book-list?q=a%20b&sort=", "/no/such", "/healthz/x", "/x/healthz", "/static/x.css"):
        answer = visitor(scheme, host).get(path)
        assert (answer.status_code, answer.headers["Location"]) == (301, URL + path)
        # A browser that keeps the redirect would follow it in a circle after a mistake of the proxy.
        assert "no-store" in answer.headers["Cache-Control"]
        assert not answer.cookies
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("method", ["post", "put", "head", "options"])
def test_other_methods_are_redirected_too_and_do_nothing(https, dune, method):
    client = visitor("http")
    assert getattr(client, method)(f"/cart/{dune.pk}/add", {"copies": "1"}).status_code == 301
    assert not client.cookies


@pytest.mark.parametrize("path", PROBES)
def test_probes_are_answered_without_encryption(https, path):
    answer = Client(headers={"host": "localhost"}).get(path)
    assert answer.status_code == 200, text(answer)


def test_smoke_test_of_the_process_passes(https, dune):
    answer = visitor().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


# Cookies and headers


def test_all_cookies_are_secure_and_have_the_prefix(https, dune, reader):
    client = visitor()
    for path in ("/account/login/", "/admin/login/"):
        client.get(path)
    client.post("/account/login/", {"username": "lina", "password": PASSWORD})
    client.post(f"/cart/{dune.pk}/add", {"copies": "1"})
    client.post("/language", {"language": "ar"})
    assert set(client.cookies) == {f"__Host-{name}_test" for name in ("sessionid", "csrftoken", "language")}
    for cookie in client.cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_visitor_buys_over_https(https, dune):
    client = visitor()
    client.post(f"/cart/{dune.pk}/add", {"copies": "1"})
    assert client.get("/checkout").status_code == 200


def test_cookie_without_the_prefix_is_not_a_session(configure, reader):
    client = visitor(host="shop.test")
    client.force_login(reader)
    assert "signed in as lina" in text(client.get("/account/"))
    configure(PUBLIC_URL=URL)
    other = visitor()
    other.cookies = client.cookies
    before = client.cookies.output()
    assert other.get("/account/").status_code == 302
    assert other.cookies.output() == before  # an old process that still answers keeps the session


@pytest.mark.parametrize("path", ["/", "/no/such", "/version", "/admin/login/", "/book-cover/0.svg"])
def test_encrypted_responses_have_hsts_for_a_year_and_this_host_only(https, path):
    answer = visitor().get(path)
    assert answer.headers["Strict-Transport-Security"] == YEAR
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(("url", "expected"), [("https://localhost:8443", None), ("https://localhost.example", YEAR)])
def test_hsts_is_not_sent_for_all_ports_of_localhost(configure, url, expected):
    configure(PUBLIC_URL=url)
    answer = visitor(host=url.removeprefix("https://")).get("/version")
    assert (answer.status_code, answer.headers.get("Strict-Transport-Security")) == (200, expected)


# Forms


def sign_in(client, path, **headers):
    form = {"username": "lina", "password": PASSWORD}
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', text(client.get(path)))[1]
    return client.post(path, form | {"csrfmiddlewaretoken": token}, headers=headers)


@pytest.mark.parametrize("path", ["/account/login/", "/admin/login/"])
@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"origin": URL}, True),
        ({"referer": f"{URL}/account/login/"}, True),
        ({"origin": URL, "host": "shop.test"}, True),  # a proxy that sends another Host
        ({"origin": "http://shop.example:8443"}, False),
        ({"origin": "https://shop.example"}, False),
        ({"origin": "https://evil.test"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_form_is_accepted_from_the_public_url_only(https, reader, path, headers, accepted):
    reader.is_staff = True
    reader.save()
    answer = sign_in(visitor(enforce_csrf_checks=True), path, **headers)
    assert answer.status_code == (302 if accepted else 403)


# Links


def links(client) -> set[str]:
    """Return the beginnings of the absolute links to the site."""
    page, robots, index = (text(client.get(path)) for path in ("/book-list", "/robots.txt", "/sitemap.xml"))
    found = re.findall(r'rel="canonical" href="(.*)/book-list"', page)
    found += re.findall(r'property="og:url" content="(.*)/book-list"', page)
    found += re.findall(r"^Sitemap: (.*)/sitemap.xml$", robots, re.MULTILINE)
    found += re.findall(r"<loc>(.*?)/sitemap-(?:pages|books)\.xml</loc>", index)
    for section in ("pages", "books"):
        part = text(client.get(f"/sitemap-{section}.xml"))
        found += re.findall(r"<loc>(.*?)/(?:|book-list|book-detail/\d+/)</loc>", part)
    assert len(found) == 8
    return set(found)


@pytest.mark.parametrize("url", [URL, "http://shop.example:8080"])
@pytest.mark.parametrize("host", ["shop.test:99", "localhost"])
def test_links_have_the_public_url_whatever_the_host(configure, dune, url, host):
    configure(PUBLIC_URL=url)
    assert links(visitor(host=host)) == {url}


def test_links_have_the_host_of_the_request_without_a_public_url(dune):
    assert links(visitor(host="shop.test:99")) == {"http://shop.test:99"}


# Without HTTPS

FORGED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "443",
    "Forwarded": "proto=https;host=evil.test",
    "Script-Name": "/evil",
}


# On loopback, because gunicorn believes clients there by default.
@pytest.mark.parametrize("url", [None, "http://shop.test"])
def test_headers_of_a_client_change_nothing_without_https(serve, migrated_database, url):
    server = serve(DATABASE_URL=migrated_database, PUBLIC_URL=url)

    def get(path, headers):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)) as connection:
            connection.request("GET", path, headers={"Host": "shop.test"} | headers)
            answer = connection.getresponse()
            body = re.sub('name="csrfmiddlewaretoken" value="[^"]*"', "", answer.read().decode())
            cookies = re.sub("=[^;]+", "", str(answer.getheader("Set-Cookie")))
            return answer.status, cookies, answer.getheader("Strict-Transport-Security"), body

    for path in ("/", "/admin/login/", "/sitemap.xml", "/robots.txt"):
        usual = get(path, {})
        assert usual[0] == 200
        assert "Secure" not in usual[1]
        for name, value in FORGED.items():
            assert get(path, {name: value}) == usual, name


# The admin's sign-in page

UNENCRYPTED = "This connection is not encrypted."


@pytest.mark.parametrize(("language", "sentence"), [("en", UNENCRYPTED), ("ar", "هذا الاتصال غير مشفَّر.")])
def test_admin_sign_in_page_states_that_the_connection_is_not_encrypted(language, sentence):
    assert sentence in text(visitor(host="shop.test").get("/admin/login/", headers={"accept-language": language}))


def test_admin_sign_in_page_over_https_does_not(https):
    page = visitor().get("/admin/login/")
    assert page.status_code == 200
    assert UNENCRYPTED not in text(page)
