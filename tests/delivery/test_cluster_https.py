"""HTTPS on a cluster: the Ingress, the public URL, and the requests of a deploy."""

import contextlib
import json
import ssl
import types
import urllib.error

import fake_aws
import pytest
from delivery import certificate_check, cluster_certificate, compositions, http_client
from delivery.cli import CommandError, UsageError
from delivery.cluster_certificate import ARN, ISSUER, REMOVED, Certificate
from delivery.cluster_settings import ClusterSettings
from fakes import REPOSITORY, image
from loopback import Server

SHOP = "https://shop.example"
ACM = Certificate(ARN, cluster_certificate.EXAMPLES[ARN])
LETSENCRYPT = Certificate(ISSUER, "letsencrypt")
ALB = "alb.ingress.kubernetes.io"
POINTER, INGRESS = "configmap/book-shop-settings", "ingress.networking.k8s.io/book-shop"


@pytest.fixture
def cluster(cluster):
    """A cluster whose load balancer has no certificate of its own."""
    cluster.world.has_certificates = False
    return cluster


def certified(cluster, certificate):
    """make cluster-setup has stored a certificate."""
    ClusterSettings(cluster.world.kubernetes).save_certificate(certificate)


def ingress(cluster):
    """The annotations and the specification of the live Ingress."""
    found = cluster.world.kubernetes.objects[INGRESS]
    return found["metadata"].get("annotations", {}), found["spec"]


def has_https(cluster):
    annotations, spec = ingress(cluster)
    return f"{ALB}/certificate-arn" in annotations or "tls" in spec


@pytest.fixture(params=[ACM, LETSENCRYPT], ids=["acm", "cert-manager"])
def secured(request, cluster):
    """A cluster with a certificate and a live release over HTTPS. DNS does not lead to it."""
    cluster.world.elsewhere.add("shop.example")
    certified(cluster, request.param)
    cluster.deployed(1)
    cluster.run("set", "PUBLIC_URL", stdin=SHOP).must_succeed()
    return cluster


def test_https_is_on_while_the_public_url_is_https(cluster):
    certified(cluster, ACM)
    cluster.deployed(1)
    assert not has_https(cluster)
    cluster.run("set", "PUBLIC_URL", stdin="http://shop.example").must_succeed()
    assert not has_https(cluster)
    cluster.run("set", "PUBLIC_URL", stdin=SHOP).must_succeed()
    assert has_https(cluster)
    cluster.run("unset", "PUBLIC_URL").must_succeed()
    assert not has_https(cluster)


def test_a_load_balancer_of_aws_gets_the_certificate_and_redirects_to_https(cluster):
    certified(cluster, ACM)
    cluster.deployed(1)
    cluster.run("set", "PUBLIC_URL", stdin=SHOP).must_succeed()
    annotations, spec = ingress(cluster)
    assert annotations[f"{ALB}/certificate-arn"] == ACM.value
    assert json.loads(annotations[f"{ALB}/listen-ports"]) == [{"HTTP": 80}, {"HTTPS": 443}]
    assert annotations[f"{ALB}/ssl-redirect"] == "443"
    assert "tls" not in spec


def test_cert_manager_is_asked_for_the_host_of_the_public_url(cluster):
    certified(cluster, LETSENCRYPT)
    cluster.deployed(1)
    before = ingress(cluster)[1]["rules"]
    cluster.run("set", "PUBLIC_URL", stdin=SHOP).must_succeed()
    annotations, spec = ingress(cluster)
    assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert spec["tls"] == [{"hosts": ["shop.example"], "secretName": "book-shop-tls"}]
    assert spec["rules"] == [before[0] | {"host": "shop.example"}, *before]  # other names are served as before
    cluster.run("set", "PUBLIC_URL", stdin="https://books.example").must_succeed()
    assert ingress(cluster)[1]["tls"][0]["hosts"] == ["books.example"]


def test_deploys_and_rollbacks_without_a_right_to_secrets_keep_https(secured):
    secured.world.kubernetes.forbidden.add("secret")
    secured.deploy(2).must_succeed()
    assert (secured.serves_directly(), has_https(secured)) == (2, True)
    secured.rollback().must_succeed()
    assert (secured.serves_directly(), has_https(secured)) == (1, True)


def test_a_failed_deploy_keeps_https(secured):
    before = ingress(secured)
    secured.deploy(2, "never-ready").must_fail()
    assert ingress(secured) == before


def test_a_public_url_that_does_not_answer_is_neither_stored_nor_left_in_the_ingress(cluster):
    cluster.deployed(1)
    before = ingress(cluster)
    cluster.run("set", "PUBLIC_URL", stdin=SHOP).must_fail("the release does not answer", "make cluster-setup")
    assert ingress(cluster) == before
    assert cluster.environment.settings.current().public_url is None


