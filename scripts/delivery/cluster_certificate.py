"""The certificate of a cluster's load balancer, and the patches that give it to the Ingress of a release.

It is used while PUBLIC_URL is https:// (docs/decisions/0095-https-on-a-cluster.md). Its name is stored in the ConfigMap
of the settings, which deployers may read.
"""

import hashlib
import json
import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from delivery import public_url
from delivery.application import NAME
from delivery.cli import CommandError, UsageError

ARN, ISSUER = "DELIVERY_CERTIFICATE_ARN", "DELIVERY_CERT_ISSUER"
KEYS = {ARN: "certificate_arn", ISSUER: "certificate_issuer"}  # in the ConfigMap
NOTHING = "none"  # a value of ARN that removes the stored certificate; no ARN and no issuer of a cluster can be it
ACM = re.compile(
    r"arn:aws[a-z-]*:acm:(?P<region>[a-z]{2}(?:-[a-z]+)+-[1-9]):[0-9]{12}:certificate/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
OBJECT = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")  # a name in Kubernetes
EXAMPLES = {
    ARN: "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
    ISSUER: "letsencrypt",
}
MARK = f"{NAME}/https"  # the annotation of an Ingress with the version of its patches
ALB, CERT_MANAGER = "alb.ingress.kubernetes.io", "cert-manager.io"  # prefixes of annotations; also an API group
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"  # TLS 1.2 and 1.3. The load balancer's default accepts TLS 1.0
HTTP_PORT, HTTPS_PORT = 80, 443
CHANGE_URL = f"make set-prod SETTING={public_url.SETTING} PROD=cluster"
SECRET = f"{NAME}-tls"  # where cert-manager stores the certificate and its key


class Certificate(NamedTuple):
    """Its variable, ARN or ISSUER, and the value of that."""

    variable: str
    value: str

    def __str__(self):
        return "none" if self == REMOVED else f"{self.variable}={self.value}"


REMOVED = Certificate(ARN, NOTHING)


def given():
    """The Certificate in the environment, which may be REMOVED; None if no variable is set. Raises UsageError."""
    found = [Certificate(name, os.environ[name]) for name in KEYS if os.environ.get(name)]
    if len(found) > 1:
        raise UsageError(f"{ARN} and {ISSUER} are both set", "a load balancer has one certificate", f"unset {ISSUER}")
    for certificate in found:
        check(certificate)
    return found[0] if found else None


def check(certificate):
    """Raises UsageError unless the value has the form that its variable must have."""
    name, value = certificate
    if certificate == REMOVED:
        return
    if name == ARN and not ACM.fullmatch(value):
        why = f"expected the ARN of a certificate in AWS Certificate Manager, or {NOTHING}"
        raise UsageError(f"invalid {name} {value[:200]!r}", why, f"export {name}={EXAMPLES[name]}")
    if name == ISSUER and not (OBJECT.fullmatch(value) and len(value) <= 253):
        raise UsageError(f"invalid {name} {value[:200]!r}", "expected the name of a ClusterIssuer", list_issuers())


def list_issuers():
    """The command that lists what can be an issuer."""
    return "kubectl get clusterissuers"


def data_of(certificate):
    """The data in the ConfigMap about a Certificate or None."""
    return {} if certificate in (None, REMOVED) else {KEYS[certificate.variable]: certificate.value}


def stored(data):
    """The Certificate in the data of the ConfigMap; None if there is none."""
    return next((Certificate(name, data[key]) for name, key in KEYS.items() if data.get(key)), None)


def patches(certificate, url):
    """What kustomize patches in an Ingress that serves the public URL: none unless it is https:// with a certificate.

    Raises CommandError if the certificate cannot serve this URL.
    """
    if not (certificate and public_url.is_https(url)):
        return []
    check_url(certificate, url)
    spec, more, host = {}, [], public_url.host(url)
    if certificate.variable == ARN:
        port = urlsplit(url).port or HTTPS_PORT
        annotations = {
            f"{ALB}/certificate-arn": certificate.value,
            f"{ALB}/listen-ports": json.dumps([{"HTTP": HTTP_PORT}, {"HTTPS": port}]),
            f"{ALB}/ssl-redirect": str(port),
            f"{ALB}/ssl-policy": TLS_POLICY,
        }
    else:
        annotations = {f"{CERT_MANAGER}/cluster-issuer": certificate.value}
        spec = {"spec": {"tls": [{"hosts": [host], "secretName": SECRET}]}}
        # Controllers use a certificate only for a rule with its host. The rule without a host stays for other names.
        more = [
            {"op": "copy", "from": "/spec/rules/0", "path": "/spec/rules/0"},
            {"op": "add", "path": "/spec/rules/0/host", "value": host},
        ]
    content = json.dumps([annotations, spec, more])
    annotations[MARK] = hashlib.sha256(content.encode()).hexdigest()[:10]
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
    merged = kind | {"metadata": {"name": NAME, "annotations": annotations}} | spec
    target = {"kind": "Ingress", "name": NAME}
    return [{"target": target, "patch": json.dumps(patch)} for patch in (merged, more) if patch]


def check_url(certificate, url):
    """Raises CommandError for an https URL that the load balancer cannot serve with any certificate of this kind."""
    if certificate.variable == ARN and urlsplit(url).port == HTTP_PORT:
        why = f"it redirects port {HTTP_PORT} to HTTPS"
        raise CommandError(f"the load balancer cannot serve '{url}'", why, CHANGE_URL)
    if certificate.variable == ISSUER and public_url.host(url).replace(".", "").isdigit():
        why = "cert-manager needs a host name, not an address"  # and no rule of an Ingress can have one
        raise CommandError(f"no certificate for '{url}'", why, CHANGE_URL)


def mark(wanted):
    """The annotation MARK in patches; None without patches."""
    return json.loads(wanted[0]["patch"])["metadata"]["annotations"][MARK] if wanted else None


def mark_of(ingress):
    """The annotation MARK of an Ingress."""
    return ingress["metadata"].get("annotations", {}).get(MARK)
