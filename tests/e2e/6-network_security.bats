#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Which connections and requests reach the host, its containers and the shop, through NGINX.
load e2e.bash

setup_file() {
  start_demo
  export GOOD DEV_REVISION PROD_REVISION SLOW
  GOOD=$(head_of_shop) DEV_REVISION=$(revision_of dev) PROD_REVISION=$(revision_of prod)
  # Add two pages to the shop: a slow one that prints its requests, and one that sets status and headers.
  cat >>"$SHOP/book-shop/book_shop/urls.py" <<'PYTHON'


def slow(request):
    print("arrived:", request.method, len(request.body), request.GET.get("seconds"), flush=True)
    time.sleep(float(request.GET.get("seconds", 0)))
    return HttpResponse(f"answered by {settings.REVISION}")


def own_headers(request):
    own = {"X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "origin"}
    return HttpResponse("its own words", status=503, headers=own)


import time

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

urlpatterns += [path("slow", csrf_exempt(slow)), path("own-headers", own_headers)]
PYTHON
  bump 6.1.0
  commit "a slow shop"
  SLOW=$(head_of_shop)
  shop image push promote
}
teardown_file() {
  git -C "$SHOP" reset -q --hard "$GOOD"
  [ "$(revision_of dev) $(revision_of prod)" = "$DEV_REVISION $PROD_REVISION" ]
}

address() { docker inspect --format "{{(index .NetworkSettings.Networks \"$DELIVERY_DEMO\").IPAddress}}" "$DELIVERY_DEMO-${1:-host}"; }
# neighbour COMMAND...: in another container on the host's network.
neighbour() { docker run --rm --interactive --network "$DELIVERY_DEMO" --cap-add NET_ADMIN "$DELIVERY_DEMO-host" "$@"; }
# assert_ports "TARGET STATE"... -- COMMAND...: of each port, seen from where COMMAND runs programs.
assert_ports() {
  local expected=()
  while [ "$1" != -- ]; do expected+=("$1") && shift; done
  run "${@:2}" python3 - "${expected[@]% *}" <"$E2E/port_scan.py"
  assert_output "$(printf '%s\n' "${expected[@]}")"
}
slot() { on_host docker ps --quiet; }
slot_logs() { on_host docker logs "$1" 2>&1; } # SLOT
pod() { kubectl get pods -l "$WEB" -o 'jsonpath={.items[0].metadata.name}'; }
status_of() { curl -sS -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' "$@"; }
access_log() { on_host tail -n "$1" /var/log/nginx/access.log; }

@test "only TCP 80 and 8080 are open from outside, also after restarts" {
  on_host systemctl try-restart docker k3s 'kubelet*' # a pattern: not every host has one
  await_ready dev 60
  host=$(address)
  run neighbour python3 - "$host:1-65535" <"$E2E/port_scan.py"
  assert_success
  assert_equal "${#lines[@]}" 65535
  assert_equal "$(grep -v refused <<<"$output")" "$host:80 open
$host:8080 open"
}

@test "a reload of the firewall cuts no connection" {
  python3 - "$DELIVERY_HTTP_PORT" "$DELIVERY_DEMO-host" <<'PYTHON'
import subprocess, sys
from http.client import HTTPConnection

client = HTTPConnection("localhost", int(sys.argv[1]), timeout=30)
client.connect()
client.auto_open = 0
for _ in range(2):
    client.request("GET", "/version")
    answer = client.getresponse()
    assert answer.status == 200 and answer.read()
    subprocess.run(["docker", "exec", sys.argv[2], "systemctl", "restart", "book-shop-firewall"], check=True)
PYTHON
}

@test "routes through the host reach no slot, pod, service or database" {
  host=$(address)
  slot=$(on_host docker inspect --format '{{.NetworkSettings.IPAddress}}' "$(slot)")
  pod=$(kubectl get pod "$(pod)" -o 'jsonpath={.status.podIP}')
  service=$(kubectl get service book-shop -o 'jsonpath={.spec.clusterIP}')
  routed() { neighbour sh -c "for to in $slot $pod $service 169.254.77.1; do ip route add \$to via $host; done; exec \"\$@\"" - "$@"; }
  assert_ports "$slot:8000 refused" "$pod:8000 refused" "$service:80 refused" "169.254.77.1:5432 refused" -- routed
}

@test "slots and pods reach PostgreSQL and NGINX but not each other, and only pods reach the cluster's API" {
  host=$(address) slot=$(slot) pod=$(pod)
  slot_address=$(on_host docker inspect --format '{{.NetworkSettings.IPAddress}}' "$slot")
  pod_address=$(kubectl get pod "$pod" -o 'jsonpath={.status.podIP}')
  # The registry stands for the internet.
  both=("169.254.77.1:5432 open" "$host:80 open" "$(address registry):5000 open" "$host:10250 refused" "$host:10256 refused")
  assert_ports "${both[@]}" "$host:6443 refused" "$pod_address:8000 refused" -- into_host docker exec -i "$slot"
  assert_ports "${both[@]}" "$host:6443 open" "$slot_address:8000 refused" -- \
    into_host kubectl --namespace book-shop exec -i "$pod" --
}

@test "NGINX refuses a host name that is not in ALLOWED_HOSTS" {
  for port in "$DELIVERY_HTTP_PORT" "$DELIVERY_DEV_PORT"; do
    for known in localhost 127.0.0.1 "LOCALHOST:$port"; do assert_equal "$(status_of -H "Host: $known" "http://localhost:$port/healthz")" 200; done
    for unknown in evil.example localhost.evil.example "$(address)" 169.254.169.254; do
      assert_equal "$(status_of -H "Host: $unknown" "http://localhost:$port/healthz")" 421
    done
    assert_equal "$(status_of --http1.0 -H "Host:" "http://localhost:$port/healthz")" 421
    run access_log 1
    assert_output --partial '"status":421'
    assert_output --partial '"upstream_status":""'
  done
}

@test "a new ALLOWED_HOSTS, with a leading dot for subdomains, takes effect with a reload" {
  # soon HOST STATUS: a reload takes effect some time after the command.
  soon() {
    for _ in {1..100}; do [ "$(status_of -H "Host: $1" "http://localhost:$DELIVERY_DEV_PORT/")" != "$2" ] || return 0; done
    return 1
  }
  nginx=$(on_host systemctl show --property MainPID nginx)
  "$SHOP/scripts/set" dev ALLOWED_HOSTS <<<localhost,127.0.0.1,.example.org
  for known in shop.example.org example.org; do soon $known 200; done
  assert_equal "$(status_of -H "Host: example.com" "http://localhost:$DELIVERY_DEV_PORT/")" 421
  assert_equal "$(status_of -H "Host: example.org" "http://localhost:$DELIVERY_HTTP_PORT/")" 421 # prod has its own list
  "$SHOP/scripts/set" dev ALLOWED_HOSTS <<<localhost,127.0.0.1
  soon shop.example.org 421
  assert_equal "$(on_host systemctl show --property MainPID nginx)" "$nginx"
}

@test "NGINX itself refuses requests that are too large, too long or too slow, with short answers" {
  head -c 2100000 /dev/zero >"$BATS_TEST_TMPDIR/large"
  for port in "$DELIVERY_HTTP_PORT" "$DELIVERY_DEV_PORT"; do
    assert_equal "$(status_of --data-binary @"$BATS_TEST_TMPDIR/large" "http://localhost:$port/")" 413
    assert_equal "$(status_of -H "Transfer-Encoding: chunked" --data-binary @"$BATS_TEST_TMPDIR/large" "http://localhost:$port/")" 413
    assert_equal "$(status_of -H "Cookie: $(printf 'x%.0s' {1..9000})" "http://localhost:$port/")" 400
    [ "$(wc -c <"$BATS_TEST_TMPDIR/body")" -lt 300 ]
    run access_log 3
    refute_output --regexp '"upstream_status":"[0-9]'
  done
  # A client that stops within headers or body is disconnected before NGINX's default of 60 s.
  python3 - "$DELIVERY_HTTP_PORT" <<'PYTHON'
import socket, sys

begun = b"GET / HTTP/1.1\r\nHost: local", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
clients = [socket.create_connection(("localhost", int(sys.argv[1])), timeout=40) for _ in begun]
for client, request in zip(clients, begun):
    client.sendall(request)
for client in clients:
    try:
        answer = client.recv(1000)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or b" 408 " in answer, answer
PYTHON
}

@test "only log-ins and API requests have a rate limit, per client address" {
  # From the host itself, whose address no other test uses.
  asked() { on_host sh -c "for i in \$(seq 40); do curl -s -o /dev/null -w '%{http_code}\n' $1 http://localhost:$2; done" | sort | uniq -c | xargs; }
  on_host sh -c 'curl -s -o /dev/null -w "%{http_code}" -d username=x "http://localhost/admin/login/?next=/admin/"' | grep -qx 403
  run asked "-d username=x" 80/admin/login/
  assert_output --regexp '^[0-9]+ 403 [0-9]+ 429$'
  for login in 80/account/login/ 80/account/register/ 8080/admin/%6cogin/; do # one limit, however the path is written
    run asked "-d username=x" "$login"
    assert_output --regexp '(^| )[0-9]+ 429$'
  done
  assert_equal "$(asked "" 80/admin/login/)" "40 200"
  # The API has a limit per second of its own, and answers JSON; requests within the limit pass.
  run on_host sh -c "for port in 80 8080; do curl -s -o /dev/null -w '%{http_code} %{content_type}\n' --parallel --parallel-immediate --parallel-max 60 'http://localhost:'\$port'/api/categories?n=[1-60]'; done | sort | uniq -c"
  assert_output --partial ' 200 application/json; charset=utf-8'
  assert_output --partial ' 429 application/json'
  sleep 3 # the burst is 20 requests, of which 10 a second are freed
  run on_host sh -c "for i in \$(seq 5); do curl -s -o /dev/null -w '%{http_code}\n' http://localhost/api/categories; done | sort | uniq -c | xargs"
  assert_output '5 200'
  assert_equal "$(asked "-d title=x" 80/version)" "40 403" # no CSRF token
}

@test "each response has each security header once" {
  headers() { curl -sS -o /dev/null -D - "$@" | tr -d '\r' | grep -iE '^(x-content-type-options|x-frame-options|referrer-policy|permissions-policy|content-security-policy):' | sort; }
  policy_of_the_shop() { sed -E "s/^(Content-Security-Policy): .*default-src 'none'.*/\1: the shop's/"; } # the order of its directives varies
  common="Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()
Referrer-Policy: same-origin
X-Content-Type-Options: nosniff
X-Frame-Options: DENY"
  style=$(curl -fsS "http://localhost:$DELIVERY_HTTP_PORT/" | grep -oE '/static/[^"]+\.css' | head -n 1)
  for port in "$DELIVERY_HTTP_PORT" "$DELIVERY_DEV_PORT"; do
    for path in / /book-list /admin/login/ /no-such-page /healthz "$style"; do
      assert_equal "$(headers "http://localhost:$port$path" | policy_of_the_shop)" "Content-Security-Policy: the shop's
$common"
    done
    for nginx in "http://localhost:$port/50x.html" "-H Host:evil.example http://localhost:$port/"; do
      # shellcheck disable=SC2086 # a list of words
      assert_equal "$(headers $nginx)" "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'
$common"
    done
    run curl -sS -o /dev/null -D - "http://localhost:$port/"
    refute_output --partial "Strict-Transport-Security"
    refute_output --regexp "Server: nginx/"
  done
}

@test "the shop's metrics are not reachable from outside, however the path is written" {
  for port in "$DELIVERY_HTTP_PORT" "$DELIVERY_DEV_PORT"; do
    for path in /metrics /metrics?x //metrics /%6Detrics /a/../metrics /%2Fmetrics; do
      assert_equal "$(status_of --path-as-is "http://localhost:$port$path")" 404
      run cat "$BATS_TEST_TMPDIR/body"
      refute_output --partial django_http
    done
  done
  run on_host curl -fsS http://127.0.0.1:30080/metrics
  assert_output --partial django_http_responses_total_by_status_total
}

@test "no page of the shop or its administration violates its Content-Security-Policy" {
  add_admin="from django.contrib.auth.models import User; User.objects.filter(username='door').delete(); User.objects.create_superuser('door', password='a-door-in-a-test')"
  kubectl exec "$(pod)" -- python3 manage.py shell --verbosity 0 -c "$add_admin"
  run python3 - "http://localhost:$DELIVERY_HTTP_PORT" <<'PYTHON'
import re, sys, urllib.parse, urllib.request
from http.cookiejar import CookieJar

base = sys.argv[1]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
read = lambda path, form=None: browser.open(base + path, form and urllib.parse.urlencode(form).encode()).read().decode()
token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', read("/admin/login/"))[1]
home = read("/admin/login/?next=/admin/", {"csrfmiddlewaretoken": token, "username": "door", "password": "a-door-in-a-test", "next": "/admin/"})
assert "Log out" in home
book = re.search(r"/admin/books/book/\d+/change/", read("/admin/books/book/"))[0]
for path in "/", "/book-list", "/no-such", "/admin/", "/admin/books/book/", "/admin/books/book/add/", book, book.replace("change", "delete"), "/admin/auth/user/", "/admin/auth/user/add/":
    try:
        page = read(path)
    except urllib.error.HTTPError as error:
        page = error.read().decode()
    assert "</html>" in page, path
    for found in re.findall(r"<style\b|\sstyle=|<script(?![^>]*\ssrc=)(?![^>]*application/json)[^>]*>|\son[a-z]+=\"|javascript:|<base\b", page):
        print(path, found)
PYTHON
  assert_success
  assert_output ""
  kubectl exec "$(pod)" -- python3 manage.py shell --verbosity 0 -c "from django.contrib.auth.models import User; User.objects.get(username='door').delete()"
}

@test "the access log has one JSON object per request, and no personal data" {
  curl -sS -o /dev/null -A secret-agent -e http://secret.example/ -b secret=1 "http://localhost:$DELIVERY_HTTP_PORT/book-list?q=secret#secret"
  curl -sS -o /dev/null --path-as-is "http://localhost:$DELIVERY_DEV_PORT/a%2Fb//c\"d"
  printf 'GET /caf\xe9?secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | python3 -c '
import socket, sys
client = socket.create_connection(("localhost", int(sys.argv[1])))
client.sendall(sys.stdin.buffer.read())
client.recv(1000)' "$DELIVERY_DEV_PORT"
  access_log 3 | python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin.buffer.read().decode().splitlines()]
for line in lines:
    assert list(line) == "time environment method path status bytes seconds upstream_status upstream_seconds".split(), line
    print(line["environment"], line["method"], line["path"], line["status"], line["upstream_status"], type(line["seconds"]).__name__)' >"$BATS_TEST_TMPDIR/lines"
  assert_equal "$(cat "$BATS_TEST_TMPDIR/lines")" 'prod GET /book-list 200 200 float
dev GET /a%2Fb//c"d 404 404 float
dev GET - 400 400 float'
  # Every request of this file and the earlier ones.
  on_host cat /var/log/nginx/access.log | python3 -c '
import json, sys
for line in sys.stdin.buffer.read().decode().splitlines():
    json.loads(line)
    assert "secret" not in line and "172." not in line and "127.0.0.1:" not in line, line'
}

@test "dev: a slow upload survives the switch and arrives once" {
  python3 "$E2E/slow_upload.py" "$DELIVERY_DEV_PORT" /slow "$BATS_TEST_TMPDIR/go" >"$BATS_TEST_TMPDIR/answer" 3>&- &
  shop deploy-dev
  touch "$BATS_TEST_TMPDIR/go"
  wait $!
  run cat "$BATS_TEST_TMPDIR/answer"
  assert_output --partial "HTTP/1.1 200 OK"
  assert_output --partial "answered by $SLOW"
  assert_equal "$(slot_logs "$(slot)" | grep -c 'arrived: POST 2097152')" 1
}

@test "NGINX passes the shop's own 503 and headers unchanged" {
  assert_equal "$(status_of "http://localhost:$DELIVERY_DEV_PORT/own-headers" -D "$BATS_TEST_TMPDIR/headers")" 503
  assert_equal "$(cat "$BATS_TEST_TMPDIR/body")" "its own words"
  run cat "$BATS_TEST_TMPDIR/headers"
  refute_output --partial "Retry-After"
  assert_equal "$(grep -ciE '^(x-frame-options: sameorigin|content-security-policy: default-src .none.|referrer-policy: origin).$' <<<"$output")" 3
  assert_equal "$(grep -ciE '^(x-frame-options|content-security-policy|referrer-policy):' <<<"$output")" 3
}

@test "dev: a request whose slot is killed gets a 502 page and is not repeated" {
  slot=$(slot)
  curl -sS -D "$BATS_TEST_TMPDIR/headers" -o "$BATS_TEST_TMPDIR/body" -d x=1 "http://localhost:$DELIVERY_DEV_PORT/slow?seconds=25" 3>&- &
  until slot_logs "$slot" | grep -q "arrived: POST 3 25"; do kill -0 $!; done
  on_host kill -9 "$(on_host docker inspect --format '{{.State.Pid}}' "$slot")"
  wait $!
  run cat "$BATS_TEST_TMPDIR/headers" "$BATS_TEST_TMPDIR/body"
  assert_line --partial "HTTP/1.1 502 Bad Gateway"
  assert_line --partial "Retry-After: 5"
  assert_line --partial "<h1>One moment, please</h1>"
  await_ready dev 60 # Docker starts it again
  assert_equal "$(slot_logs "$slot" | grep -c 'arrived: POST 3 25')" 1
  run access_log 100
  assert_line --regexp '"environment":"dev","method":"POST","path":"/slow","status":502,.*"upstream_status":"502"'
}

@test "dev: the stopping slot answers a request of 12 s, and the new slot an upload that ends meanwhile" {
  slot=$(slot)
  curl -sS "http://localhost:$DELIVERY_DEV_PORT/slow?seconds=12" >"$BATS_TEST_TMPDIR/long" 3>&- &
  long=$!
  until slot_logs "$slot" | grep -q "arrived: GET 0 12"; do kill -0 $long; done
  python3 "$E2E/slow_upload.py" "$DELIVERY_DEV_PORT" /version "$BATS_TEST_TMPDIR/go" >"$BATS_TEST_TMPDIR/answer" 3>&- &
  upload=$!
  shop rollback-dev 3>&- &
  rollback=$!
  until slot_logs "$slot" | grep -qE "Handling signal: term|No such container"; do kill -0 $rollback; done
  touch "$BATS_TEST_TMPDIR/go"
  wait $upload $rollback $long
  assert_equal "$(cat "$BATS_TEST_TMPDIR/long")" "answered by $SLOW"
  run cat "$BATS_TEST_TMPDIR/answer"
  assert_line --partial "HTTP/1.1 403 Forbidden" # no CSRF token
  assert_revision "$DEV_REVISION" dev
}

@test "prod: the stopping pod answers a request of 12 s" {
  shop deploy-prod
  curl -sS "http://localhost:$DELIVERY_HTTP_PORT/slow?seconds=12" >"$BATS_TEST_TMPDIR/long" 3>&- &
  long=$!
  until kubectl logs -l "$WEB" --tail 20 | grep -q "arrived: GET 0 12"; do kill -0 $long; done
  shop rollback-prod
  wait $long
  assert_equal "$(cat "$BATS_TEST_TMPDIR/long")" "answered by $SLOW"
  assert_revision "$PROD_REVISION" prod
}

@test "security updates are installed automatically, without a reboot" {
  run on_host systemctl is-active apt-daily.timer apt-daily-upgrade.timer
  assert_output "active
active"
  run on_host apt-config dump
  assert_line 'APT::Periodic::Update-Package-Lists "1";'
  assert_line 'APT::Periodic::Unattended-Upgrade "1";'
  assert_line 'Unattended-Upgrade::Automatic-Reboot "false";'
  run on_host unattended-upgrade --dry-run --verbose
  assert_success
  assert_output --regexp "Allowed origins are: .*[Ss]ecurity"
}

@test "NGINX's logs are rotated without a reload, and the journal has a limit" {
  before=$(on_host pgrep nginx)
  on_host systemctl is-active logrotate.timer
  on_host logrotate --force /etc/logrotate.d/nginx
  curl -sS -o /dev/null "http://localhost:$DELIVERY_HTTP_PORT/after-rotation"
  on_host grep -q '"path":"/after-rotation"' /var/log/nginx/access.log
  refute on_host grep -q after-rotation /var/log/nginx/access.log.1
  curl -sS -o /dev/null "http://localhost:$DELIVERY_HTTP_PORT/metrics?after-rotation"
  on_host grep -q 'metrics?after-rotation' /var/log/nginx/refused.log
  assert_equal "$(on_host stat -c '%a %U %G' /var/log/nginx/refused.log)" "640 www-data adm"
  assert_equal "$(on_host pgrep nginx)" "$before"
  run on_host sh -c "journalctl --no-pager --unit systemd-journald | grep ' Journal (' | tail -n 1"
  assert_output --regexp ', max (200|50)\.0M, '
}
