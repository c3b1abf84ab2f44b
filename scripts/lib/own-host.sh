# shellcheck shell=bash
# Sourced by the verbs that need a local host of their own.

# own_host NAME HTTP_PORT DEV_PORT REGISTRY_PORT K6_PORT DIRECTORY: the settings of a host that can
# run next to a demo, and a clone to commit in, $SHOP: the image has no uncommitted change.
own_host() {
  export DELIVERY_HOST=local DELIVERY_DEMO=$1 DELIVERY_HTTP_PORT=$2 DELIVERY_DEV_PORT=$3
  export DELIVERY_REGISTRY_PORT=$4 K6_API=127.0.0.1:$5
  export DELIVERY_REPOSITORY=localhost:$DELIVERY_REGISTRY_PORT/book-shop SHOP=$6/shop
  [ ! -e "$SHOP" ] || return 0
  git clone -q . "$SHOP"
  ln -s "$PWD/.venv" "$SHOP/.venv"
}
