"""Concurrent requests to the real program on a real PostgreSQL: no book is sold twice, and no form ordered twice."""

import http.client
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlencode

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from shop_fixtures import PASSWORD, create_database, using
from shop_program import LIMIT, Server

TOKEN = "t" * 32  # the CSRF token of both cookie and form
ADDRESS = {
    "name": "L",
    "email": "l@example.org",
    "street": "S 7",
    "city": "Amman",
    "country": "JO",
    "payment": "invoice",
}


class Answer(NamedTuple):
    """A response."""

    status: int
    location: str | None
    text: str


class Shop:
    """The shop in processes of its own, with 32 threads."""

    def __init__(self, connection, server):
        self.connection, self.server = connection, server

    def stock(self, **titles):
        """Replace all data by these books, {title: copies}. Their primary keys are 1, 2, 3..."""
        self.connection.execute("TRUNCATE books_book, orders_order, auth_user, django_session CASCADE")
        self.connection.cursor().executemany(
            "INSERT INTO books_book (id, title, stock, price, author, publishing_year, rating, reviewer) "
            "VALUES (%s, %s, %s, 1250, 'A', 2001, 3, 'R')",
            [(pk, title, stock) for pk, (title, stock) in enumerate(titles.items(), 1)],
        )

    def session(self, cart=None, reader=None):
        """Return the key of a new session with a cart, {book: copies}, and optionally a signed-in reader."""
        session = SessionStore()
        session["cart"] = cart or {}
        if reader:
            user = User.objects.create(username=reader, password="!")
            session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        return session.session_key

    def send_all(self, requests):
        """Send POST requests, each (session, path, form), at the same time, and return the answers."""
        start = threading.Barrier(len(requests), timeout=LIMIT)

        def send(request):
            session, path, form = request
            headers = {
                "Host": "shop.test",
                "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={TOKEN}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LIMIT)) as connection:
                connection.connect()
                start.wait()
                connection.request("POST", path, urlencode(form | {"csrfmiddlewaretoken": TOKEN}), headers)
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers["Location"], answer.read().decode())

        with ThreadPoolExecutor(len(requests)) as senders:
            return list(senders.map(send, requests))

    def query(self, sql):
        """Return the first row of a query."""
        return self.connection.execute(sql).fetchone()


@pytest.fixture(scope="module")
def shop(project, postgresql, migrated, django_db_blocker):
    url = create_database(postgresql, migrated)
    server = Server(project, "--threads", "16", DATABASE_URL=url)
    with psycopg.connect(url, autocommit=True) as connection, django_db_blocker.unblock(), using(url):
        yield Shop(connection, server)
    server.kill()


def order(session, total="12.50 EUR"):
    return session, "/checkout", ADDRESS | {"key": str(uuid.uuid4()), "total": total}


def statuses(answers):
    return sorted(answer.status for answer in answers)


def test_200_buyers_of_the_last_50_copies_get_50_orders(shop):
    shop.stock(Dune=50)
    answers = shop.send_all([order(shop.session({"1": 1})) for _ in range(200)])
    assert statuses(answers) == [302] * 50 + [409] * 150
    assert all("“Dune” is sold out" in answer.text for answer in answers if answer.status == 409)
    assert shop.query("SELECT stock FROM books_book") == (0,)
    assert shop.query("SELECT count(*), sum(quantity), count(DISTINCT order_id) FROM orders_orderline") == (50, 50, 50)
    assert shop.query("SELECT count(*) FROM orders_order") == (50,)


def test_form_sent_20_times_creates_one_order(shop):
    shop.stock(Dune=1)  # the last copy: a check of the stock before the order would report that it is sold out
    answers = shop.send_all([order(shop.session({"1": 1}))] * 20)
    (key,) = shop.query("SELECT key FROM orders_order")
    assert {(answer.status, answer.location) for answer in answers} == {(302, f"/order/{key}/")}
    assert shop.query("SELECT count(*), sum(quantity) FROM orders_orderline") == (1, 1)
    assert shop.query("SELECT stock FROM books_book") == (0,)


def test_key_used_in_ten_sessions_creates_one_order_that_the_others_cannot_see(shop):
    shop.stock(Dune=9)
    _, path, form = order(None)
    answers = shop.send_all([(shop.session({"1": 1}), path, form) for _ in range(10)])
    assert statuses(answers) == [302] + [404] * 9
    assert shop.query("SELECT stock FROM books_book") == (8,)


def test_carts_in_opposite_order_do_not_deadlock(shop):
    shop.stock(**{f"book{number}": 100 for number in range(10)})
    cart = {str(pk): 1 for pk in range(1, 11)}
    carts = [cart, dict(reversed(cart.items()))] * 20
    assert statuses(shop.send_all([order(shop.session(cart), "125.00 EUR") for cart in carts])) == [302] * 40
    assert shop.query("SELECT min(stock), max(stock) FROM books_book") == (60, 60)


def test_order_cancelled_ten_times_returns_its_books_once(shop):
    shop.stock(Dune=9)
    session = shop.session({"1": 4})
    (answer,) = shop.send_all([order(session, "50.00 EUR")])
    assert shop.query("SELECT stock FROM books_book") == (5,)
    answers = shop.send_all([(session, f"{answer.location}cancel", {})] * 10)
    assert statuses(answers) == [302] * 10
    assert shop.query("SELECT stock FROM books_book") == (9,)
    assert shop.query("SELECT status FROM orders_order") == ("cancelled",)


def test_50_concurrent_reviews_are_all_in_the_average(shop):
    shop.stock(Dune=0)
    ratings = [number % 6 for number in range(50)]
    sessions = [shop.session(reader=f"reader{number}") for number in range(50)]
    reviews = [
        (session, "/book-detail/1/review", {"rating": rating})
        for session, rating in zip(sessions, ratings, strict=True)
    ]
    assert statuses(shop.send_all(reviews)) == [302] * 50
    average, count = shop.query("SELECT readers_rating, review_count FROM books_book")
    assert (float(average), count) == (sum(ratings) / 50, 50)


def test_review_sent_ten_times_is_stored_once(shop):
    shop.stock(Dune=0)
    answers = shop.send_all([(shop.session(reader="lina"), "/book-detail/1/review", {"rating": 4})] * 10)
    assert statuses(answers) == [302] * 10
    assert shop.query("SELECT count(*) FROM books_review") == (1,)
    assert shop.query("SELECT readers_rating, review_count FROM books_book") == (4, 1)


def test_name_registered_four_times_creates_one_account(shop):
    shop.stock()
    form = {"username": "lina", "password1": PASSWORD, "password2": PASSWORD}
    answers = shop.send_all([("", "/account/register/", form)] * 4)
    assert statuses(answers) == [200] * 3 + [302]
    assert all("A user with that username already exists." in answer.text for answer in answers if answer.status == 200)
    assert shop.query("SELECT count(*) FROM auth_user") == (1,)
