"""Migration operations with a different effect on PostgreSQL than on SQLite."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import RunSQL
from django.db.migrations.operations import AddIndex


class AddIndexBesideSales(AddIndexConcurrently):
    """Adds an index without blocking reads and writes. The migration must not be atomic.

    An interrupted migration leaves an invalid index with the same name, which is dropped first.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        """Create the index, concurrently on PostgreSQL."""
        if schema_editor.connection.vendor != "postgresql":
            return AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
        name = schema_editor.quote_name(self.index.name)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        return super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """Remove the index, concurrently on PostgreSQL."""
        if schema_editor.connection.vendor != "postgresql":
            return AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
        return super().database_backwards(app_label, schema_editor, from_state, to_state)


class OnPostgreSQL(RunSQL):
    """Runs SQL on PostgreSQL only."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        """Run the SQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """Run the reverse SQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
