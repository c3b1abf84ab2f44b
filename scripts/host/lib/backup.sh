# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
# Sourced by the verbs that keep the data and bring it back: the databases as dumps, <environment>/<time>.dump.
# shellcheck source=../lib/deploy.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy.sh"

backups=$root/var/backups/book-shop # root's alone; bootstrap-postgresql makes it
keep=${KEEP:-14}                    # the newest that stay of an environment, and as many of those that restore makes
backup_name='[0-9]{8}T[0-9]{6}Z(-replaced)?'
export PGOPTIONS="-c client_min_messages=warning"

# as_postgres <command>...: from a directory that this user may see.
as_postgres() { (cd / && runuser -u postgres -- "$@"); }

# sql <statements>: several are one transaction.
sql() { as_postgres psql -XAtqc "$1"; }

# size_of <database>: in bytes.
size_of() { sql "select pg_database_size('$1')" || die "can't ask PostgreSQL for $1. See: systemctl status postgresql; what is missing is made by: $home/bin/bootstrap"; }

# check_room <bytes>: PostgreSQL and the dumps lie on one disk.
check_room() {
  local free
  free=$(df --output=avail --block-size=1 "$backups" | sed 1d)
  [ "$free" -ge "$1" ] || die "$free bytes are free on the disk and $1 are needed: nothing was touched. Make room there first"
}

# readable <dump>: to its end. The list of what it holds stands at its beginning and proves little.
readable() { as_postgres pg_restore -f /dev/null <"$1"; }

# dump <environment> <database> [suffix]: prints the path of the new dump, which is whole or not there. Older ones go only then.
dump() {
  local folder=$backups/$1 file old
  until file=$folder/$(date -u +%Y%m%dT%H%M%SZ)${3:-}.dump && [ ! -e "$file" ]; do sleep 0.2; done # each has a second of its own
  (umask 077 && as_postgres pg_dump -Fc "$2" >"$folder/new") || die "the dump of $2 failed, see above. The older ones are all there"
  readable "$folder/new" || die "the new dump of $2 can't be read, see above. The older ones are all there"
  sync "$folder/new"
  mv "$folder/new" "$file"
  old=("$folder"/[0-9]*Z"${3:-}.dump")
  [ "${#old[@]}" -le "$keep" ] || rm -f "${old[@]:0:${#old[@]}-keep}"
  echo "$file"
}
