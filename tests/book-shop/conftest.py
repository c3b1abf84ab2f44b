"""What the shop's tests share lies in shop_fixtures.py: the tests in a browser use it too."""

from shop_fixtures import (  # noqa: F401
    database,
    make_books,
    migrated,
    on_postgresql,
    postgresql,
    project,
    serve,
    shop_database,
    static_files,
)
