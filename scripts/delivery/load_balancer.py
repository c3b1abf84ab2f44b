"""The way into a cluster: its Ingress, the public URL, and the requests of a deploy.

These requests go to the address of the Ingress, also if DNS does not name it for the public URL yet, as before prod
moves to the cluster. DELIVERY_CLUSTER_URL replaces both: requests then go where DNS says.
"""

import http.client
import ssl

from delivery import cluster_certificate, http_client, public_url
from delivery.application import NAME
from delivery.cluster_certificate import ISSUER

INGRESS, LOGS = f"kubectl --namespace {NAME} describe ingress", "make logs-prod"


class LoadBalancer:
    """An Entry (environments/base.py). `settings` are the ClusterSettings, `url` is DELIVERY_CLUSTER_URL or empty."""

    def __init__(self, kubernetes, settings, url=""):
        self.kubernetes, self.settings, self.given = kubernetes, settings, url
        self.web = self

    def url(self, settings=None):
        """As Entry.url."""
        if self.given or (public := self._public_url(settings)):
            return self.given or public
        address = self._address()
        return f"http://{address}" if address else ""

    def patches(self, settings):
        """As Entry.patches."""
        return cluster_certificate.patches(self.settings.certificate(), self._public_url(settings))

    def is_patched(self, settings):
        """As Entry.is_patched."""
        ingress, patches = self._ingress(), self.patches(settings)
        return ingress is None or cluster_certificate.mark_of(ingress) == cluster_certificate.mark(patches)

    def version(self, url):
        """As http_client.version."""
        address = self._route()
        return {} if address == "" else http_client.version(url, address)

    def answers(self, url, revision):
        """As http_client.answers."""
        return self.version(url).get("revision") == revision

    def is_ready(self, url):
        """As http_client.is_ready."""
        address = self._route()
        return address != "" and http_client.is_ready(url, address)

    def page(self, url, timeout=10):
        """As http_client.page."""
        address = self._route()
        if address == "":
            raise OSError("the Ingress has no address")
        return http_client.page(url, timeout, address)

    def failure(self, url, revision):
        """As Entry.failure."""
        address = self._route()
        if not url or address == "":
            return "the Ingress has no address", INGRESS
        way = f" at {address}" if address and public_url.host(url) != address else ""
        try:
            self.page(f"{url}/version")
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            is_public = address and public_url.is_https(url)
            return f"{url}{way}: {cause}", self._missing(public_url.host(url), address, cause) if is_public else LOGS
        return f"{url}{way} did not answer with {revision}", LOGS

    def _missing(self, host, address, cause):
        """What to do so that the load balancer serves a host over HTTPS."""
        certificate = self.settings.certificate()
        if certificate and certificate.variable == ISSUER:
            ready = f"wait until the certificate is ready: kubectl --namespace {NAME} describe certificate"
            return f"create the DNS record of {host} for {address}, and {ready}"
        if certificate and not isinstance(cause, ssl.SSLError):
            return INGRESS
        command = "make cluster-setup CERTIFICATE_ARN=..."
        return f"name a certificate of {host}: {command}{'' if certificate else ' or CERT_ISSUER=...'}"

    def _route(self):
        """The address for requests: None is that of DNS, "" is none."""
        return None if self.given else self._address()

    def _public_url(self, settings):
        """PUBLIC_URL in a Snapshot or, without one, the stored PUBLIC_URL; None if there is none."""
        return (settings or self.settings.current()).public_url

    def _ingress(self):
        return self.kubernetes.get("ingress", NAME)

    def _address(self):
        """The name or the IP address of the load balancer; empty while there is none."""
        points = (self._ingress() or {}).get("status", {}).get("loadBalancer", {}).get("ingress", [])
        return (points[0].get("hostname") or points[0].get("ip") or "") if points else ""
