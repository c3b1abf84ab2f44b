#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Images that do not fit the schema of the database. tests/load/schema.bats has those that fit.
load faults.bash

# The images of the other files do not fit a contracted database.
teardown() {
  for environment in dev prod; do
    psql "book_shop_$environment" -c "delete from django_migrations where app = 'books' and name like '09%'" \
      -c "alter table books_book drop column if exists note"
  done
  end_case
  assert_heals prod # its release may be one of those that contract
}

contract=0903_drop_note_unused_since_0902
# Three steps in three releases.
expand() {
  sed -i 's/^    reviewer = .*/&\n    note = models.TextField(null=True)/' "$SHOP/book-shop/books/models.py"
  migration 0901_note 'migrations.AddField("book", "note", models.TextField(null=True))'
}
move_on() {
  sed -i '/^    note = /d' "$SHOP/book-shop/books/models.py"
  migration 0902_no_note 'migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("book", "note")])'
}
contract() {
  migration "$contract" 'migrations.RunSQL("ALTER TABLE books_book DROP COLUMN note", migrations.RunSQL.noop)'
}
# release VERSION: commits the change, and makes it the live release of prod.
release() {
  bump "$1"
  commit "release $1"
  shop image push promote deploy-prod
}
columns() { psql "book_shop_$1" -c "select count(*) from information_schema.columns where table_name = 'books_book' and column_name = 'note'"; }

@test "a rollback to a release that uses a removed column is refused, and by its dry run too" {
  shop backup
  expand
  release 1.3.0
  move_on
  release 1.3.1
  contract
  release 1.3.2
  assert_equal "$(columns prod)" 0
  live=$(serving prod)

  watch prod
  for arguments in PLAN=1 ""; do
    run shop rollback-prod TO=1.3.0 $arguments
    assert_failure
    assert_output --partial "The database has the migration books.$contract"
    assert_equal "$(serving prod)" "$live"
  done
  assert_served_throughout

  # The backup is from before all three releases.
  run "$SHOP/scripts/restore" -y prod
  assert_success
  run shop rollback-prod
  assert_success
  assert_equal "$(get prod /version | jq -r .version)" 1.3.1
}

@test "a build that contracts before the live build has moved on is refused" {
  for environment in dev prod; do
    expand
    move_on
    contract
    refused "$environment" "$(bad 1.4.0)" "books.$contract removes what the running code may still use"
    assert_equal "$(columns "$environment")" 0
    git -C "$SHOP" reset -q --hard "$CLEAN"
    assert_heals "$environment"
  done
}
