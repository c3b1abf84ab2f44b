#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Images that must not serve. tests/e2e/3-faults.bats has those that crash at start or whose migration
# fails.
load faults.bash

# refused_by_both IMAGE TEXT: and the next deploy succeeds.
refused_by_both() {
  local environment
  for environment in dev prod; do
    refused "$environment" "$@"
    assert_heals "$environment"
  done
}

@test "deploy fails with an image that is not in the registry" {
  missing=$DELIVERY_REPOSITORY@sha256:$(printf '0%.0s' {1..64})
  refused_by_both "$missing" "cannot pull '$missing'"
}

@test "a deploy of an older image is refused and names the rollback, and the image that was rolled back does not return" {
  for environment in dev prod; do
    deploy "$environment" "${IMAGES[1]}"
    assert_success
    # The workflow run of an older commit is started again.
    for plan in "" 1; do
      DELIVERY_PLAN=$plan run "$SHOP/scripts/deploy" "$environment" "${IMAGES[0]}"
      assert_failure 1
      assert_output --partial "is older than"
      assert_output --partial "nothing was changed"
      assert_line --regexp "remedy: make rollback-$environment TO=[0-9]"
    done
    rollback=$(sed -n 's/.*remedy: make //p' <<<"$output")
    run on_host /opt/book-shop/bin/deploy "$environment" "${IMAGES[0]}"
    assert_failure 1
    assert_output --partial "is older than"
    assert_equal "$(serving "$environment")" "${IMAGES[1]}"
    # shellcheck disable=SC2086 # the printed command
    run shop $rollback
    assert_success
    assert_equal "$(serving "$environment")" "${IMAGES[0]}"
    run "$SHOP/scripts/deploy" "$environment" "${IMAGES[1]}"
    assert_failure 1
    assert_output --partial "was rolled back in $environment"
    run shop "deploy-$environment" IMAGE="${IMAGES[1]}" FORCE=1
    assert_failure
    assert_output --partial "FORCE=1 requires a reason"
    run shop "deploy-$environment" IMAGE="${IMAGES[1]}" FORCE=1 REASON="it wasn't \$faulty"
    assert_success
    assert_equal "$(serving "$environment")" "${IMAGES[1]}"
    run "$SHOP/scripts/history" "$environment" 1
    assert_output --partial "it wasn't \$faulty"
  done
}

@test "deploy fails with an image for another architecture" {
  foreign=$DELIVERY_REPOSITORY@$(
    PYTHONPATH=$SHOP/scripts:$SHOP/tests/lib python3 - "$DELIVERY_REPOSITORY" "${IMAGES[0]#*@}" <<'PYTHON'
import json, sys, oci
from delivery import registry
repository, digest = sys.argv[1:]
shop = registry.Registry(repository)
manifest = json.loads(shop.manifest(digest).body)
host, _, name = repository.partition("/")
config = json.loads(shop._ask("GET", f"blobs/{manifest['config']['digest']}", ok=(200,)).body)
body = oci.encode(config | {"architecture": "arm64"})
oci.upload(repository, body)
manifest["config"] |= {"digest": oci.digest_of(body), "size": len(body)}
print(oci.put(repository, "foreign", oci.encode(manifest), manifest["mediaType"]))
PYTHON
  )
  refused_by_both "$foreign" "is built for linux/arm64"
}

@test "deploy fails with an image that is never ready" {
  cat >>"$SHOP/book-shop/book_shop/views.py" <<'PYTHON'


def readyz(request):
    print("broken on purpose", flush=True)
    return JsonResponse({"ready": False}, status=503)
PYTHON
  refused_by_both "$(bad 1.2.0)" "broken on purpose"
}

@test "deploy fails with an image that is ready and crashes some seconds later" {
  cat >>"$SHOP/book-shop/book_shop/wsgi.py" <<'PYTHON'

import threading


def die():
    print("broken on purpose", flush=True)
    os._exit(1)


threading.Timer(6, die).start()
PYTHON
  image=$(bad 1.2.0)
  for environment in dev prod; do
    before=$(serving "$environment")
    watch "$environment"
    deploy "$environment" "$image"
    assert_failed_deploy "$environment" "$before" "broken on purpose"
    # It was ready, so it got requests. Those that it had when it crashed are lost, no later ones.
    lost "$environment, when the new image crashed" 20 # of two seconds
    assert_heals "$environment"
  done
}

@test "deploy fails with a migration that does not end" {
  migration 9999_hangs 'migrations.RunPython(hang)' 'import time


def hang(apps, schema_editor):
    print("broken on purpose", flush=True)
    time.sleep(1000)
'
  image=$(bad 1.3.0)
  refused dev "$image" "broken on purpose" --env DELIVERY_MIGRATION_LIMIT=15
  assert_heals dev
  refused prod "$image" "broken on purpose" --env DELIVERY_MIGRATION_LIMIT=20
  assert_heals prod
}

@test "deploy fails with a migration whose table is in use" {
  migration 9999_column 'migrations.AddField("book", "note", models.TextField(null=True))'
  image=$(bad 1.4.0)
  for environment in dev prod; do
    into_host runuser -u postgres -- psql -q "book_shop_$environment" 3>&- >/dev/null <<'SQL' &
BEGIN; LOCK TABLE books_book IN SHARE MODE; SELECT pg_sleep(1000);
SQL
    until [ "$(psql "book_shop_$environment" -c "select count(*) from pg_locks where mode = 'ShareLock' and relation is not null and granted")" = 1 ]; do kill -0 $!; done
    before=$(serving "$environment")
    watch "$environment"
    deploy "$environment" "$image"
    psql postgres -qc "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(1000)%' and pid <> pg_backend_pid()" >/dev/null
    assert_failed_deploy "$environment" "$before" "A table was in use for more than 10 s"
    assert_served_throughout
    assert_heals "$environment"
  done
}
