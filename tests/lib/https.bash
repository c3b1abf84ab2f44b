# shellcheck shell=bash disable=SC2034 # the tests use the variables
# Loaded after e2e.bash by the tests of prod behind the demo's TLS proxy.

PASSWORD="a long pass phrase"
# Two readers, an administrator and books to buy.
MAKE_USERS="from django.contrib.auth.models import User
from books.models import Book
User.objects.create_superuser('owner', password='$PASSWORD')
for name in ('alice-7f3a9c', 'bob-c05d1e'):
    User.objects.create_user(name, password='$PASSWORD')
Book.objects.update(stock=1000, price=1250)"
DELETE_USERS='from django.contrib.auth.models import User
User.objects.filter(username__regex="^(owner|alice-|bob-|reader-)").delete()'

# start_https: for setup_file; end_https: for teardown_file. They change prod only.
start_https() {
  "$SHOP/scripts/local/https" >/dev/null
  django prod "$MAKE_USERS"
}
end_https() {
  "$SHOP/scripts/local/https" off
  django prod "$DELETE_USERS"
}
https_variables() {
  HTTPS_FILES=${XDG_CACHE_HOME:-$HOME/.cache}/book-shop/demo/$DELIVERY_DEMO/https
  URL=https://127.0.0.1:$DELIVERY_HTTPS_PORT PROD=http://localhost:$DELIVERY_HTTP_PORT
  export DELIVERY_CA_FILE=$HTTPS_FILES/ca.crt
}

https() { curl -sS --cacert "$DELIVERY_CA_FILE" "$@"; }
# browser URL READER: uses the shop in Chromium. See https_browser.py.
browser() {
  local key
  key=$(openssl x509 -in "$HTTPS_FILES/tls.crt" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
  python3 "$E2E/https_browser.py" "$1" "$key" "$2" owner "$PASSWORD"
}
# address MACHINE: of a container of the demo.
address() { docker inspect --format "{{(index .NetworkSettings.Networks \"$DELIVERY_DEMO\").IPAddress}}" "$DELIVERY_DEMO-$1"; }
# sign_ins URL MACHINE:PORT FIRST LAST COUNT: sends sign-in forms from addresses of the network, with forged headers.
sign_ins() {
  docker run --rm --interactive --network "$DELIVERY_DEMO" --cap-add NET_ADMIN -v "$E2E/https_sign_ins.py:/sign_ins.py:ro" \
    "$DELIVERY_DEMO-host" python3 /sign_ins.py "$@" alice-7f3a9c "$PASSWORD" <"$DELIVERY_CA_FILE"
}
