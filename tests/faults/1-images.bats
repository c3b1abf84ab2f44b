#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Images that must not serve. Those that crash at start, are never ready or whose migration fails: tests/e2e/3-faults.bats.
load faults.bash
setup_file() { start_faults; }
setup() { start_case; }
teardown() { end_case; }

# refused ENVIRONMENT IMAGE TEXT [LIMIT...]: the deploy fails, what served serves throughout, and the next deploy succeeds.
refused() {
  local before
  before=$(serving "$1")
  watch "$1"
  deploy "$1" "$2" "${@:4}"
  assert_failed_deploy "$1" "$before" "$3"
  assert_served_throughout
  assert_heals "$1"
}

@test "an image that is not in the registry" {
  missing=$DELIVERY_REPOSITORY@sha256:$(printf '0%.0s' {1..64})
  refused dev "$missing" "cannot pull '$missing'"
  refused prod "$missing" "cannot pull '$missing'"
}

@test "an image for another kind of machine" {
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
  refused dev "$foreign" "is built for linux/arm64"
  refused prod "$foreign" "is built for linux/arm64"
}

@test "a shop that is ready, and crashes some seconds later" {
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
    # It was ready, so it was asked; what it was asked when it died is lost, and nothing after that.
    lost "$environment, while the young one died" 20 # of two seconds
    assert_heals "$environment"
  done
}

@test "a migration that does not end" {
  migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  cat >"$SHOP/book-shop/books/migrations/9999_hangs.py" <<PYTHON
import time

from django.db import migrations


def hang(apps, schema_editor):
    print("broken on purpose", flush=True)
    time.sleep(1000)


class Migration(migrations.Migration):
    dependencies = [("books", "$(basename "${migrations[-1]}" .py)")]
    operations = [migrations.RunPython(hang)]
PYTHON
  image=$(bad 1.3.0)
  refused dev "$image" "broken on purpose" --env DELIVERY_MIGRATION_LIMIT=15
  refused prod "$image" "broken on purpose" --env DELIVERY_MIGRATION_LIMIT=20
}

@test "a migration that finds its table in use" {
  migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  cat >"$SHOP/book-shop/books/migrations/9999_column.py" <<PYTHON
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("books", "$(basename "${migrations[-1]}" .py)")]
    operations = [migrations.AddField("book", "note", models.TextField(null=True))]
PYTHON
  image=$(bad 1.4.0)
  for environment in dev prod; do
    docker exec -i "$DELIVERY_DEMO-host" runuser -u postgres -- psql -q "book_shop_$environment" 3>&- >/dev/null <<'SQL' &
BEGIN; LOCK TABLE books_book IN SHARE MODE; SELECT pg_sleep(1000);
SQL
    until [ "$(on_host runuser -u postgres -- psql -Atc "select count(*) from pg_locks where mode = 'ShareLock' and relation is not null and granted" "book_shop_$environment")" = 1 ]; do kill -0 $!; done
    before=$(serving "$environment")
    watch "$environment"
    deploy "$environment" "$image"
    on_host runuser -u postgres -- psql -Atqc "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(1000)%' and pid <> pg_backend_pid()" >/dev/null
    assert_failed_deploy "$environment" "$before" "A table was in use for more than 10 s"
    assert_served_throughout
    assert_heals "$environment"
  done
}