def test_the_next_deploy_of_the_live_image_applies_another_certificate(secured):
    other = Certificate(ARN, ACM.value.replace("12345678-", "87654321-"))
    certified(secured, other)
    secured.deploy(1).must_succeed()
    assert ingress(secured)[0][f"{ALB}/certificate-arn"] == other.value
    calls = len(secured.world.changes)
    secured.deploy(1).must_succeed()  # nothing is left to change
    assert "kubernetes.apply" not in secured.world.changes[calls:]


def test_a_change_of_another_setting_keeps_the_certificate_and_the_public_url(secured):
    before = secured.environment.settings.certificate()
    secured.run("set", "EMAIL_HOST", stdin="mail.example").must_succeed()
    settings = secured.environment.settings
    assert (settings.certificate(), settings.current().public_url) == (before, SHOP)


def test_a_removed_certificate_leaves_the_rest_of_the_settings(secured):
    before = secured.world.kubernetes.objects[POINTER]["data"]["secret"]
    certified(secured, REMOVED)
    assert secured.environment.settings.certificate() is None
    assert secured.environment.settings.current().public_url == SHOP
    assert secured.world.kubernetes.objects[POINTER]["data"]["secret"] == before


WRONG_NAME = ssl.SSLCertVerificationError("Hostname mismatch")


@pytest.mark.parametrize(
    ("certificate", "cause", "remedy"),
    [
        (LETSENCRYPT, WRONG_NAME, "create the DNS record of other.example for cluster.example.org"),
        (ACM, WRONG_NAME, "name a certificate of other.example: make cluster-setup CERTIFICATE_ARN=...\n"),
        (ACM, OSError("timed out"), "kubectl --namespace book-shop describe ingress"),
        (None, OSError("timed out"), "make cluster-setup CERTIFICATE_ARN=... or CERT_ISSUER=..."),
    ],
)
def test_the_error_names_what_is_missing(cluster, monkeypatch, certificate, cause, remedy):
    if certificate:
        certified(cluster, certificate)
    cluster.deployed(1)
    monkeypatch.setattr(cluster.world.kubernetes, "_certified", lambda host: [])

    def page(url, timeout=10, address=None):
        raise urllib.error.URLError(cause)

    monkeypatch.setattr(http_client, "page", page)
    cluster.run("set", "PUBLIC_URL", stdin="https://other.example").must_fail(
        f"https://other.example at cluster.example.org: {cause}", remedy
    )


# The address.


def cluster_url(url=None):
    return compositions.cluster_environments("the-cluster", REPOSITORY, "ann", url)["prod"].url()


def test_the_address_is_given_or_the_public_url_or_that_of_the_ingress(secured):
    assert cluster_url() == SHOP
    assert cluster_url("http://localhost:8080") == "http://localhost:8080"
    secured.run("unset", "PUBLIC_URL").must_succeed()
    assert cluster_url() == "http://cluster.example.org"


def test_the_status_is_that_of_the_cluster_while_dns_leads_elsewhere(secured):
    (entry,) = json.loads(secured.run("status").out)["environments"]
    assert (entry["healthy"], entry["revision"]) == (True, "a" + "1".zfill(39))


def test_a_given_address_is_requested_where_dns_says(cluster, monkeypatch):
    cluster.deployed(1)
    monkeypatch.setenv("DELIVERY_CLUSTER_URL", "http://elsewhere.example")
    cluster.world.elsewhere.add("elsewhere.example")
    cluster.deploy(2).must_fail("http://elsewhere.example")
    cluster.world.elsewhere.clear()
    cluster.deploy(3).must_succeed()
    assert cluster.environment.live() == image(3)


# What a certificate can be.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (ARN, "x"),
        (ARN, "arn:aws:iam::123456789012:server-certificate/shop"),
        (ARN, ACM.value + "\n"),
        (ARN, ACM.value + ",x"),
        (ARN, ACM.value.replace("123456789012:", "12:")),
        (ISSUER, "Letsencrypt"),
        (ISSUER, "a_b"),
        (ISSUER, "-a"),
        (ISSUER, "a..b"),
        (ISSUER, "letsencrypt\n"),
        (ISSUER, "a" * 254),
        (ISSUER, '"x"'),
    ],
)
def test_an_invalid_certificate_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as raised:
        cluster_certificate.given()
    assert f"invalid {name}" in raised.value.what


