"""Full-text search on PostgreSQL: an index of the words, and the words themselves, for who mistypes one.

Triggers keep the words, so that whatever writes a book does: the release before this one, the import, the
administration. A word stays when its last book goes; it then leads to nothing found, as the typing error did.

Each step can be run again over what a broken-off run left. Backwards nothing is done: older code works beside it.
"""

from django.db import migrations

from books.operations import OnPostgreSQL

# As books.search.TEXT has it; another expression would not use the index.
TEXT = "to_tsvector('simple'::regconfig, COALESCE(title, '') || ' ' || COALESCE(author, ''))"

# An index without fastupdate has no list of pending words, which each search would have to read to its end.
# Words are added in their order: of two who add the same ones, one then waits for the other, and never both.
STEPS = [
    # Trusted: the owner of a database may create it.
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "DROP INDEX CONCURRENTLY IF EXISTS book_text",
    f"CREATE INDEX CONCURRENTLY book_text ON books_book USING gin ({TEXT}) WITH (fastupdate = off)",
    "CREATE TABLE IF NOT EXISTS books_word (word text PRIMARY KEY)",
    "DROP INDEX CONCURRENTLY IF EXISTS book_word_trigrams",
    "CREATE INDEX CONCURRENTLY book_word_trigrams ON books_word USING gin (word gin_trgm_ops) WITH (fastupdate = off)",
    f"""
    CREATE OR REPLACE FUNCTION books_words_of_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO books_word SELECT DISTINCT unnest(tsvector_to_array({TEXT})) AS word FROM added ORDER BY word
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - a constant
    f"""
    CREATE OR REPLACE FUNCTION books_words_of_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO books_word
        SELECT word FROM (SELECT NEW.title, NEW.author) AS book, unnest(tsvector_to_array({TEXT})) AS word ORDER BY word
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - a constant
    """
    CREATE OR REPLACE TRIGGER books_words_of_added AFTER INSERT ON books_book
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION books_words_of_added()
    """,
    """
    CREATE OR REPLACE TRIGGER books_words_of_changed AFTER UPDATE OF title, author ON books_book FOR EACH ROW
    WHEN ((OLD.title, OLD.author) IS DISTINCT FROM (NEW.title, NEW.author)) EXECUTE FUNCTION books_words_of_changed()
    """,
    # The books that were there before the triggers.
    f"""
    INSERT INTO books_word SELECT DISTINCT unnest(tsvector_to_array({TEXT})) AS word FROM books_book ORDER BY word
    ON CONFLICT DO NOTHING
    """,  # noqa: S608 - a constant
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("books", "0003_indexes")]

    # A list each: a text would be split at the semicolons within the functions.
    operations = [OnPostgreSQL([step], migrations.RunSQL.noop) for step in STEPS]
