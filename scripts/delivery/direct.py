"""Requests that go to a given address, whatever DNS says about the host in their URL."""

import http.client
import socket
import ssl
import urllib.request
from urllib.parse import urlsplit


def open_url(url, timeout, address, context=None):
    """As urllib.request.urlopen, but connects to `address`, a name or an IP address, instead of the URL's host.

    Redirects to the same host go there as well. The certificate must be that of the URL's host, and `context` is an
    SSLContext, by default Python's. No proxy is used.
    """
    host = urlsplit(url).hostname

    def dial(connection):
        target = address if connection.host == host else connection.host
        return socket.create_connection((target, connection.port), connection.timeout)

    class Connection(http.client.HTTPConnection):
        def connect(self):
            self.sock = dial(self)

    class TlsConnection(http.client.HTTPSConnection):
        def connect(self):
            self.sock = context.wrap_socket(dial(self), server_hostname=self.host)

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, request):
            return self.do_open(Connection, request)

    class TlsHandler(urllib.request.HTTPSHandler):
        def https_open(self, request):
            return self.do_open(TlsConnection, request, context=context)

    context = context or ssl.create_default_context()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Handler, TlsHandler(context=context))
    return opener.open(url, timeout=timeout)
