# shellcheck shell=bash
# Sourced by the verbs that need a local host of their own.

# own_host NAME HTTP_PORT DEV_PORT REGISTRY_PORT K6_PORT: the settings of one beside a demo that may be running, and a clone of the last commit to
# commit in, $SHOP: so does a half-done work tree stay out of the image. Both are gone when the script ends; $work is there for more.
own_host() {
  export HOST=local DEMO=$1 HTTP_PORT=$2 DEV_PORT=$3 REGISTRY_PORT=$4 K6_API=127.0.0.1:$5
  export REPOSITORY=localhost:$REGISTRY_PORT/book-shop
  work=$(mktemp -d)
  trap 'scripts/demo/down; rm -rf "$work"' EXIT
  git clone -q . "$work/shop"
  ln -s "$PWD/.venv" "$work/shop/.venv"
  export SHOP=$work/shop
}
