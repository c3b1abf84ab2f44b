# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
# Sourced by the programs of the host: where its files are.
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=${home%/opt/book-shop} # empty on a host; the tests have one
conf=$root/etc/book-shop
state=$root/var/lib/book-shop
db_address=169.254.77.1 # systemd/book-shop-db-address.service
# shellcheck source=../../lib/say.sh
. "$home/lib/say.sh"