def test_one_variable_or_none_is_given(monkeypatch):
    assert cluster_certificate.given() is None
    monkeypatch.setenv(ARN, ACM.value.replace(":aws:", ":aws-cn:"))
    assert cluster_certificate.given().variable == ARN
    monkeypatch.setenv(ISSUER, "")  # an empty value is the same as none
    assert cluster_certificate.given().variable == ARN
    monkeypatch.setenv(ISSUER, "letsencrypt")
    with pytest.raises(UsageError) as raised:
        cluster_certificate.given()
    assert f"{ARN} and {ISSUER} are both set" in raised.value.what


def test_a_port_of_the_public_url_is_that_of_the_load_balancer():
    patch = json.loads(cluster_certificate.patches(ACM, f"{SHOP}:8443")[0]["patch"])
    assert json.loads(patch["metadata"]["annotations"][f"{ALB}/listen-ports"]) == [{"HTTP": 80}, {"HTTPS": 8443}]
    assert patch["metadata"]["annotations"][f"{ALB}/ssl-redirect"] == "8443"


@pytest.mark.parametrize(("certificate", "url"), [(ACM, f"{SHOP}:80"), (LETSENCRYPT, "https://192.0.2.1")])
def test_a_public_url_that_the_certificate_cannot_serve_is_refused_before_anything_changes(cluster, certificate, url):
    certified(cluster, certificate)
    cluster.deployed(1)
    with cluster.unchanged():
        cluster.run("set", "PUBLIC_URL", stdin=url).must_fail(f"'{url}'", "make set-prod SETTING=PUBLIC_URL")
    with pytest.raises(CommandError):
        cluster_certificate.patches(certificate, url)


# What a cluster can use.


CONTEXT = "arn:aws:eks:eu-central-1:123456789012:cluster/the-cluster"


@pytest.fixture
def acm(cloud, monkeypatch):
    """AWS Certificate Manager; a function that requests a certificate and returns its ARN."""
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment)
    from moto.acm.models import acm_backends

    client = cloud.client("acm")

    def request(*names, issued=True):
        made = client.request_certificate(DomainName=names[0], SubjectAlternativeNames=names, ValidationMethod="DNS")
        if issued:  # moto does that a minute later
            acm_backends[fake_aws.ACCOUNT][fake_aws.REGION]._certificates[made["CertificateArn"]].status = "ISSUED"
        return made["CertificateArn"]

    return request


def checked(arn, url=SHOP, context=CONTEXT):
    eks = types.SimpleNamespace(context=context, has_api=lambda group: group == certificate_check.AUTO_MODE)
    certificate_check.check(eks, Certificate(ARN, arn), url)


@pytest.mark.parametrize("names", [["shop.example"], ["www.example", "shop.example"], ["*.example"]])
@pytest.mark.parametrize("url", [SHOP, f"{SHOP}:8443", None, "http://other.example"])
def test_an_issued_certificate_of_the_host_is_accepted(acm, names, url):
    checked(acm(*names), url)


@pytest.mark.parametrize(
    ("names", "url"),
    [
        (["other.example"], SHOP),
        (["*.example"], "https://a.shop.example"),
        (["*.example"], "https://example"),
        (["shop.example"], "https://www.shop.example"),
    ],
)
def test_a_certificate_of_another_host_is_refused(acm, names, url):
    with pytest.raises(CommandError) as raised:
        checked(acm(*names), url)
    assert f"it is for {names[0]}, and PUBLIC_URL is {url}" in raised.value.why


def test_a_certificate_that_is_missing_not_issued_or_in_another_region_is_refused(acm, cloud):
    with pytest.raises(CommandError) as raised:
        checked(ACM.value)
    assert raised.value.why == "there is no such certificate"
    with pytest.raises(CommandError) as raised:
        checked(acm("pending.example", issued=False))
    assert raised.value.why == "its status is PENDING_VALIDATION"
    with pytest.raises(CommandError) as raised:
        checked(acm("shop.example").replace("eu-central-1", "us-east-1"))
    assert "it is in us-east-1" in raised.value.why
    assert raised.value.remedy == "aws acm list-certificates --region eu-central-1"


def test_without_a_right_to_look_at_the_certificate_it_is_accepted_and_that_is_reported(monkeypatch, capsys):
    denial = json.dumps({"__type": "AccessDeniedException", "message": "not authorized"}).encode()
    with contextlib.closing(Server(lambda *request: (400, {}, denial)).start()) as server:
        fake_aws.use_test_credentials(monkeypatch, AWS_ENDPOINT_URL=f"http://{server.address}")
        checked(ACM.value)
    assert "the certificate was not checked: AWS rejected the request" in capsys.readouterr().err
