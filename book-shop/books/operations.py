"""Operations of migrations that PostgreSQL needs and SQLite has no use for, or no words for."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import RunSQL
from django.db.migrations.operations import AddIndex


class AddIndexBesideSales(AddIndexConcurrently):
    """Adds an index while the table is read and written; for a migration that is not atomic.

    What a broken-off run left under that name is an index that PostgreSQL does not use: it goes first.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        """Create it, concurrently where the database can."""
        if schema_editor.connection.vendor != "postgresql":
            return AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
        name = schema_editor.quote_name(self.index.name)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        return super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """Remove it, concurrently where the database can."""
        if schema_editor.connection.vendor != "postgresql":
            return AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
        return super().database_backwards(app_label, schema_editor, from_state, to_state)


class OnPostgreSQL(RunSQL):
    """Runs SQL on PostgreSQL and nothing anywhere else."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        """Run it."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """Run what undoes it."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
