"""Checks, when a cluster is set up, that its load balancer can use a certificate."""

from delivery import aws, cluster_access, public_url
from delivery.cli import CommandError, log
from delivery.cluster_certificate import ACM, ARN, CERT_MANAGER, ISSUER, check_url, list_issuers

AUTO_MODE, CONTROLLER = "eks.amazonaws.com", "elbv2.k8s.aws"  # API groups
INSTALL = "install it (https://cert-manager.io/docs/installation/) and create a ClusterIssuer"


def check(cluster, certificate, url):
    """Raises CommandError unless the load balancer of a Cluster can use the Certificate, and for the URL, if known."""
    if public_url.is_https(url):
        check_url(certificate, url)  # afterwards, no deploy and no change of a setting would work
    if certificate.variable == ISSUER:
        check_issuer(cluster, certificate)
        return
    if not (cluster.has_api(AUTO_MODE) or cluster.has_api(CONTROLLER)):
        refuse(certificate, "only load balancers of AWS have certificates of AWS Certificate Manager", f"set {ISSUER}")
    region = ACM.fullmatch(certificate.value)["region"]
    if cluster_access.is_eks(cluster.context):
        own = cluster_access.ARN.fullmatch(cluster.context)["region"]
        if region != own:
            why = f"it is in {region}, but a load balancer needs one in the cluster's region"
            refuse(certificate, why, f"aws acm list-certificates --region {own}")
    try:
        found = aws.Client("acm", region).ask("describe_certificate", CertificateArn=certificate.value)["Certificate"]
    except CommandError as error:
        if isinstance(error, aws.Refused) and error.code == "ResourceNotFoundException":
            refuse(certificate, "there is no such certificate", f"aws acm list-certificates --region {region}")
        log(f"the certificate was not checked: {error.what}: {error.why}")  # the cluster may be another account's
        return
    show = f"aws acm describe-certificate --region {region} --certificate-arn {certificate.value}"
    if found["Status"] != "ISSUED":
        refuse(certificate, f"its status is {found['Status']}", show)
    host = public_url.host(url) if public_url.is_https(url) else None
    names = found.get("SubjectAlternativeNames", [found["DomainName"]])
    if host and not any(covers(name, host) for name in names):
        refuse(certificate, f"it is for {', '.join(names)}, and {public_url.SETTING} is {url}", show)


def check_issuer(cluster, certificate):
    """Raises CommandError unless cert-manager can request certificates from the ClusterIssuer."""
    if cluster.has_api(AUTO_MODE):
        refuse(certificate, "load balancers of EKS have certificates of AWS Certificate Manager", f"set {ARN}")
    if not cluster.has_api(CERT_MANAGER):
        refuse(certificate, "it has no cert-manager", INSTALL)
    if not cluster.kubectl("get", "clusterissuers", certificate.value, "--ignore-not-found", "--output=name"):
        refuse(certificate, "it has no ClusterIssuer of this name", list_issuers())


def covers(name, host):
    """Whether a certificate for a name, possibly *.domain, is valid for a host (RFC 6125, 6.4.3)."""
    return name.lower() == host or (name.startswith("*.") and host.partition(".")[2] == name[2:].lower())


def refuse(certificate, why, remedy):
    """Raises the CommandError."""
    raise CommandError(f"this cluster cannot use {certificate}", why, remedy)
