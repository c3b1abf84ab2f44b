"""Connections to registries, with the proxies and certificate authorities that docker and git use.

Proxies: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in upper or lower case (lower case takes precedence).
NO_PROXY is a list of hosts, domains and networks (10.0.0.0/8). Loopback is never reached through a
proxy. Certificate authorities: SSL_CERT_FILE and SSL_CERT_DIR, or those of the system; in addition
GIT_SSL_CAINFO, and the files in /etc/docker/certs.d for a registry.
"""

import http.client
import os
import re
from urllib.parse import unquote, urlsplit

from delivery.cli import UsageError

LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3})(?::[0-9]+)?")
DOCKER = "/etc/docker/certs.d"  # HOST[:PORT]/NAME.crt
# Where distributions keep their bundle. A Python that was not built by the distribution does not look there.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def connect(scheme, host, timeout):
    """A connection to `host[:port]`, which opens with its first request.

    `timeout` is in seconds, to connect and for each read. Through a proxy it is a tunnel (CONNECT, RFC
    9110, 9.3.6). Raises UsageError for an invalid proxy, OSError for an unreadable file of certificates.
    """
    options = {"timeout": timeout} | ({"context": tls_context(host)} if scheme == "https" else {})
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    proxy = proxy_of(scheme, host)
    if not proxy:
        return kind(host, **options)
    tunnel = kind(proxy.hostname, proxy.port or 80, **options)
    target = urlsplit(f"//{host}")
    tunnel.set_tunnel(target.hostname, target.port or tunnel.default_port, authorization(proxy))
    return tunnel


def proxy_of(scheme, host):
    """The address of the proxy for `host[:port]`, as a urlsplit result; None if there is none.

    Raises UsageError if it is not an http:// address.
    """
    variable = f"{scheme}_proxy"
    if LOOPBACK.fullmatch(host) or not (os.environ.get(variable) or os.environ.get(variable.upper())):
        return None
    from urllib.request import getproxies_environment, proxy_bypass_environment  # slow to import and rarely needed

    proxies = getproxies_environment()
    address = proxies.get(scheme, "")
    if not address or proxy_bypass_environment(host, proxies) or in_network(host, proxies.get("no", "")):
        return None
    try:
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        if proxy.scheme == "http" and proxy.hostname and proxy.port != 0:
            return proxy
        why = f"it is {proxy.scheme}://{proxy.hostname or ''}"
    except ValueError as error:  # an invalid port
        why = error
    remedy = f"export {variable.upper()}=http://host:port"
    raise UsageError(f"invalid {variable.upper()}: expected http://[user:password@]host[:port]", why, remedy)


def route(scheme, host):
    """The proxy on the way to a host, for an error message; empty without one."""
    proxy = proxy_of(scheme, host)
    return f" (through the proxy {proxy.hostname}:{proxy.port or 80})" if proxy else ""


def in_network(host, networks):
    """Whether the address in `host[:port]` belongs to one of the networks, a comma-separated list."""
    import ipaddress

    try:
        address = ipaddress.ip_address(urlsplit(f"//{host}").hostname)
    except ValueError:  # a host name
        return False
    for network in networks.split(","):
        try:
            if address in ipaddress.ip_network(network.strip(), strict=False):
                return True
        except ValueError:  # a host name
            continue
    return False


def authorization(proxy):
    """The headers with the user and password of a proxy's address; none for an address without them."""
    import base64

    if proxy.username is None:
        return {}
    credential = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(credential.encode()).decode()}


def tls_context(host):
    """The certificate authorities that are trusted for `host[:port]`, as an ssl.SSLContext."""
    import ssl

    context = ssl.create_default_context()  # it reads SSL_CERT_FILE and SSL_CERT_DIR
    files = [os.environ.get("GIT_SSL_CAINFO", "")]
    if not os.environ.get("SSL_CERT_FILE") and ssl.get_default_verify_paths().cafile not in BUNDLES:
        files += [bundle for bundle in BUNDLES if os.path.exists(bundle)][:1]
    directory = os.path.join(DOCKER, host)
    if os.path.isdir(directory):
        files += [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".crt")]
    for file in filter(None, files):
        context.load_verify_locations(file)
    return context
