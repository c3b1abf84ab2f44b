"""What NGINX makes of requests: the real one, with the project's files (nginx/), in front of an echo."""

import base64
import contextlib

import pytest
from delivery import proxy_secret
from real_nginx import HOST, OUTSIDE, RealNginx

NEW, OLD = "0123456789abcdef" * 4, "fedcba9876543210" * 2
SECRET = f"X-Proxy-Secret: {NEW}"
PASSWORD = "correct: horse+battery/~"
CLIENT = "203.0.113.7"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A host that trusts a proxy; dev has no password."""
    with contextlib.closing(RealNginx(tmp_path_factory.mktemp("nginx"), [NEW, OLD])) as made:
        yield made


@pytest.fixture(scope="module")
def password(tmp_path_factory):
    """A host whose dev has a password."""
    settings = {"PREVIEW": "1", "PREVIEW_PASSWORD": PASSWORD}
    with contextlib.closing(RealNginx(tmp_path_factory.mktemp("nginx"), dev=settings)) as made:
        yield made


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A host that trusts no proxy; dev has no password."""
    with contextlib.closing(RealNginx(tmp_path_factory.mktemp("nginx"))) as made:
        yield made


def seen(answer):
    """The address and the scheme that the application got."""
    return answer.passed("X-Forwarded-For"), answer.passed("X-Forwarded-Proto")


FORGED = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"]
DISTRUSTED = [
    [],
    ["X-Proxy-Secret:"],
    ["X-Proxy-Secret:   "],
    ["X-Proxy-Secret: 1"],
    ["X-Proxy-Secret: $"],
    ["X-Proxy-Secret: prod"],
    ["X-Proxy-Secret: .*"],
    [f"X-Proxy-Secret: {NEW[:-1]}"],
    [f"X-Proxy-Secret: {NEW}0"],
    [f"X-Proxy-Secret: {NEW.upper()}"],
    [f"X-Proxy-Secret: prod {NEW}"],
    [f"X-Proxy-Secret: {NEW},{OLD}"],
    [f"X-Proxy-Secret: {NEW} {NEW}"],
    [f"X-Proxy-Secret: x{NEW}"],
    ["X-Proxy-Secret: wrong", SECRET],
    ["X-Proxy-Secret:", SECRET],
    [f"X_Proxy_Secret: {NEW}"],
    [f"X-Proxy_Secret: {NEW}"],
    [f"X-Proxy-Secret-: {NEW}"],
    [f"Proxy-Secret: {NEW}"],
    [f"Connection: {NEW}"],
    [f"Cookie: X-Proxy-Secret={NEW}"],
]


@pytest.mark.parametrize("headers", DISTRUSTED, ids=str)
def test_a_client_that_does_not_send_the_secret_is_not_trusted(site, headers):
    for lines in ([*headers, *FORGED], [*FORGED, *headers], [*FORGED, *FORGED, *headers]):
        assert seen(site.get(*lines)) == ([OUTSIDE], ["http"])


@pytest.mark.parametrize("headers", DISTRUSTED, ids=str)
def test_a_host_without_a_secret_trusts_no_one(bare, headers):
    for secret in ([], [SECRET], [f"X-Proxy-Secret: {OLD}"]):
        assert seen(bare.get(*headers, *secret, *FORGED)) == ([OUTSIDE], ["http"])


def test_both_secrets_are_accepted_by_prod_and_none_by_dev(site):
    for value in (NEW, OLD):
        assert seen(site.get(f"X-Proxy-Secret: {value}", *FORGED)) == ([CLIENT], ["https"])
        assert seen(site.get(f"x-proxy-secret:{value}  ", *FORGED)) == ([CLIENT], ["https"])
        assert seen(site.get(f"X-Proxy-Secret: {value}", *FORGED, environment="dev")) == ([OUTSIDE], ["http"])


