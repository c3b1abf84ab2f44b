"""Usage: sign_in.py NAME=PORT... prints {NAME: {"cookie": ..., "token": ...}}: sessions of k6 in Django's admin."""

import json
import os
import re
import sys
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar


def sign_in(port):
    """The Cookie header and the form token of a session at that port."""
    jar = CookieJar()
    client = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    token = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
    login = f"http://localhost:{port}/admin/login/?next=/admin/books/book/add/"
    form = {
        "csrfmiddlewaretoken": token.search(client.open(login).read().decode())[1],
        "username": "k6",
        "password": os.environ["PASSWORD"],
    }
    page = client.open(login, urllib.parse.urlencode(form).encode()).read().decode()
    return {"cookie": "; ".join(f"{c.name}={c.value}" for c in jar), "token": token.search(page)[1]}


print(json.dumps({name: sign_in(port) for name, port in (word.split("=") for word in sys.argv[1:])}))
