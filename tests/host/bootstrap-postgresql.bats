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

@test "bootstrap-postgresql: creates a database, a role and secrets for each environment" {
  verb bootstrap-postgresql
  assert_answer "" "==> postgresql"
  assert_equal "$(stat -c %a "$BACKUPS" "$BACKUPS/dev" "$BACKUPS/prod" | xargs)" "700 700 700"
  for environment in dev prod; do
    name=book_shop_$environment
    run sed -E 's/:[0-9a-f]{48}@/:PASSWORD@/' "$CONF/$environment.env"
    assert_output "SECRET_KEY=the-key
DATABASE_URL=postgresql://$name:PASSWORD@db.internal:5432/$name"
    assert_equal "$(cat "$WORLD/passwords/$name")" "alter role $name password '$(password_of "$environment")';"
    run grep "$name" "$WORLD/sql"
    assert_output "select 'create role $name login'
where not exists (select from pg_roles where rolname = '$name') \\gexec
select 'create database $name owner $name'
where not exists (select from pg_database where datname = '$name') \\gexec"
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
host book_shop_dev,book_shop_dev_restored book_shop_dev 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_dev,book_shop_dev_restored book_shop_dev 10.42.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored book_shop_prod 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored book_shop_prod 10.42.0.0/16 scram-sha-256 # book-shop"
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

@test "bootstrap-postgresql: restores a role's password and keeps the settings" {
  verb bootstrap-postgresql
  before=$(cat "$CONF/dev.env")
  echo "alter role book_shop_dev password 'other';" >"$WORLD/passwords/book_shop_dev"
  succeeds bootstrap-postgresql
  assert_equal "$(cat "$CONF/dev.env")" "$before"
  assert_equal "$(cat "$WORLD/passwords/book_shop_dev")" "alter role book_shop_dev password '$(password_of dev)';"
}
