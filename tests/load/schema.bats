#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# A column is added and removed under load, in three releases.
load ../e2e/e2e.bash

setup_file() {
  shop demo
}
teardown() { stop_load; } # after a failed test

# release VERSION TEXT: commits the changes and deploys them to both environments as a release.
release() {
  bump "$1"
  commit "$2"
  shop image push deploy-dev promote deploy-prod
}
has_column() { psql book_shop_prod -c "select count(*) from information_schema.columns where table_name = 'books_book' and column_name = 'note'"; }

@test "no request fails while a schema is expanded and contracted, and a rollback to each release works" {
  start_load

  sed -i 's/^    reviewer = .*/&\n    note = models.TextField(null=True)/' "$SHOP/book-shop/books/models.py"
  migration 0901_note 'migrations.AddField("book", "note", models.TextField(null=True))'
  run release 1.2.1 "expand: a column that old code can ignore"
  assert_success
  assert_equal "$(has_column)" 1

  sed -i '/^    note = /d' "$SHOP/book-shop/books/models.py"
  migration 0902_no_note 'migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("book", "note")])'
  run release 1.2.2 "move on: nothing uses it"
  assert_success
  assert_equal "$(has_column)" 1
  run shop rollback-prod
  assert_success
  run shop rollback-prod TO=1.2.2
  assert_success

  migration 0903_contract_unused_since_0902 'migrations.RunSQL("ALTER TABLE books_book DROP COLUMN note", migrations.RunSQL.noop)'
  run release 1.2.3 "contract: no previous release needs the column"
  assert_success
  assert_equal "$(has_column)" 0
  run shop rollback-prod
  assert_success
  run shop rollback-prod TO=1.2.3
  assert_success

  # 1.2.1 uses the column. It is refused for the database, before anything is changed.
  run shop rollback-prod TO=1.2.1 PLAN=1
  assert_failure
  assert_output --partial "The database has the migration books.0903_contract_unused_since_0902"
  run shop rollback-prod TO=1.2.1
  assert_failure
  assert_output --partial "The database has the migration books.0903_contract_unused_since_0902"

  end_load
  assert_revision "$(head_of_shop)" prod
}
