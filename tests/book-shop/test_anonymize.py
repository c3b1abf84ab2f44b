"""manage.py anonymize: a copy of the database in which no personal data remains."""

import io
from pathlib import Path

import pytest
from book_shop import anonymization
from books.models import Book, Category, Review
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from orders.models import Order, OrderLine
from shop_fixtures import PASSWORD, using
from shop_program import run

# In each personal value, in capital and small letters.
MARK = "zyxmark"
PERSONAL = {
    "name": f"Lina {MARK.upper()}",
    "email": f"lina@{MARK}.example",
    "street": f"{MARK} Street 7",
    "postcode": MARK,
    "city": f"{MARK}ville",
    "country": f"{MARK}land",
}


def fill():
    """Put personal data into each table that has some."""
    category = Category.objects.create(name="Novels", slug="novels")
    book = Book.objects.create(
        title="Dune", author="Frank Herbert", publishing_year=1965, rating=5, reviewer=f"Sami {MARK}", category=category
    )
    for number in range(30):
        names = {"username": f"{MARK}{number}", "first_name": MARK, "last_name": f"{MARK} Abbas"}
        user = User.objects.create(email=f"{number}@{MARK}.example", password=f"md5$salt$hash{number}of", **names)
        Review.objects.create(book=book, reader=user, rating=number % 6, text=f"I am {MARK}" if number else "")
        order = Order.objects.create(reader=user, payment="invoice", currency="EUR", total=1250, **PERSONAL)
        OrderLine.objects.create(order=order, book=book, title=book.title, price=1250, quantity=1)
    user.groups.add(Group.objects.create(name="editors"))
    kind = ContentType.objects.get_for_model(Order)
    LogEntry.objects.create(
        user=user, content_type=kind, object_id=MARK, object_repr=MARK, change_message=MARK, action_flag=2
    )
    session = SessionStore()
    session["name"] = MARK
    session.create()
    # The name that another account will get.
    User.objects.filter(pk=user.pk).update(username=f"reader{User.objects.first().pk}", last_login=timezone.now())


@pytest.fixture
def copy(migrated_database, django_db_blocker):
    """Return the URL of a copy with personal data on PostgreSQL."""
    with django_db_blocker.unblock(), using(migrated_database):
        fill()
        yield migrated_database


@pytest.fixture
def anonymous(copy):
    done = run("manage.py", "anonymize", DATABASE_URL=copy, DATABASE_IN_USE="0")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def everything() -> str:
    """Return the content of all tables, with the samples in PostgreSQL's statistics."""
    with connection.cursor() as cursor:
        found = []
        for table in [*connection.introspection.table_names(cursor), "pg_stats"]:
            cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t")
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found).lower()


