#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# An image that can't serve never does: the deploy fails, says why in the container's own words, and the old version serves on.
load road.bash

setup_file() { start_demo; }
setup() {
  good=$(head_of_shop)
  dev=$(revision_at "$DELIVERY_DEV_PORT")
  prod=$(revision_at "$DELIVERY_HTTP_PORT")
}
teardown() { git -C "$SHOP" reset -q --hard "$good"; }

# fails_everywhere VERSION: commits what the test has broken, brings it as far as it goes, deploys to both sides at once.
fails_everywhere() {
  bump "$1"
  commit "broken: $1"
  run shop image push promote
  assert_success
  run --separate-stderr both
  assert_output "dev 1
prod 1"
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$dev"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$prod"
  for environment in dev prod; do
    grep -q "broken on purpose" "$BATS_TEST_TMPDIR/$environment" || fail "its own words are missing: $(cat "$BATS_TEST_TMPDIR/$environment")"
    assert_regex "$(tail -n 2 "$BATS_TEST_TMPDIR/$environment")" "Still live: $DELIVERY_REPOSITORY@sha256:"
  done
}
both() {
  local environment
  for environment in dev prod; do
    (
      status=0
      "$SHOP/scripts/deploy" "$environment" >"$BATS_TEST_TMPDIR/$environment" 2>&1 || status=$?
      echo "$environment $status"
    ) &
  done | sort
}

@test "a shop that crashes at start" {
  echo 'raise SystemExit("broken on purpose")' >>"$SHOP/book-shop/book_shop/wsgi.py"
  fails_everywhere 1.2.0
}

@test "a shop that is never ready" {
  cat >>"$SHOP/book-shop/book_shop/views.py" <<'PYTHON'


def readyz(request):
    print("broken on purpose", flush=True)
    return JsonResponse({"ready": False}, status=503)
PYTHON
  fails_everywhere 1.3.0
}

@test "a shop whose migration fails" {
  migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  last=$(basename "${migrations[-1]}" .py)
  cat >"$SHOP/book-shop/books/migrations/9999_broken.py" <<PYTHON
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("books", "$last")]
    operations = [migrations.RunSQL('SELECT "broken on purpose"')]
PYTHON
  fails_everywhere 1.4.0
}

@test "after the faults the next good deploy succeeds with no manual step" {
  bump 1.5.0
  commit "mended"
  run shop image push deploy-dev promote deploy-prod
  assert_success
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$(head_of_shop)"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(head_of_shop)"
  good=$(head_of_shop)
}
