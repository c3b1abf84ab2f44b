# shellcheck shell=bash
# Functions that the parts of the bench run on the local host: `on_host.bash FUNCTION [ARGUMENT...]`.
# $IMAGE is the image, $PORTS the ports of its containers to which NGINX passes dev's requests.
set -euo pipefail

remove_containers() {
  docker ps --all --quiet --filter name=bench | xargs --no-run-if-empty docker rm --force >/dev/null
}

# run_image: in $WORKDIR and with $COMMAND, if set. PostgreSQL accepts the engine's network.
run_image() {
  local command
  read -ra command <<<"${COMMAND:-}"
  docker run --detach --name bench-web --publish 127.0.0.1:4003:8000 \
    --env-file /etc/book-shop/dev.env --add-host db.internal:169.254.77.1 \
    ${WORKDIR:+--workdir "$WORKDIR"} "$IMAGE" "${command[@]}" >/dev/null
}
restart_container() { docker restart bench-web >/dev/null; }
replace_container() {
  docker rm --force bench-web >/dev/null
  run_image
}

compose() { docker compose --project-directory /root/bench --progress quiet "$@"; }
# Compose waits for the health check. The interval is 1 s because only newer engines know
# --start-interval, with which the image's own check is as frequent.
compose_first() {
  mkdir -p /root/bench
  cat >/root/bench/compose.yaml <<YAML
services:
  web:
    image: \$IMAGE
    network_mode: bridge
    ports: ["127.0.0.1:${PORTS/ /-}:8000"]
    env_file: /etc/book-shop/dev.env
    extra_hosts: ["db.internal:169.254.77.1"]
    healthcheck:
      test: [CMD, python3, -c, "from urllib.request import urlopen;
        urlopen('http://localhost:8000/readyz')"]
      interval: 1s
      timeout: 3s
      retries: 60
YAML
  compose_up
}
compose_up() { compose up --detach --wait "$@"; }
compose_migrate_up() {
  compose run --rm --no-TTY web python3 manage.py migrate --noinput >/dev/null
  compose_up
}
compose_scale() {
  local old
  old=$(docker ps --quiet --filter name=bench)
  compose_up --no-recreate --scale web=2
  docker stop "$old" >/dev/null && docker rm "$old" >/dev/null
}

# serve FUNCTION: it starts containers; when one is ready, NGINX passes dev's requests to $PORTS. A
# port at which nothing listens costs no request: NGINX tries the next one.
serve() {
  local port workers worker
  "$1"
  # At the containers' own ports: NGINX may still use the earlier ones.
  until for port in $PORTS; do ready "$port" && break; done; do sleep 0.1; done
  {
    echo 'upstream dev {'
    for port in $PORTS; do printf 'server 127.0.0.1:%s max_fails=0; ' "$port"; done
    echo 'keepalive 16; keepalive_time 2s; keepalive_timeout 2s; }'
  } >/etc/nginx/book-shop/dev-upstream.conf
  workers=$(pgrep --parent "$(cat /run/nginx.pid)")
  systemctl reload nginx
  # The old workers use the old upstream until they end.
  for worker in $workers; do while kill -0 "$worker" 2>/dev/null; do sleep 0.1; done; done
}
ready() { curl -fsS -o /dev/null -m 2 "http://localhost:$1/readyz" 2>/dev/null; }
serve_dev_again() {
  remove_containers
  restore_upstream dev
}
restore_upstream() {
  cp "/opt/book-shop/nginx/book-shop/$1-upstream.conf" /etc/nginx/book-shop/
  systemctl reload nginx
}

# apply_tutorial: applies a Deployment as in an introduction: an image, a port, replicas.
apply_tutorial() {
  delete_tutorial
  kubectl create namespace bench >/dev/null
  local settings # the Secret of the live pods, whose name has their version
  settings=$(kubectl --namespace book-shop get deployment book-shop \
    -o 'jsonpath={.spec.template.spec.containers[0].envFrom[0].secretRef.name}')
  kubectl --namespace book-shop get secret "$settings" -o json \
    | jq '{apiVersion, kind, data, metadata: {name: "book-shop-env", namespace: "bench"}}' \
    | kubectl apply -f - >/dev/null
  kubectl --namespace bench apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: book-shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: book-shop}}
  template:
    metadata: {labels: {app: book-shop}}
    spec:
      dnsPolicy: Default
      hostAliases: [{ip: 169.254.77.1, hostnames: [db.internal]}]
      containers:
        - name: web
          image: $IMAGE
          ports: [{containerPort: 8000}]
          envFrom: [{secretRef: {name: book-shop-env}}]
---
apiVersion: v1
kind: Service
metadata: {name: book-shop}
spec:
  type: NodePort
  selector: {app: book-shop}
  ports: [{port: 80, targetPort: 8000, nodePort: 30081}]
YAML
  kubectl --namespace bench rollout status deployment/book-shop --timeout 150s >/dev/null
  until ready 30081; do sleep 0.2; done
}
delete_tutorial() { kubectl delete namespace bench --ignore-not-found >/dev/null; }
set_image() { # NAMESPACE
  kubectl --namespace "$1" set image deployment/book-shop "web=$IMAGE" >/dev/null
  kubectl --namespace "$1" rollout status deployment/book-shop --timeout 150s >/dev/null
}
serve_prod_from() { # PORT NAMESPACE REVISION
  sed -i "s/127.0.0.1:300../127.0.0.1:$1/" /etc/nginx/book-shop/prod-upstream.conf
  systemctl reload nginx
  # Pods of the last run may still be terminating; they must not answer in this one.
  until [ "$(running_pods "$2")" = 2 ]; do sleep 0.3; done
  until [ "$(curl -fsS -m 2 http://localhost/version | jq -r .revision)" = "$3" ]; do
    sleep 0.1
  done
}
running_pods() { # NAMESPACE
  kubectl --namespace "$1" get pods --field-selector status.phase=Running -o name | wc -l
}
serve_prod_again() {
  delete_tutorial
  restore_upstream prod
}

"$@"
