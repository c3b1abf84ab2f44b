"""Replaces the personal data in a copy of the shop's database (docs/decisions/0088-anonymised-copy.md).

New values depend on the primary key only, so nothing of the old ones remains. Each table takes one or two statements.
"""

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Case, CharField, F, Func, UUIDField, Value, When
from django.db.models.functions import Cast, Concat, TruncMonth
from django.db.models.lookups import Exact

FIRST_NAMES = ["Amal", "Bashar", "Clara", "David", "Eman", "Farid", "Greta", "Hani", "Iris", "Jamal", "Karin"]
LAST_NAMES = ["Abbas", "Baker", "Costa", "Darwish", "Ericson", "Fares", "Gruber", "Haddad", "Ivanov", "Jansen"]
STREETS = ["Cedar Street", "Harbour Road", "Mill Lane", "Olive Street", "Station Road", "Sunset Avenue", "Well Lane"]
CITIES = ["Aqaba", "Bergen", "Cork", "Dresden", "Erfurt", "Fez", "Graz", "Haarlem"]
COUNTRIES = ["Austria", "Germany", "Ireland", "Jordan", "Morocco", "Netherlands", "Norway"]
REVIEWS = [
    "I read it twice.",
    "A good book for a long journey.",
    "The beginning is slow, but the end makes up for it.",
    "Not for me.",
    "I gave it to a friend, who liked it too.",
]


class RandomUUID(Func):
    """A random UUID for each row."""

    function, arity, output_field = "gen_random_uuid", 0, UUIDField()

    def as_sqlite(self, compiler, connection, **context):
        """As on PostgreSQL, whose function SQLite does not have."""
        return self.as_sql(compiler, connection, template="lower(hex(randomblob(16)))", **context)


def _text(expression):
    return Cast(expression, CharField())


def _pick(options: list[str], divisor: int = 1):
    # With different divisors, the choices from two lists are independent.
    chosen = F("pk") / Value(divisor) % Value(len(options))
    return Case(*(When(Exact(chosen, number), then=Value(option)) for number, option in enumerate(options)))


_ADDRESS = Concat(Value("reader"), _text(F("pk")), Value("@example.org"))
_NAME = Concat(_pick(FIRST_NAMES), Value(" "), _pick(LAST_NAMES, len(FIRST_NAMES)))

DELETED = ["admin.LogEntry", "sessions.Session"]

REPLACED = {
    "auth.User": {
        "username": Concat(Value("reader"), _text(F("pk"))),
        "password": Concat(Value("!"), _text(RandomUUID())),  # Django accepts no password for such an account
        "first_name": _pick(FIRST_NAMES),
        "last_name": _pick(LAST_NAMES, len(FIRST_NAMES)),
        "email": _ADDRESS,
        "last_login": Value(None),
        "date_joined": TruncMonth("date_joined"),
    },
    "books.Book": {"reviewer": _NAME},
    "books.Review": {"text": Case(When(text="", then=Value("")), default=_pick(REVIEWS))},
    "orders.Order": {
        "key": RandomUUID(),  # it is in the address of the customer's page
        "name": _NAME,
        "email": _ADDRESS,
        "street": Concat(_pick(STREETS), Value(" "), _text(F("pk") % Value(150) + Value(1))),
        "postcode": _text(F("pk") % Value(90000) + Value(10000)),
        "city": _pick(CITIES),
        "country": _pick(COUNTRIES),
    },
}

# The catalogue is public, and the other columns describe no person.
KEPT = {
    "auth.Group": ["name"],
    "auth.Permission": ["name", "codename"],
    "books.Book": ["isbn", "title", "author", "publisher", "description", "cover", "currency"],
    "books.Category": ["name", "slug"],
    "books.Review": ["written"],
    "contenttypes.ContentType": ["app_label", "model"],
    "orders.Order": ["status", "placed", "payment", "currency"],
    "orders.OrderLine": ["title"],
}
KEPT_COLUMNS = {  # of tables and columns without a model
    "books_book": ["words"],
    "books_word": ["word"],
    "django_migrations": ["id", "app", "name", "applied"],
}

NUMBERS = (models.IntegerField, models.BooleanField, models.DecimalField, models.FloatField, models.ForeignKey)


def unclassified() -> list[str]:
    """Return the columns, as table.column, for which nothing above says whether they are personal.

    They are read from the database, because it may have columns that this build no longer uses.
    """
    models_of = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            model = models_of.get(table)
            if model and model._meta.label in DELETED:
                continue
            known = set(KEPT_COLUMNS.get(table, []))
            for field in model._meta.local_fields if model else []:
                names = [*REPLACED.get(model._meta.label, []), *KEPT.get(model._meta.label, [])]
                if field.name in names or isinstance(field, NUMBERS):
                    known.add(field.column)
            columns = connection.introspection.get_table_description(cursor, table)
            found += [f"{table}.{column.name}" for column in columns if column.name not in known]
    return found


def anonymize() -> dict[str, int]:
    """Replace and delete all personal data, and return the number of rows by model. The database has no other user."""
    rows = {}
    with transaction.atomic():
        for label in DELETED:
            rows[label] = apps.get_model(label).objects.all().delete()[0]
        # A new name may be the present one of another row.
        apps.get_model("auth.User").objects.update(username=_text(RandomUUID()))
        for label, replacements in REPLACED.items():
            rows[label] = apps.get_model(label).objects.order_by().update(**replacements)
    _forget_old_rows()
    return rows


def _forget_old_rows() -> None:
    # The files still contain the old rows, and PostgreSQL's statistics contain samples of their values.
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("VACUUM")
            return
        for label in [*DELETED, *REPLACED]:
            table = connection.ops.quote_name(apps.get_model(label)._meta.db_table)
            cursor.execute(f"VACUUM (FULL, ANALYZE) {table}")
        cursor.execute("VACUUM FULL pg_statistic")