ADDRESSES = {
    (CLIENT,): CLIENT,
    ("1.1.1.1, 203.0.113.7",): CLIENT,
    ("1.1.1.1,203.0.113.7",): CLIENT,
    ("1.1.1.1 , \t203.0.113.7 ",): CLIENT,
    (", ,,203.0.113.7",): CLIENT,
    ("1.1.1.1", "2.2.2.2", "203.0.113.7"): CLIENT,
    ("x" * 8000 + ", 203.0.113.7",): CLIENT,
    ("1.1.1.1, " * 880 + "203.0.113.7",): CLIENT,
    ("\u00ff, 203.0.113.7",): CLIENT,
    ("0.0.0.0",): "0.0.0.0",
    ("255.255.255.254",): "255.255.255.254",
    ("2001:db8::7",): "2001:db8::7",
    ("1.1.1.1, 2001:DB8:0:0:0:0:0:7",): "2001:DB8:0:0:0:0:0:7",
    ("::1",): "::1",
    ("::",): "::",
    ("::ffff:203.0.113.7",): "::ffff:203.0.113.7",
}
NO_ADDRESSES = [
    (), ("",), (" ",), (",",), ("203.0.113.7,",), ("203.0.113.7, ",), ("203.0.113.7, unknown",), ("203.0.113.7, -",),
    ("203.0.113.7, 1.2.3",), ("203.0.113.7, 1.2.3.256",), ("203.0.113.7, 1.2.3.4.5",), ("203.0.113.7, 01.2.3.4",),
    ("203.0.113.7, 1..2.3",), ("203.0.113.7, 1.2.3.4:80",), ("203.0.113.7, [2001:db8::1]",),
    ("203.0.113.7, [2001:db8::1]:80",), ("203.0.113.7, 2001:db8",), ("203.0.113.7, 1:2:3:4:5:6:7:8:9",),
    ("203.0.113.7, 12345::1",), ("203.0.113.7, ::1::",), ("203.0.113.7, fe80::1%eth0",), ("203.0.113.7, ::1.2.3.256",),
    ("203.0.113.7 1.1.1.1",), ("203.0.113.7, for=1.1.1.1",), ('203.0.113.7, "1.1.1.1"',), ("203.0.113.7; 1.1.1.1",),
    ("203.0.113.7", "unknown"), ("203.0.113.7", ""), ("203.0.113.7, " + "1" * 8000,), (" " * 8000 + "x",),
    ("203.0.113.7, " + "1 " * 3900,), ("1.1.1.1," * 900 + "x",), ("203.0.113.7, 255.255.255.255",),
]  # fmt: skip


@pytest.mark.parametrize(("forwarded", "address"), ADDRESSES.items())
def test_the_client_of_a_trusted_proxy_is_the_last_address_that_it_forwards(site, forwarded, address):
    answer = site.get(SECRET, *(f"X-Forwarded-For: {value}" for value in forwarded))
    assert seen(answer) == ([address], ["https"])


@pytest.mark.parametrize("forwarded", NO_ADDRESSES)
def test_a_trusted_proxy_that_forwards_no_address_is_the_client_itself(site, forwarded):
    answer = site.get(SECRET, *(f"X-Forwarded-For: {value}" for value in forwarded))
    assert seen(answer) == ([OUTSIDE], ["https"])


@pytest.mark.parametrize(
    ("lines", "scheme"),
    [
        ([], "https"), (["X-Forwarded-Proto:"], "https"), (["X-Forwarded-Proto: https"], "https"),
        (["X-Forwarded-Proto: http"], "http"), (["X-Forwarded-Proto: http, https"], "https"),
        (["X-Forwarded-Proto: ftp"], "https"), (["X-Forwarded-Protocol: http"], "https"),
        (["X_Forwarded_Proto: http"], "https"),
    ],
)  # fmt: skip
def test_a_trusted_proxy_means_https_unless_it_states_http(site, lines, scheme):
    assert seen(site.get(SECRET, *lines))[1] == [scheme]


def test_the_checks_of_the_host_itself_are_not_redirected_to_https(site):
    for environment in ("prod", "dev"):
        answer = site.get(*FORGED, "X-Forwarded-Proto: http", environment=environment, source=HOST)
        assert seen(answer) == ([HOST], ["https"])


