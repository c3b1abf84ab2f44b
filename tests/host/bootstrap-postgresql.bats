#!/usr/bin/env bats
# tests/scripts/user-data.bats has a second run.
load ../lib/host.bash
setup() {
  start_host
  install_files
  etc=$HOST_ROOT/etc/postgresql/15/main
  mkdir -p "$etc/conf.d"
  for environment in dev prod; do echo SECRET_KEY=the-key >"$CONF/$environment.env"; done
  echo 'local all postgres peer' >"$etc/pg_hba.conf"
}

password_of() { sed -n 's,^DATABASE_URL=postgresql://[^:]*:\([^@]*\)@.*,\1,p' "$CONF/$1.env"; }

@test "bootstrap-postgresql: creates a database, its roles and secrets for each environment" {
  verb bootstrap-postgresql
  assert_answer "" "==> postgresql"
  assert_equal "$(stat -c %a "$BACKUPS" "$BACKUPS/dev" "$BACKUPS/prod" | xargs)" "700 700 700"
  for environment in dev prod; do
    name=book_shop_$environment
    run sed -E 's/:[0-9a-f]{48}@/:PASSWORD@/; s/^# .*Z /# TIME /' "$CONF/$environment.env"
    assert_output "SECRET_KEY=the-key
# TIME bootstrap
DATABASE_URL=postgresql://${name}_a:PASSWORD@db.internal:5432/$name"
    assert_equal "$(cut -d '|' -f 1,2 "$WORLD/roles/$name"* | xargs)" "$name|f ${name}_a|t ${name}_b|f"
    assert grep -F "create database $name owner $name" "$WORLD/sql"
    refute grep -rF "$(password_of "$environment")" "$WORLD" "$LOG"
  done
  refute [ "$(password_of dev)" = "$(password_of prod)" ]
}

@test "bootstrap-postgresql: only the host, its containers and its pods can connect, with a password" {
  echo "host book_shop_dev book_shop_dev 172.17.0.0/16 scram-sha-256 # book-shop" >>"$etc/pg_hba.conf" # an older rule
  echo "# by the administrator" >>"$etc/pg_hba.conf"
  verb bootstrap-postgresql
  assert grep -xF "systemctl restart postgresql" "$LOG"
  run cat "$etc/conf.d/book-shop.conf" "$etc/pg_hba.conf"
  assert_output "listen_addresses = 'localhost,169.254.77.1'
password_encryption = 'scram-sha-256'
local all postgres peer
# by the administrator
host book_shop_dev,book_shop_dev_restored +book_shop_dev 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_dev,book_shop_dev_restored +book_shop_dev 10.42.0.0/16 scram-sha-256 # book-shop
host book_shop_dev,book_shop_dev_restored +book_shop_dev 169.254.77.1/32 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored +book_shop_prod 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored +book_shop_prod 10.42.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored +book_shop_prod 169.254.77.1/32 scram-sha-256 # book-shop"
}

@test "bootstrap-postgresql: creates a cluster for data without a configuration, also after an interruption" {
  data=$HOST_ROOT/var/lib/postgresql/15/main
  fake pg_createcluster <<'BASH'
#!/bin/bash
. "${0%/*}/world"
note "pg_createcluster $*"
[ ! -e "$WORLD/fails" ] || exit 1
mkdir -p "$HOST_ROOT/etc/postgresql/$1/main/conf.d" "$HOST_ROOT/var/lib/postgresql/$1/main"
: >"$HOST_ROOT/etc/postgresql/$1/main/pg_hba.conf"
echo new >"$HOST_ROOT/var/lib/postgresql/$1/main/PG_VERSION"
BASH
  for interrupted in no yes; do
    rm -rf "$HOST_ROOT/etc/postgresql" "$data"
    mkdir -p "$data"
    echo kept >"$data/PG_VERSION"
    if [ "$interrupted" = yes ]; then
      touch "$WORLD/fails"
      verb bootstrap-postgresql
      assert_failed 1 "cannot create a PostgreSQL 15 cluster for the data in '$data.kept'" "Run: apt-get install postgresql-15"
      rm "$WORLD/fails"
    fi
    succeeds bootstrap-postgresql
    assert_equal "$(cat "$data/PG_VERSION")" kept
    refute [ -e "$data.kept" ]
    assert grep -xF "systemctl start postgresql@15-main" "$LOG"
  done
  next_verb bootstrap-postgresql
  refute grep -E 'pg_createcluster|systemctl start' "$LOG"
}

@test "bootstrap-postgresql: keeps the secrets and the roles" {
  verb bootstrap-postgresql
  before=$(cat "$CONF"/*.env "$WORLD"/roles/*)
  succeeds bootstrap-postgresql
  assert_errors_whole "==> postgresql"
  assert_equal "$(cat "$CONF"/*.env "$WORLD"/roles/*)" "$before"
  assert_equal "$(stat -c %a "$CONF/dev.env")" 600
}

@test "bootstrap-postgresql: gives a password that was changed by hand to a role that is not in use" {
  verb bootstrap-postgresql
  before=$(cat "$WORLD/roles/book_shop_prod_a")
  sed -i 's,^DATABASE_URL=.*,DATABASE_URL=postgresql://book_shop_prod_a:by%20hand@db.internal:5432/book_shop_prod,' "$CONF/prod.env"
  succeeds bootstrap-postgresql
  assert_errors_whole "==> postgresql
==> prod has a new database password, for the role book_shop_prod_b: make deploy-prod applies it"
  assert_equal "$(cat "$WORLD/roles/book_shop_prod_a")" "$before"
  assert_equal "$(cut -d '|' -f 1,2 "$WORLD/roles/book_shop_prod_b")" "book_shop_prod_b|t"
  assert_equal "$(grep DATABASE_URL "$CONF/prod.env")" "DATABASE_URL=postgresql://book_shop_prod_b:by%20hand@db.internal:5432/book_shop_prod"
  refute grep -rE 'by.{1,3}hand' "$WORLD" "$LOG"
}
