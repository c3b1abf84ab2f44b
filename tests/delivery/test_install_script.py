"""The values that scripts/user-data writes into the install script, which runs as root: they cannot be code."""

import pytest
from delivery import install_script
from delivery.cli import UsageError
from infra import ROOT

SHA256 = "0123456789abcdef" * 4
GOOD = {
    "url": "file:///seed/host-files.tar.gz",
    "sha256": SHA256,
    "repository": "localhost:5000/book-shop",
    "allowed_hosts": "localhost,127.0.0.1",
}
AWS = {"aws_region": "eu-central-1", "parameters": "/book-shop", "transfer": "book-shop-transfer-123456789012"}
CODE = [
    "", " ", "$(reboot)", "`reboot`", "a;reboot", "a b", "a\nreboot", "a\n", "a'b", 'a"b', "a&b", "a\\b", "@OTHER@",
    "é", "-x",
]  # fmt: skip
NO_URLS = [
    "shop.example", "//shop.example", "ftp://shop.example", "HTTPS://shop.example", "https://", "https:///",
    "https://shop.example/", "https://shop.example/x", "https://shop.example?x", "https://shop.example#x",
    "https://Shop.example", "https://user@shop.example", "https://a:b@shop.example", "https://shop.example:",
    "https://shop.example:0", "https://shop.example:65536", "https://shop.example:080", "https://.shop.example",
    "https://*", "https://*.shop.example", "https://shop..example", "https://shop_1.example", "https://-shop.example",
    "https://shop-.example", f"https://{'a' * 64}.example", "https://shop.example:443", "http://shop.example:80",
    "https://1.2.3", "https://1.2.3.256", "https://shop.example.0x7", "https://01.2.3.4",
    "https://shop.example,https://other.example", "https://shop.example\n", " https://shop.example",
    f"https://{'a.' * 126}example", *(f"https://{code}" for code in CODE),
]  # fmt: skip
BAD = {
    "url": [*(f"file:///{code}" for code in CODE if code not in ("", "-x")), "ftp://example.org/x", "example.org/x",
            "/x", "@URL@x"],
    "sha256": [*(f"{SHA256}{code}" for code in CODE if code), SHA256[1:], SHA256.upper(), "@SHA256@x"],
    "repository": [*(f"localhost:5000/{code}" for code in CODE), "book-shop", "localhost:5000/UPPER", "/x",
                   "localhost:5000/x:1.0.0", "@REPOSITORY@x"],
    "allowed_hosts": [*(f"localhost,{code}" for code in CODE), ",", "a,", ",a", "a,,b", "a/b", "a:80", "a_b",
                      "*.example.org", ".", "a.", "a..b", "..a", "**", "a.-b", "@ALLOWED_HOSTS@x"],
    "aws_region": ["Frankfurt", "eu-central", "@AWS_REGION@x"],
    "parameters": ["book-shop", "/", "/book-shop/", "/a/b", "/Book", "@PARAMETERS@x"],
    "transfer": ["a", "A-bucket", "-bucket", "bucket-", "a" * 64, "a/b", "@TRANSFER@x"],
    "public_url_prod": [*NO_URLS, "@PUBLIC_URL_PROD@x"],
    "public_url_dev": [*NO_URLS, "@PUBLIC_URL_DEV@x"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD for value in [*BAD[name], *CODE] if value or name in GOOD]
)
def test_refuses_a_value_that_could_be_code(name, value):
    with pytest.raises(UsageError, match="invalid ") as refused:
        install_script.with_values(**GOOD | AWS | {name: value})
    assert refused.value.what.endswith(f" {value!r}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("allowed_hosts", hosts) for hosts in ("*", ".example.org", "Shop.example.org,203.0.113.7,*")),
        ("url", "https://bucket.s3.eu-central-1.amazonaws.com/host-files.tar.gz"),
        ("repository", "public.ecr.aws/a1b2c3/book-shop"),
        *(("public_url_prod", f"https://{host}") for host in ("d1.cloudfront.net", "localhost:8443", "shop:65535")),
        *(
            ("public_url_dev", f"http://{host}")
            for host in ("1.2.3.4", "shop:443", "a" * 63, "203.0.113.7:8080", "a-b.example:1", "a." * 124 + "abcde")
        ),
        *((name, "") for name in ("public_url_prod", "public_url_dev")),
    ],
)
def test_writes_a_good_value_into_the_script(name, value):
    assert f'\n{name.upper()} = "{value}"\n' in install_script.with_values(**GOOD | {name: value})


def test_only_a_host_on_aws_has_the_values_of_aws():
    script = install_script.with_values(**GOOD | AWS)
    for name, value in AWS.items():
        assert f'\n{name.upper()} = "{value}"\n' in script
        assert f'\n{name.upper()} = ""\n' in install_script.with_values(**GOOD)


@pytest.mark.parametrize("name", AWS)
def test_refuses_a_part_of_the_values_of_aws(name):
    with pytest.raises(UsageError, match="incomplete values of AWS"):
        install_script.with_values(**GOOD | AWS | {name: ""})
    with pytest.raises(UsageError, match="incomplete values of AWS"):
        install_script.with_values(**GOOD | {name: AWS[name]})
