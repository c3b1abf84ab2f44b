"""Usage: https_sign_ins.py URL ADDRESS:PORT FIRST LAST COUNT NAME PASSWORD <AUTHORITY. Runs in a container.

Sends COUNT sign-in forms of the URL to ADDRESS:PORT, each with other forged headers, and prints the status of each.
They come in turn from the addresses that end with FIRST to LAST in the container's network. AUTHORITY has certificates
in PEM.
"""

import ipaddress
import re
import ssl
import subprocess
import sys
import urllib.parse
from http.client import HTTPConnection
from http.cookies import SimpleCookie

url, machine, first, last, count, name, password = sys.argv[1:]
authority = sys.stdin.read()
scheme, host = url.split("://")
address, port = machine.split(":")


def added_addresses():
    """The addresses, which this adds to the container."""
    command = ["ip", "-4", "-o", "address", "show", "dev", "eth0"]
    network = ipaddress.ip_interface(subprocess.check_output(command, text=True).split()[3]).network
    found = [str(network.network_address + number) for number in range(int(first), int(last) + 1)]
    for each in found:
        subprocess.run(["ip", "address", "add", f"{each}/{network.prefixlen}", "dev", "eth0"], check=True)
    return found


def request(source, method, path, body=None, headers=None):
    connection = HTTPConnection(address, int(port), timeout=30, source_address=(source, 0))
    connection.connect()
    if scheme == "https":
        context = ssl.create_default_context(cadata=authority)
        connection.sock = context.wrap_socket(connection.sock, server_hostname="127.0.0.1")
    connection.request(method, path, body, {"Host": host, **(headers or {})})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def forged(number):
    """Headers that name another client, and claim that a proxy has set them."""
    other = f"203.0.113.{number}"
    secrets = ["", "1", "0" * 32, "0" * 64, "true", "a" * 64 + "," + "b" * 64, "*", "~.*"]
    return {
        "X-Forwarded-For": other if number % 2 else f"{other}, {other}",
        "X-Forwarded-Proto": "https" if number % 2 else "http",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": f"for={other};proto=https;host=evil.example",
        "X-Real-IP": other,
        "True-Client-IP": other,
        "CloudFront-Viewer-Address": f"{other}:1",
        "X-Proxy-Secret": secrets[number % len(secrets)],
        "X_Proxy_Secret": secrets[number % len(secrets)],
    }


path = "/account/login/"
sources = added_addresses()
for number in range(int(count)):
    source = sources[number % len(sources)]
    answer, page = request(source, "GET", path, headers=forged(number))
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    cookies = SimpleCookie()
    for value in answer.headers.get_all("Set-Cookie") or []:
        cookies.load(value)
    form = {"csrfmiddlewaretoken": token[1] if token else "", "username": name, "password": password}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{cookie.key}={cookie.value}" for cookie in cookies.values()),
        "Origin": url,
        "Referer": f"{url}{path}",
    }
    answer, text = request(source, "POST", path, urllib.parse.urlencode(form), headers | forged(number))
    seen = f"{text} {answer.headers}"
    assert "evil.example" not in seen, seen
    print(answer.status)
