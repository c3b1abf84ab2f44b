# shellcheck shell=bash
# Sourced by the verbs that create a separate local host.

# own_host NAME HTTP_PORT DEV_PORT REGISTRY_PORT K6_PORT DIRECTORY: exports the settings of a local
# host that can run next to a demo, and clones the repository to $SHOP, where tests can commit. Its
# HTTPS_PORT is HTTP_PORT + 363.
own_host() {
  # The caller's settings are for the caller's hosts. make passes those of its command line on.
  unset MAKEFLAGS MFLAGS DELIVERY_PROD DELIVERY_CLUSTER DELIVERY_CLUSTER_URL \
    DELIVERY_CLUSTER_KUBECONFIG DELIVERY_CERTIFICATE_ARN DELIVERY_CERT_ISSUER PUBLIC_URL \
    DELIVERY_HTTPS DELIVERY_CA_FILE DELIVERY_PLAN DELIVERY_FORCE DELIVERY_REASON \
    DELIVERY_RELEASE_FILE
  export DELIVERY_HOST=local DELIVERY_DEMO=$1 DELIVERY_HTTP_PORT=$2 DELIVERY_DEV_PORT=$3
  export DELIVERY_REGISTRY_PORT=$4 DELIVERY_HTTPS_PORT=$(($2 + 363)) K6_API=127.0.0.1:$5
  export DELIVERY_REPOSITORY=localhost:$DELIVERY_REGISTRY_PORT/book-shop SHOP=$6/shop
  [ ! -e "$SHOP" ] || return 0
  git clone -q . "$SHOP"
  ln -s "$PWD/.venv" "$SHOP/.venv"
}
