# shellcheck shell=bash disable=SC2034 # the sourcing scripts use the variables
# Sourced by the shell programs of the host: the paths of its files.
home=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
root=${home%/opt/book-shop} # empty on a host; tests set another root
conf=$root/etc/book-shop
state=$root/var/lib/book-shop
db_address=169.254.77.1 # systemd/book-shop-db-address.service
# shellcheck source=environment.sh
. "$home/lib/environment.sh"
# shellcheck source=../../lib/say.sh
. "$home/lib/say.sh"

# environments: prints their names.
environments() { jq -r '.environments[]' "$home/bin/delivery/grammar.json"; }