REMOVED = [
    "Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix",
    "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Real-IP", "X-Client-IP", "True-Client-IP",
    "X-Cluster-Client-IP", "X-Proxy-Secret", "CloudFront-Viewer-Address", "CloudFront-Forwarded-Proto",
    "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host", "X-Url-Scheme", "Front-End-Https",
    "X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Host", "X_Proxy_Secret",
]  # fmt: skip


@pytest.mark.parametrize("environment", ["prod", "dev"])
def test_no_other_header_can_state_an_address_a_scheme_or_a_host(site, environment):
    forged = [f"{name}: {value}" for name in REMOVED for value in ("evil.example", "for=1.1.1.1", NEW)]
    forged += [f"Connection: {name}" for name in REMOVED]
    for secret in ([], [SECRET]):
        answer = site.get(*secret, *forged, "User-Agent: kept", environment=environment)
        names = {name.lower() for name, _ in answer.request["headers"]}
        assert names == {"host", "x-forwarded-for", "x-forwarded-proto", "user-agent"}
        assert answer.passed("Host") == ["shop.example"]
        assert NEW not in answer.body
        assert "evil" not in answer.body


@pytest.mark.parametrize(
    "request_",
    [
        f"GET / HTTP/1.1\r\n{SECRET}\r\nHost: shop.example\r\nHost: evil.example\r\n\r\n",
        f"GET / HTTP/1.1\r\n{SECRET}\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        f"GET http://evil.example/ HTTP/1.1\r\n{SECRET}\r\nHost: shop.example\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/1.1\r\n{SECRET}\r\nHost: shop.example@evil.example\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/1.1\r\n{SECRET}\r\nX-Forwarded-Host: shop.example\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Proxy-Secret : {NEW}\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    ],
)
def test_an_ambiguous_request_or_another_host_does_not_reach_the_application(site, request_):
    answer = site.send("prod", request_.encode())
    assert answer.status in (400, 421)
    assert answer.request is None


@pytest.mark.parametrize(
    ("line", "host", "passed"),
    [
        ("/", "shop.example:8443", "shop.example:8443"),
        ("/", "SHOP.example", "shop.example"),
        ("/", "shop.example.:80", "shop.example:80"),
        ("/", "shop.example:evil.example", "shop.example"),
        ("http://shop.example/", "evil.example", "shop.example"),
        ("http://shop.example/", "evil.example:8080", "shop.example:8080"),
    ],
)
def test_the_application_gets_the_host_that_was_compared_and_the_port_of_the_client(site, line, host, passed):
    answer = site.get(path=line, host=host)
    assert answer.passed("Host") == [passed]
    assert answer.request["line"] == "GET /"


def sign_ins(site, count, *headers, source=OUTSIDE):
    """The statuses of so many sign-ins."""
    lines = ("Content-Length: 0", *headers)
    return [site.get(*lines, method="POST", path="/account/login/", source=source).status for _ in range(count)]


def test_the_limits_count_the_clients_of_a_trusted_proxy_and_no_forged_address(site):
    for last in range(15):
        assert sign_ins(site, 3, SECRET, f"X-Forwarded-For: 9.9.9.9, 198.51.100.{last}") == [200] * 3
    forged = [sign_ins(site, 1, f"X-Forwarded-For: 198.51.100.{n}", source="127.0.0.3")[0] for n in range(12)]
    assert forged == [200] * 11 + [429]
    assert sign_ins(site, 12, SECRET, "X-Forwarded-For: 192.0.2.1") == [200] * 11 + [429]
    assert sign_ins(site, 1, SECRET, "X-Forwarded-For: 192.0.2.2") == [200]


def api(site, client):
    statuses = {site.get(SECRET, f"X-Forwarded-For: {client}", path="/api/books").status for _ in range(60)}
    return 429 in statuses


def test_the_limit_of_the_api_counts_the_clients_of_a_trusted_proxy(site):
    assert api(site, "192.0.2.11")
    assert site.get(SECRET, "X-Forwarded-For: 192.0.2.12", path="/api/books").status == 200


def test_refused_and_failed_requests_are_logged_with_the_address_and_without_secrets(site):
    private = ["Cookie: session=private", "Authorization: Basic private", "Referer: private", "User-Agent: private"]
    trusted = [SECRET, f"X-Forwarded-For: {CLIENT}", *private]
    before = len(site.refused())
    site.get(*trusted, path="/a?b=c", host="evil.example")
    site.get(*trusted, path="/metrics")
    site.get(*trusted, path="/cut")
    site.get(*private, path="/cut", environment="dev")
    site.send("prod", b'\x16\x03\x01"\\\xff\xfe\r\n\r\n')
    site.get(*trusted, path="/missing")
    site.get(*trusted, path="/busy")
    site.get(*trusted)
    lines = site.refused()[before:]
    assert [(line["environment"], line["client"], line["status"]) for line in lines] == [
        ("prod", CLIENT, 421), ("prod", CLIENT, 404), ("prod", CLIENT, 502), ("dev", OUTSIDE, 502),
        ("prod", OUTSIDE, 400),
    ]  # fmt: skip
    assert {line["connection"] for line in lines} == {OUTSIDE}
    assert (lines[0]["host"], lines[0]["request"]) == ("evil.example", "GET /a?b=c HTTP/1.1")
    assert set(lines[0]) == {"time", "environment", "client", "connection", "host", "request", "status"}
    logs = "".join(file.read_text(errors="replace") for file in site.log.parent.iterdir())
    assert NEW not in logs
    assert "private" not in site.log.read_text()
    access = (site.log.parent / "access.log").read_text(errors="replace")
    assert not [text for text in (CLIENT, OUTSIDE, "private") if text in access]


def test_a_refused_sign_in_is_logged_with_the_address_of_the_client(site):
    sign_ins(site, 12, SECRET, "X-Forwarded-For: 192.0.2.21")
    last = site.refused()[-1]
    assert (last["client"], last["status"]) == ("192.0.2.21", 429)


def test_search_engines_list_no_page_of_dev(site, password):
    for made in (site, password):
        for path in ("/", "/metrics", "/cut", "/missing", "/busy", "/50x.html", "/robots.txt"):
            assert made.get(environment="dev", path=path).values("X-Robots-Tag") == ["noindex"], path
        assert made.get(environment="dev", host="evil.example").values("X-Robots-Tag") == ["noindex"]
        too_large = made.get(RIGHT, "Content-Length: 99999999", environment="dev", method="POST")
        assert (too_large.status, too_large.values("X-Robots-Tag")) == (413, ["noindex"])
        bad = made.send("dev", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert (bad.status, bad.values("X-Robots-Tag")) == (400, ["noindex"])
        for path in ("/", "/metrics", "/cut", "/missing"):
            assert made.get(path=path).values("X-Robots-Tag") == []


def basic(user_and_password):
    return f"Authorization: Basic {base64.b64encode(user_and_password.encode()).decode()}"


USERS = ["", "a", "ab", "abc", "preview", "\u00e9", "\u65e5\u672c", "user name", "x" * 200]
WRONG = [f"{PASSWORD}x", f"x{PASSWORD}", f"z{PASSWORD}", PASSWORD[:-1], PASSWORD[1:], PASSWORD.upper()]
WRONG += [f"{PASSWORD} ", f"{PASSWORD}\0"]
RIGHT = basic(f"preview:{PASSWORD}")


@pytest.mark.parametrize("user", USERS)
def test_the_password_is_accepted_with_any_user_name(password, user):
    for line in (basic(f"{user}:{PASSWORD}"), basic(f"{user}:{PASSWORD}").replace("Basic ", "bASIC   ")):
        assert password.get(line, environment="dev", path="/admin/").status == 200


@pytest.mark.parametrize("text", ["a long password", "another password1", "the last password", "$1 \\ \"'; }{#~^.*x"])
def test_any_password_is_accepted_and_a_similar_one_is_not(tmp_path, text):
    with contextlib.closing(RealNginx(tmp_path, dev={"PREVIEW_PASSWORD": f" {text}\n"})) as made:
        for user in USERS:
            assert made.get(basic(f"{user}:{text}"), environment="dev").status == 200
            for wrong in (f"{text}x", f"x{text}", f"z{text}", text[:-1], text[1:], text.swapcase()):
                assert made.get(basic(f"{user}:{wrong}"), environment="dev").status == 401


def test_dev_asks_strangers_for_the_password_and_prod_does_not(password):
    refused = password.get(environment="dev", path="/admin/?a=b")
    assert (refused.status, refused.values("WWW-Authenticate")) == (401, ['Basic realm="Preview"'])
    assert refused.request is None
    assert password.get(RIGHT, environment="dev", path="/admin/").status == 200
    assert password.get(path="/admin/").status == 200
    assert password.refused()[0]["status"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        ["Authorization:"], ["Authorization: Basic"], ["Authorization: Bearer x"], [basic("preview:wrong")],
        [basic("preview:")], [basic("preview")], [basic(PASSWORD)], [basic(f"preview{PASSWORD}")],
        *([basic(f"{user}:{wrong}")] for user in USERS for wrong in WRONG), [f"Authorization: {PASSWORD}"],
        [f"Authorization: Bearer {RIGHT.split()[-1]}"], [f"Authorization: {RIGHT.split()[-1]}"], [f"{RIGHT}AAAA"],
        [RIGHT.swapcase()], [f"Proxy-{RIGHT}"], [f"Cookie: {RIGHT}"],
        ["X-Forwarded-For: 127.0.0.1"], [f"X-Proxy-Secret: {NEW}", "X-Forwarded-For: 127.0.0.1"],
        ["X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1"], ["X-Original-URL: /healthz"],
    ],
)  # fmt: skip
def test_a_wrong_password_or_a_forged_address_is_refused(password, headers):
    for host in ("shop.example", "localhost", "127.0.0.1"):
        assert password.get(*headers, environment="dev", host=host).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/healthz/", "/healthz/../admin/", "/admin/../healthz", "/admin/..%2fhealthz", "//healthz", "/%68ealthz",
        "/healthz%3f", "/healthz;x", "/healthz#/../admin/", "/HEALTHZ", "/version/x", "/metrics", "/50x.html",
        "/429.html", "/admin/?/healthz", "/x/healthz",
    ],
)  # fmt: skip
def test_only_the_exact_paths_of_monitoring_need_no_password(password, path):
    assert password.get(environment="dev", path=path).request is None


