#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load e2e.bash

setup_file() { start_demo; }

add_book="from books.models import Book
print(Book.objects.create(title='Kept', author='A', publishing_year=2000, rating=5, reviewer='R').pk)"

@test "after a reboot of the host both environments serve again, with their data" {
  in_dev=$(django dev "$add_book")
  in_prod=$(django prod "$add_book")
  docker restart "$DELIVERY_DEMO-host" >/dev/null
  for environment in dev prod; do await_ready $environment 120; done
  get dev "/book-detail/$in_dev/" | grep -q Kept
  get prod "/book-detail/$in_prod/" | grep -q Kept
  run shop status
  assert_line --regexp "^dev .* yes"
  assert_line --regexp "^prod .* yes"
}

# nodes: the nodes of prod's pods, and all nodes.
nodes() {
  kubectl get pods -l "$WEB" -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u
  kubectl get nodes -o name
}

@test "a changed host name adds no node: prod's new pods run on the node that it has" {
  before=$(nodes)
  name=$(on_host hostname)
  on_host hostname renamed
  on_host systemctl try-restart k3s kubelet # a host has one of them
  kubectl rollout restart deployment/book-shop
  kubectl rollout status deployment/book-shop --timeout=150s
  until [ "$(kubectl get pods -l "$WEB" -o name | grep -c '')" -eq 2 ]; do sleep 0.5; done # the previous ones end
  on_host hostname "$name"
  assert_equal "$(nodes)" "$before"
  get prod /readyz
}
