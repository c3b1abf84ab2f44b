"""Usage: https_accounts.py URL AUTHORITY COUNT PASSWORD NAME NAME. Two readers use the shop at the same time.

They send COUNT interleaved requests together: pages, forms, files, errors and addresses with queries. Fails if a
response to one has something of the other: name, order, session. Prints how often the cache answered. AUTHORITY is a
file with certificates.
"""

import http.cookiejar
import itertools
import re
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter

url, authority, count, password, *names = sys.argv[1:]
BUYER = {"email": "reader@example.com", "street": "1 Rainbow Street", "city": "Amman", "country": "Jordan"}
EACH = int(count) // len(names) // 2  # each reader has two tabs


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Reader:
    """A signed-in reader with a session, a cart and an order."""

    def __init__(self, name, copies):
        """`copies` has the numbers of copies that only this reader has in the cart."""
        self.name, self.copies = name, copies
        self.cookies = http.cookiejar.CookieJar()
        context = ssl.create_default_context(cafile=authority)
        kinds = urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(NoRedirect, *kinds)
        self.opener.addheaders = [("Accept-Encoding", "identity")]
        self.secrets = {name}
        self.token = self.token_of("/account/login/")
        assert self.send("/account/login/", username=name, password=password)[0] == 302
        self.token = self.token_of("/account/password/")
        assert f"signed in as {name}." in self.get("/account/")[1]
        assert self.send("/cart/1/add", copies="1")[2]["Location"] == "/cart"
        self.order = str(uuid.uuid4())
        total = re.search(r'name="total" value="([^"]+)"', self.get("/checkout")[1])[1]
        order = {**BUYER, "name": name, "payment": "invoice", "key": self.order, "total": total}
        status, _, headers = self.send("/checkout", **order)
        assert (status, headers["Location"]) == (302, f"/order/{self.order}/"), status
        self.change_cart(0)
        self.secrets |= {self.order, next(cookie.value for cookie in self.cookies if "sessionid" in cookie.name)}

    def change_cart(self, number):
        assert self.send("/cart/1/change", **self.change(number))[0] == 302

    def change(self, number):
        return {"copies": str(self.copies[number % len(self.copies)])}

    def token_of(self, path):
        return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path)[1])[1]

    def get(self, path, data=None):
        """(status, text, headers) of a response."""
        request = urllib.request.Request(url + path, data, {"Referer": f"{url}/", "Origin": url} if data else {})
        try:
            answer = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.read().decode(errors="replace"), answer.headers

    def send(self, path, **form):
        return self.get(path, urllib.parse.urlencode({"csrfmiddlewaretoken": self.token, **form}).encode())

    def visits(self, other):
        """(path, form or None, expected status, whether the page shows the reader's name), repeatedly."""
        style = re.search(r'href="(/static/[^"]+\.css)"', self.get("/")[1])[1]
        paths = [
            ("/account/", 200, True),
            (style, 200, False),
            ("/", 200, False),
            (f"{style}?user={self.name}", 200, False),
            ("/cart", 200, False),
            ("/book-cover/1.svg", 200, False),
            ("/orders", 200, False),
            (f"/book-cover/2.svg?user={self.name}", 200, False),
            (f"/order/{self.order}/", 200, True),
            (f"/order/{other.order}/", 404, False),
            ("/static/missing.css", 404, False),
            (f"/static/missing.css?user={self.name}", 404, False),
            ("/book-cover/999999.svg", 404, False),
            ("/book-list?sort=newest", 200, False),
            ("/book-list?sort=newest&cache=/static/a.css", 200, False),
            ("/no/such/page", 404, False),
            ("/account/?next=/static/a.css", 200, True),
            ("/account/x.css", 404, False),
            ("/static/../account/", None, None),
            ("/static/..%2faccount/", None, None),
            ("/static/%2e%2e/account/", None, None),
            ("/static//../account/", None, None),
            ("/account/;/static/a.css", 404, False),
            ("/robots.txt", 200, False),
            ("/admin/", 302, False),
            ("/book-detail/1/", 200, False),
        ]
        for number in itertools.count():
            for path, status, has_name in paths:
                yield path, None, status, has_name
            yield "/cart/1/change", self.change(number), 302, False
            yield "/cart/1/change", self.change(number) | {"csrfmiddlewaretoken": "x"}, 403, False


def visit(reader, other, start):
    for path, form, status, has_name in itertools.islice(reader.visits(other), start, start + EACH):
        seen, text, headers = reader.send(path, **form) if form else reader.get(path)
        where = f"{reader.name} {path}: {seen}"
        for secret in other.secrets:
            if secret in path:
                text = text.replace(urllib.parse.quote(path), "").replace(path, "")
            assert secret not in text, f"{where} contains {secret} of {other.name}"
            assert secret not in str(headers), f"{where} contains {secret} of {other.name}"
        assert status in (None, seen), f"{where}, not {status}"
        for copies in re.findall(r"Cart \((\d+)\)", text):
            assert int(copies) in reader.copies, f"{where} shows another cart, with {copies} copies"
            answers["carts"] += 1
        if has_name:
            assert reader.name in text, f"{where} lacks the reader's name"
        is_cached = path.startswith(("/static/", "/book-cover/")) and ".." not in path and "%2e" not in path
        if is_cached:
            assert reader.name not in text, f"{where} contains the reader's name"
            assert not headers["Set-Cookie"], where
            answers[headers["X-Cache"].split()[0] if headers["X-Cache"] else "none"] += 1
        else:
            assert not headers["X-Cache"] or has_name is None, f"{where} is from the cache"
            answers["not cached"] += 1


def tab(*arguments):
    try:
        visit(*arguments)
    except Exception as error:  # the main thread reports it
        failures.append(f"{type(error).__name__}: {error}")


answers, failures = Counter(), []
first, second = Reader(names[0], range(1, 5)), Reader(names[1], range(5, 10))
tabs = [
    threading.Thread(target=tab, args=arguments)
    for arguments in ((first, second, 0), (second, first, 0), (first, second, 13), (second, first, 7))
]
for thread in tabs:
    thread.start()
for thread in tabs:
    thread.join()
assert not failures, failures
assert sum(answers.values()) - answers["carts"] == int(count), answers
assert answers["carts"] > int(count) / 10, answers
assert answers["HIT"] > int(count) / 10, answers
print(*(f"{kind}: {number}" for kind, number in sorted(answers.items())))
