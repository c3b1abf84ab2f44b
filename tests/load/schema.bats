#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# A column comes and goes under load, in three releases: no request fails, and each release can be rolled back to.
load ../e2e/road.bash

setup_file() {
  shop demo
}
teardown() { stop_load; } # one that a failed test has left

# release VERSION TEXT: what was changed becomes a release that prod serves; dev serves it too.
release() {
  bump "$1"
  commit "$2"
  shop image push deploy-dev promote deploy-prod
}
# migration NAME OPERATION: after the newest one.
migration() {
  local migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  printf 'from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    dependencies = [("books", "%s")]\n    operations = [%s]\n' \
    "$(basename "${migrations[-1]}" .py)" "$2" >"$SHOP/book-shop/books/migrations/$1.py"
}
has_column() { on_host runuser -u postgres -- psql -Atc "select count(*) from information_schema.columns where table_name = 'books_book' and column_name = 'note'" book_shop_prod; }

@test "expand, move on, contract: the schema changes under load, and no request fails" {
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

  migration 0903_contract 'migrations.RunSQL("ALTER TABLE books_book DROP COLUMN note", migrations.RunSQL.noop)'
  run release 1.2.3 "contract: it goes, once no release before needs it"
  assert_success
  assert_equal "$(has_column)" 0
  run shop rollback-prod
  assert_success
  run shop rollback-prod TO=1.2.3
  assert_success

  end_load
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(head_of_shop)"
}
