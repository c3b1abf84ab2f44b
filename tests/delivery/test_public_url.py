"""Which address the verbs on the laptop name or request: PUBLIC_URL, or that of the host if there is none."""

import os

import pytest
from laptop import FakeHost

STORED = {"dev": "https://dev.example", "prod": "https://shop.example"}
DUMP = "prod 20261125T031500Z 1500000"


@pytest.fixture
def host(local_host, monkeypatch):
    """A host with a backup, whose `manage` prints the path of an invitation."""
    local_host.dumps = [DUMP]
    attach = FakeHost.attach

    def attached(self, verb, environment, *arguments, terminal=False):
        if verb == "manage":
            os.write(1, b"/accounts/invite/1\n")
        elif verb != "load":
            attach(self, verb, environment, *arguments)

    monkeypatch.setattr(FakeHost, "attach", attached)
    return local_host


@pytest.mark.parametrize("is_stored", [True, False], ids=["PUBLIC_URL", "none"])
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("status", []), ("summary", []), ("invite", ["prod", "ann@example.org"]), ("load", ["-y", "prod"]),
        ("restore", ["-y", "prod"]),
    ],
)  # fmt: skip
def test_the_public_url_is_named_instead_of_the_address_of_the_host(shop, host, verb, arguments, is_stored):
    for name, entry in host.entries.items():
        entry["url"] = STORED[name] if is_stored else None
    result = shop.verb(verb, *arguments)
    result.must_succeed()
    urls = (STORED["prod"], host.url("prod"))
    expected, other = urls if is_stored else reversed(urls)
    assert expected in result.out + result.err
    assert other not in result.out + result.err


def test_a_link_is_made_only_if_its_address_is_known(shop, host):
    host.failures["status"] = (4, "no answer")
    shop.verb("invite", "prod", "ann@example.org").must_fail("no answer", status=4)


def test_the_address_of_a_cluster_is_that_of_its_target(shop, host, monkeypatch):
    """Which knows DELIVERY_CLUSTER_URL, too."""
    from delivery.targets import cluster

    monkeypatch.setenv("DELIVERY_PROD", "cluster")
    monkeypatch.setattr(cluster, "Cluster", lambda: host)
    host.entries["prod"]["url"] = STORED["prod"]
    monkeypatch.setattr(host, "url", lambda environment: "http://own.example")
    assert shop.verb("invite", "prod", "ann@example.org").out == "http://own.example/accounts/invite/1\n"