def test_monitoring_and_the_host_itself_need_no_password(password):
    for path in ("/healthz", "/readyz", "/version", "/version?x"):
        assert password.get(environment="dev", path=path).status == 200
    for host in ("localhost", "127.0.0.1"):
        answer = password.get(environment="dev", path="/book-list", host=host, source=HOST)
        assert (answer.status, answer.request["line"]) == (200, "GET /book-list")


def test_a_password_that_was_typed_as_the_user_name_is_in_no_log(tmp_path):
    with contextlib.closing(RealNginx(tmp_path, dev={"PREVIEW_PASSWORD": "a long password"})) as made:
        for text in ("a long password:", "a long password:a long"):
            assert made.get(basic(text), environment="dev").status == 401
        assert len(made.refused()) == 2
    for log in (made.log, made.error_log):
        assert "a long password" not in log.read_text()


def test_nginx_keeps_its_own_pages_in_front_of_the_password(password):
    assert {password.get(environment="dev", path="/api/books").status for _ in range(60)} == {401}
    assert {password.get(RIGHT, environment="dev", path="/api/books").status for _ in range(60)} == {200, 429}
    assert password.get(RIGHT, environment="dev", path="/cut").status == 502


def test_the_application_does_not_get_the_password(password, site):
    assert password.get(RIGHT, environment="dev").passed("Authorization") == []
    # Its own clients can authenticate themselves.
    assert site.get(RIGHT, environment="dev").passed("Authorization") == [RIGHT.partition(": ")[2]]
    assert password.get(RIGHT).passed("Authorization") == [RIGHT.partition(": ")[2]]


def test_nginx_s_lines_of_secrets_never_accept_an_empty_value():
    assert proxy_secret.nginx_map([]) == ""
    assert proxy_secret.nginx_map([NEW]) == f'"~^prod {NEW}$" 1;\n'