def files() -> list[Path]:
    """Return the files of all tables and indexes."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
        cursor.execute("SELECT pg_relation_filepath(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't')")
        return [path for (name,) in cursor.fetchall() if name and (path := Path(folder, name)).exists()]


def test_no_personal_data_remains_in_any_table_statistic_or_file(copy):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    # Each kind of personal data is found before, so that its absence afterwards means something.
    assert all(value.lower() in everything() for value in [*PERSONAL.values(), f"sami {MARK}", f"i am {MARK}"])
    hashes = list(User.objects.values_list("password", flat=True))
    keys = [str(key) for key in Order.objects.values_list("key", flat=True)]
    sessions = list(Session.objects.values_list("session_key", flat=True))
    assert any(MARK.encode() in path.read_bytes() for path in files())
    done = run("manage.py", "anonymize", DATABASE_URL=copy, DATABASE_IN_USE="0")
    assert (done.returncode, done.stderr) == (0, "")
    remaining = everything()
    assert [value for value in [MARK, *hashes, *keys, *sessions] if value.lower() in remaining] == []
    assert [path for path in files() if MARK.encode() in path.read_bytes()] == []
    assert not Session.objects.exists() and not LogEntry.objects.exists()


def test_copy_is_plausible_and_keeps_the_shop(anonymous):
    users = list(User.objects.order_by("pk"))
    assert [user.username for user in users] == [f"reader{user.pk}" for user in users]
    for user in users:
        user.full_clean()
        assert not user.has_usable_password() and user.last_login is None
    assert len({user.password for user in users}) == len(users)
    for order in Order.objects.all():
        order.full_clean()
        assert order.street and order.email == f"reader{order.pk}@example.org"
    assert len(set(Order.objects.values_list("name", flat=True))) > 10
    assert len(set(Order.objects.values_list("city", flat=True))) > 5
    assert Order.objects.filter(total=1250, payment="invoice", reader__isnull=False).count() == 30
    assert OrderLine.objects.filter(title="Dune").count() == 30
    assert Book.objects.filter(title="Dune", author="Frank Herbert").exists()
    assert [review.text == "" for review in Review.objects.order_by("pk")] == [True] + [False] * 29
    assert Group.objects.get().user_set.count() == 1
    assert "orders.Order: 30 rows replaced" in anonymous and "sessions.Session: 1 rows deleted" in anonymous


def test_nobody_can_sign_in_until_an_administrator_is_invited(anonymous, client):
    assert not client.login(username="reader1", password=PASSWORD)
    out = io.StringIO()
    call_command("invite", "dev@example.org", stdout=out)
    assert client.get(out.getvalue().strip()).status_code == 302


def test_works_on_sqlite(tmp_path):
    url = {"DATABASE_URL": f"sqlite:///{tmp_path}/copy.sqlite3"}
    script = (
        f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import test_anonymize; test_anonymize.fill()"
    )
    for step in (["migrate"], ["shell", "--no-imports", "-c", script]):
        done = run("manage.py", *step, **url)
        assert done.returncode == 0, done.stderr
    assert MARK.encode() in (tmp_path / "copy.sqlite3").read_bytes()
    done = run("manage.py", "anonymize", DATABASE_IN_USE="0", **url)
    assert (done.returncode, done.stderr) == (0, "")
    assert MARK.encode() not in (tmp_path / "copy.sqlite3").read_bytes().lower()


def test_database_in_use_is_refused(copy, monkeypatch):
    before = everything()
    done = run("manage.py", "anonymize", DATABASE_URL=copy)
    assert (done.returncode, done.stdout) == (2, "")
    assert "make load-dev ANONYMOUS=1 <dump" in done.stderr
    for value in ("", "1", "no"):
        monkeypatch.setenv("DATABASE_IN_USE", value)
        with pytest.raises(CommandError, match="the shop may use it"):
            call_command("anonymize")
    assert everything() == before


# Each column has to be classified before a copy can be made again.
@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("ALTER TABLE orders_order ADD phone text", "orders_order.phone"),
        ("ALTER TABLE django_migrations ADD author integer", "django_migrations.author"),
        ("CREATE TABLE newsletter (address text)", "newsletter.address"),
    ],
)
def test_unknown_column_is_refused(db, monkeypatch, change, column):
    monkeypatch.setenv("DATABASE_IN_USE", "0")
    with connection.cursor() as cursor:
        cursor.execute(change)
    fill()
    before = everything()
    with pytest.raises(CommandError, match=f"personal: {column}\\."):
        call_command("anonymize")
    assert everything() == before


def test_every_field_of_every_model_is_classified(db):
    assert anonymization.unclassified() == []


def classified():
    return [
        (table, label, name)
        for table in ("REPLACED", "KEPT")
        for label, names in getattr(anonymization, table).items()
        for name in names
    ]


@pytest.mark.parametrize(("table", "label", "name"), classified())
def test_field_without_classification_is_found(db, monkeypatch, table, label, name):
    others = {label: [other for other in getattr(anonymization, table)[label] if other != name]}
    monkeypatch.setattr(anonymization, table, getattr(anonymization, table) | others)
    model = apps.get_model(label)
    assert anonymization.unclassified() == [f"{model._meta.db_table}.{model._meta.get_field(name).column}"]


def test_classification_names_existing_fields_once():
    found = [(label, name) for _, label, name in classified()]
    assert len(set(found)) == len(found)
    assert [(label, name) for label, name in found if not apps.get_model(label)._meta.get_field(name)] == []
    assert not {label for label, _ in found} & set(anonymization.DELETED)


def test_100_000_orders_take_few_statements(on_postgresql, django_assert_max_num_queries):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_order (key, status, placed, name, email, street, postcode, city, country, payment,"
            " currency, total) SELECT gen_random_uuid(), 'placed', now(), %s, %s, %s, '1', 'A', 'B', 'invoice',"
            " 'EUR', 1 FROM generate_series(1, 100000)",
            [MARK, f"a@{MARK}.example", MARK],
        )
    with django_assert_max_num_queries(30, connection=connection):
        rows = anonymization.anonymize()
    assert rows["orders.Order"] == 100_000
    assert not Order.objects.filter(street__contains=MARK).exists()
    assert Order.objects.values("key").distinct().count() == 100_000
