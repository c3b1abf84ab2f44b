"""Full-text search on PostgreSQL: the words of each book, an index of them, and a list of all, for who mistypes one.

Triggers keep the list, so that whatever writes a book does: the release before this one, the import, the
administration. A word stays when its last book goes; it then leads to nothing found, as the typing error did.

Each step can be run again over what a broken-off run left. Backwards nothing is done: older code works beside it.
"""

from django.db import migrations

from books.operations import OnPostgreSQL

STEPS = [
    # Trusted: the owner of a database may create it.
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # This writes the table anew while nobody reads it: a blink, because the release that has import_books begins here.
    # Kept in the row, and not only in the index, so that the many matches of a frequent word are compared cheaply.
    # A word of the title (A) counts for more than one of the author (B). No language's grammar: there are many.
    """
    ALTER TABLE books_book ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple'::regconfig, title), 'A')
        || setweight(to_tsvector('simple'::regconfig, author), 'B')
    ) STORED
    """,
    # An index without fastupdate has no list of pending words, which each search would have to read to its end.
    "DROP INDEX CONCURRENTLY IF EXISTS book_words",
    "CREATE INDEX CONCURRENTLY book_words ON books_book USING gin (words) WITH (fastupdate = off)",
    "CREATE TABLE IF NOT EXISTS books_word (word text PRIMARY KEY)",
    "DROP INDEX CONCURRENTLY IF EXISTS book_word_trigrams",
    "CREATE INDEX CONCURRENTLY book_word_trigrams ON books_word USING gin (word gin_trgm_ops) WITH (fastupdate = off)",
    # Words are added in their order: of two who add the same ones, one then waits for the other, and never both.
    """
    CREATE OR REPLACE FUNCTION books_words_of_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO books_word SELECT DISTINCT unnest(tsvector_to_array(words)) AS word FROM added ORDER BY word
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION books_words_of_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO books_word SELECT unnest(tsvector_to_array(NEW.words)) AS word ORDER BY word
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE TRIGGER books_words_of_added AFTER INSERT ON books_book
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION books_words_of_added()
    """,
    """
    CREATE OR REPLACE TRIGGER books_words_of_changed AFTER UPDATE OF title, author ON books_book FOR EACH ROW
    WHEN (OLD.words IS DISTINCT FROM NEW.words) EXECUTE FUNCTION books_words_of_changed()
    """,
    # The books that were there before the triggers.
    """
    INSERT INTO books_word SELECT DISTINCT unnest(tsvector_to_array(words)) AS word FROM books_book ORDER BY word
    ON CONFLICT DO NOTHING
    """,
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("books", "0003_indexes")]

    # A list each: a text would be split at the semicolons within the functions.
    operations = [OnPostgreSQL([step], migrations.RunSQL.noop) for step in STEPS]
