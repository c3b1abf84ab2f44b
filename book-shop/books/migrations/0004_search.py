"""Full-text search on PostgreSQL: the indexed words of each book, and a list of all words to correct typing errors.

Triggers maintain the list, because the previous release also writes books. A word remains in the list after its last
book is deleted: a search corrected to it finds nothing.

Each step can be repeated after an interrupted migration. The reverse migration does nothing, because older code works
with the new schema.
"""

from django.db import migrations

from books.operations import OnPostgreSQL

STEPS = [
    # A trusted extension, which the owner of a database may create.
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # This rewrites the table under an exclusive lock. Catalogues are still small, because the same release introduces
    # import_books.
    # The column makes it cheap to rank the many matches of a frequent word. Words of the title (A) rank higher than
    # words of the author (B). The configuration is 'simple' because the books are in many languages.
    """
    ALTER TABLE books_book ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple'::regconfig, title), 'A')
        || setweight(to_tsvector('simple'::regconfig, author), 'B')
    ) STORED
    """,
    # With fastupdate, each search would also read the list of pending entries.
    "DROP INDEX CONCURRENTLY IF EXISTS book_words",
    "CREATE INDEX CONCURRENTLY book_words ON books_book USING gin (words) WITH (fastupdate = off)",
    "CREATE TABLE IF NOT EXISTS books_word (word text PRIMARY KEY)",
    "DROP INDEX CONCURRENTLY IF EXISTS book_word_trigrams",
    "CREATE INDEX CONCURRENTLY book_word_trigrams ON books_word USING gin (word gin_trgm_ops) WITH (fastupdate = off)",
    # The fixed order of the words prevents a deadlock between two transactions that add the same ones.
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
    # Add the words of existing books.
    """
    INSERT INTO books_word SELECT DISTINCT unnest(tsvector_to_array(words)) AS word FROM books_book ORDER BY word
    ON CONFLICT DO NOTHING
    """,
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("books", "0003_indexes")]

    # Lists, because Django splits a string at the semicolons, also inside functions.
    operations = [OnPostgreSQL([step], migrations.RunSQL.noop) for step in STEPS]
