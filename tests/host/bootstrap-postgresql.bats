#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay
  etc=$HOST_ROOT/etc/postgresql/15/main
  mkdir -p "$etc/conf.d"
  echo 'local all postgres peer' >"$etc/pg_hba.conf"
}
teardown() { stop_host; }

password_of() { sed -n 's,^DATABASE_URL=postgresql://[^:]*:\([^@]*\)@.*,\1,p' "$CONF/$1.env"; }

@test "bootstrap-postgresql: a database, a role and secrets for each environment" {
  verb bootstrap-postgresql
  assert_success
  assert_output ""
  assert_errors_whole "==> postgresql"
  assert_log "systemctl daemon-reload
runuser -u postgres -- psql -Atc show listen_addresses
systemctl restart postgresql
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
systemctl enable --now --quiet book-shop-backup.timer"
  assert_equal "$(stat -c %a "$BACKUPS" "$BACKUPS/dev" "$BACKUPS/prod" | xargs)" "700 700 700"
  for environment in dev prod; do
    name=book_shop_$environment
    assert_equal "$(stat -c %a "$CONF/$environment.env")" 600
    run sed -E 's/=[0-9a-f]{64}$/=SECRET/; s/:[0-9a-f]{48}@/:PASSWORD@/' "$CONF/$environment.env"
    assert_output "SECRET_KEY=SECRET
DATABASE_URL=postgresql://$name:PASSWORD@db.internal:5432/$name
ALLOWED_HOSTS=localhost"
    assert_equal "$(cat "$WORLD/passwords/$name")" "alter role $name password '$(password_of "$environment")';"
    run grep -c "$name" "$WORLD/sql"
    assert_output 4
  done
  refute [ "$(password_of dev)" = "$(password_of prod)" ]
  run cat "$WORLD/sql"
  assert_output "select 'create role book_shop_dev login'
where not exists (select from pg_roles where rolname = 'book_shop_dev') \\gexec
select 'create database book_shop_dev owner book_shop_dev'
where not exists (select from pg_database where datname = 'book_shop_dev') \\gexec
select 'create role book_shop_prod login'
where not exists (select from pg_roles where rolname = 'book_shop_prod') \\gexec
select 'create database book_shop_prod owner book_shop_prod'
where not exists (select from pg_database where datname = 'book_shop_prod') \\gexec"
}

@test "bootstrap-postgresql: it can be reached from the host, its containers and its pods, by password, and from nowhere else" {
  verb bootstrap-postgresql
  run cat "$etc/conf.d/book-shop.conf" "$etc/pg_hba.conf"
  assert_output "listen_addresses = 'localhost,169.254.77.1'
password_encryption = 'scram-sha-256'
local all postgres peer
host book_shop_dev,book_shop_dev_restored book_shop_dev 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_dev,book_shop_dev_restored book_shop_dev 10.42.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored book_shop_prod 172.17.0.0/16 scram-sha-256 # book-shop
host book_shop_prod,book_shop_prod_restored book_shop_prod 10.42.0.0/16 scram-sha-256 # book-shop"
}

@test "bootstrap-postgresql: data of an earlier host, without a configuration, gets a new cluster's, also when that was interrupted" {
  data=$HOST_ROOT/var/lib/postgresql/15/main
  # shellcheck disable=SC2016 # the fake itself expands it
  logged pg_createcluster '[ ! -e "$WORLD/fails" ] || exit 1
mkdir -p "$HOST_ROOT/etc/postgresql/$1/main/conf.d" "$HOST_ROOT/var/lib/postgresql/$1/main"
: >"$HOST_ROOT/etc/postgresql/$1/main/pg_hba.conf"
echo new >"$HOST_ROOT/var/lib/postgresql/$1/main/PG_VERSION"'
  for interrupted in no yes; do
    rm -rf "$HOST_ROOT/etc/postgresql" "$data"
    mkdir -p "$data"
    echo kept >"$data/PG_VERSION"
    if [ "$interrupted" = yes ]; then
      touch "$WORLD/fails"
      verb bootstrap-postgresql
      assert_failed 1 "no PostgreSQL 15 for the data in $data.kept" "Install postgresql-15"
      rm "$WORLD/fails"
    fi
    verb bootstrap-postgresql
    assert_success
    assert_equal "$(cat "$data/PG_VERSION")" kept
    refute [ -e "$data.kept" ]
    assert grep -xF "systemctl start postgresql@15-main" "$LOG"
  done
  : >"$LOG"
  verb bootstrap-postgresql
  refute grep -E 'pg_createcluster|systemctl start' "$LOG"
}

@test "bootstrap-postgresql: the second run changes nothing: no restart, the same secrets" {
  verb bootstrap-postgresql
  before=$(tree "$HOST_ROOT" "$WORLD/passwords")
  : >"$LOG"
  verb bootstrap-postgresql
  assert_success
  refute grep -q restart "$LOG"
  assert_equal "$(tree "$HOST_ROOT" "$WORLD/passwords")" "$before"
}

@test "bootstrap-postgresql: who may come is brought up to date on a living host" {
  echo "host book_shop_dev book_shop_dev 172.17.0.0/16 scram-sha-256 # book-shop" >>"$etc/pg_hba.conf"
  echo "# by the administrator" >>"$etc/pg_hba.conf"
  verb bootstrap-postgresql
  assert_success
  assert_equal "$(sed -n '1,2p;$p' "$etc/pg_hba.conf")" "local all postgres peer
# by the administrator
host book_shop_prod,book_shop_prod_restored book_shop_prod 10.42.0.0/16 scram-sha-256 # book-shop"
  assert_equal "$(grep -c 'book-shop$' "$etc/pg_hba.conf")" 4
}

@test "bootstrap-postgresql: other allowed hosts reach both environments; the secrets stay" {
  verb bootstrap-postgresql
  before=$(grep -v ALLOWED_HOSTS "$CONF/dev.env")
  sed -i 's/^ALLOWED_HOSTS=.*/ALLOWED_HOSTS=shop.example,*/' "$CONF/host.env"
  verb bootstrap-postgresql
  assert_success
  for environment in dev prod; do assert_equal "$(grep ALLOWED_HOSTS "$CONF/$environment.env")" "ALLOWED_HOSTS=shop.example,*"; done
  assert_equal "$(grep -v ALLOWED_HOSTS "$CONF/dev.env")" "$before"
  assert_equal "$(stat -c %a "$CONF/dev.env")" 600
}

@test "bootstrap-postgresql: a role with another password gets the one of the secrets" {
  verb bootstrap-postgresql
  echo "alter role book_shop_dev password 'other';" >"$WORLD/passwords/book_shop_dev"
  verb bootstrap-postgresql
  assert_equal "$(cat "$WORLD/passwords/book_shop_dev")" "alter role book_shop_dev password '$(password_of dev)';"
}

@test "bootstrap-postgresql: wrong calls" { assert_wrong_calls_on_host bootstrap-postgresql x "--force"; }
