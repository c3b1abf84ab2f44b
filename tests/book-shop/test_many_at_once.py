"""Many at once, on a real PostgreSQL and the real program: nothing is sold twice, nothing is ordered twice."""

import http.client
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlencode

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from shop_program import LIMIT, Server

TOKEN = "t" * 32  # of the forms: the same in the cookie and in the form
ADDRESS = {
    "name": "L",
    "email": "l@example.org",
    "street": "S 7",
    "city": "Amman",
    "country": "JO",
    "payment": "invoice",
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    location: str | None
    text: str


class Shop:
    """The shop in processes of its own, with 32 threads that serve."""

    def __init__(self, project, database):
        self.connection = psycopg.connect(database, autocommit=True)
        self.server = Server(project, "--threads", "16", DATABASE_URL=database)

    def close(self):
        """End it."""
        self.server.kill()
        self.connection.close()

    def stock(self, **titles):
        """Have these books, so many copies of each, and nothing else; their keys are 1, 2, 3..."""
        self.connection.execute("TRUNCATE books_book, orders_order, auth_user, django_session CASCADE")
        self.connection.cursor().executemany(
            "INSERT INTO books_book (id, title, stock, price, author, publishing_year, rating, reviewer) "
            "VALUES (%s, %s, %s, 1250, 'A', 2001, 3, 'R')",
            [(pk, title, stock) for pk, (title, stock) in enumerate(titles.items(), 1)],
        )

    def session(self, cart=None, reader=None):
        """Return the key of a new session with a cart, {book: copies}, and perhaps a reader who is signed in."""
        values = {"cart": cart or {}}
        if reader:
            user = User(username=reader, password="!", date_joined=timezone.now())
            columns = {field.column: getattr(user, field.attname) for field in User._meta.fields if field.name != "id"}
            insert = (
                f"INSERT INTO auth_user ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id"
            )
            (user.pk,) = self.connection.execute(insert, list(columns.values())).fetchone()
            backend, proof = settings.AUTHENTICATION_BACKENDS[0], user.get_session_auth_hash()
            values |= {SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: backend, HASH_SESSION_KEY: proof}
        key, data = uuid.uuid4().hex, SessionStore().encode(values)
        self.connection.execute("INSERT INTO django_session VALUES (%s, %s, now() + interval '1 day')", [key, data])
        return key

    def at_once(self, requests):
        """Send POSTs, (session, path, form) each, all at the same time, and return their answers."""
        start = threading.Barrier(len(requests), timeout=LIMIT)

        def send(request):
            session, path, form = request
            headers = {
                "Host": "shop.test",
                "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={TOKEN}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LIMIT)
            connection.connect()
            start.wait()
            try:
                connection.request("POST", path, urlencode(form | {"csrfmiddlewaretoken": TOKEN}), headers)
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers["Location"], answer.read().decode())
            finally:
                connection.close()

        with ThreadPoolExecutor(len(requests)) as senders:
            return list(senders.map(send, requests))

    def ask(self, question):
        """Return the one row that answers a question in SQL."""
        return self.connection.execute(question).fetchone()


@pytest.fixture(scope="module")
def shop(project, shop_database):
    shop = Shop(project, shop_database)
    yield shop
    shop.close()


def order(session, total="12.50 EUR"):
    return session, "/checkout", ADDRESS | {"key": str(uuid.uuid4()), "total": total}


def statuses(answers):
    return sorted(answer.status for answer in answers)


def test_two_hundred_buyers_of_the_last_fifty_copies(shop):
    shop.stock(Dune=50)
    answers = shop.at_once([order(shop.session({"1": 1})) for _ in range(200)])
    assert statuses(answers) == [302] * 50 + [409] * 150
    assert all("“Dune” is sold out" in answer.text for answer in answers if answer.status == 409)
    assert shop.ask("SELECT stock FROM books_book") == (0,)
    assert shop.ask("SELECT count(*), sum(quantity), count(DISTINCT order_id) FROM orders_orderline") == (50, 50, 50)
    assert shop.ask("SELECT count(*) FROM orders_order") == (50,)


def test_one_form_sent_twenty_times_makes_one_order_and_all_lead_to_it(shop):
    shop.stock(
        Dune=1
    )  # the last copy: whoever came late and looked at the stock first would be told that it is sold out
    answers = shop.at_once([order(shop.session({"1": 1}))] * 20)
    (key,) = shop.ask("SELECT key FROM orders_order")
    assert {(answer.status, answer.location) for answer in answers} == {(302, f"/order/{key}/")}
    assert shop.ask("SELECT count(*), sum(quantity) FROM orders_orderline") == (1, 1)
    assert shop.ask("SELECT stock FROM books_book") == (0,)


def test_one_key_in_ten_hands_makes_one_order_and_the_others_are_shown_nothing(shop):
    shop.stock(Dune=9)
    _, path, form = order(None)
    answers = shop.at_once([(shop.session({"1": 1}), path, form) for _ in range(10)])
    assert statuses(answers) == [302] + [404] * 9
    assert shop.ask("SELECT stock FROM books_book") == (8,)


def test_buyers_with_crossing_carts_do_not_wait_in_a_circle(shop):
    titles = {f"book{number}": 100 for number in range(10)}
    shop.stock(**titles)
    one_way = {str(pk): 1 for pk in range(1, 11)}
    other_way = dict(reversed(one_way.items()))
    answers = shop.at_once([order(shop.session(cart), "125.00 EUR") for cart in [one_way, other_way] * 20])
    assert statuses(answers) == [302] * 40
    assert shop.ask("SELECT min(stock), max(stock) FROM books_book") == (60, 60)


def test_an_order_cancelled_ten_times_gives_its_books_back_once(shop):
    shop.stock(Dune=9)
    session = shop.session({"1": 4})
    (answer,) = shop.at_once([order(session, "50.00 EUR")])
    assert shop.ask("SELECT stock FROM books_book") == (5,)
    answers = shop.at_once([(session, f"{answer.location}cancel", {})] * 10)
    assert statuses(answers) == [302] * 10
    assert shop.ask("SELECT stock FROM books_book") == (9,)
    assert shop.ask("SELECT status FROM orders_order") == ("cancelled",)


def test_fifty_reviews_at_once_leave_a_right_average(shop):
    shop.stock(Dune=0)
    ratings = [number % 6 for number in range(50)]
    sessions = [shop.session(reader=f"reader{number}") for number in range(50)]
    forms = [
        (session, "/book-detail/1/review", {"rating": rating})
        for session, rating in zip(sessions, ratings, strict=True)
    ]
    assert statuses(shop.at_once(forms)) == [302] * 50
    average, count = shop.ask("SELECT readers_rating, review_count FROM books_book")
    assert (float(average), count) == (sum(ratings) / 50, 50)


def test_a_review_sent_ten_times_is_one(shop):
    shop.stock(Dune=0)
    answers = shop.at_once([(shop.session(reader="lina"), "/book-detail/1/review", {"rating": 4})] * 10)
    assert statuses(answers) == [302] * 10
    assert shop.ask("SELECT count(*) FROM books_review") == (1,)
    assert shop.ask("SELECT readers_rating, review_count FROM books_book") == (4, 1)


def test_a_name_registered_four_times_belongs_to_one_and_the_others_are_told(shop):
    shop.stock()
    form = {"username": "lina", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    answers = shop.at_once([("", "/account/register/", form)] * 4)
    assert statuses(answers) == [200] * 3 + [302]
    assert all("A user with that username already exists." in answer.text for answer in answers if answer.status == 200)
    assert shop.ask("SELECT count(*) FROM auth_user") == (1,)
