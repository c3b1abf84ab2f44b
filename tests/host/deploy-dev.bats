#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

# pre_flight SLOT NUMBER: what is looked at first, when SLOT is live and the image is in the engine.
asked_for() { printf 'docker image inspect %s' "$(image "$1")"; }
looked_into() {
  echo 'docker version -f {{.Server.Os}}/{{.Server.Arch}}'
  printf 'docker image inspect -f {{.Os}}/{{.Architecture}} {{index .Config.Labels "org.opencontainers.image.revision"}} %s' "$(image "$1")"
}
label_and_serving() {
  looked_into "$2"
  printf '\ndocker ps --no-trunc --filter name=^book-shop-%s$ --format {{.Image}}' "$1"
}
pulled() { printf 'df --output=avail --block-size=M /var/lib/book-shop\ndocker pull -q %s' "$(image "$1")"; }
# migrated NUMBER and started SLOT PORT NUMBER
migrated() {
  echo 'docker ps -aq --filter name=^book-shop-migration$'
  echo "timeout -k 5 300 docker run --rm --name book-shop-migration $IN_DEV $(image "$1") python3 manage.py migrate --noinput"
  printf 'docker run --rm --name book-shop-migration %s %s python3 manage.py migrate --noinput' "$IN_DEV" "$(image "$1")"
}
started() {
  printf 'docker ps -aq --filter name=^book-shop-%s$\nss -Hltn sport = :%s\n' "$1" "$2"
  printf 'docker run -d --name book-shop-%s -p 127.0.0.1:%s:8000 %s --restart unless-stopped --stop-timeout 25 %s' "$1" "$2" "$IN_DEV" "$(image "$3")"
}
# watched SLOT: for the time of the watch.
watched() {
  for _ in 1 2 3 4 5 6 7 8; do
    printf 'sleep 1\ndocker inspect -f {{.RestartCount}} {{.State.Running}} book-shop-%s\n' "$1"
  done
}
tidied="docker image ls --digests --format {{.Repository}}@{{.Digest}} localhost:5000/book-shop"
ready() { printf 'curl -fsS -o /dev/null -m 3 http://localhost:%s/readyz' "$1"; }
version="curl -fsS -m 5 http://localhost:8080/version"
switched_to() { echo "nft -D live=$1 -f /opt/book-shop/bin/delivery/switch.nft"; } # PORT

# still SLOT NUMBER: that image serves from that slot, alone, and is what is remembered.
assert_still() {
  assert_equal "$(served_in dev)" "$2 book-shop-$1"
  assert_equal "$(live_slot)" "$1"
  assert_equal "$(remembered dev)" "$2 -"
}

@test "deploy-dev: the first time: pull, migrate, start in the idle slot, flip, check" {
  in_registry 1
  verb deploy-dev "$(image 1)"
  assert_success
  assert_output ""
  assert_log "$(asked_for 1)
$(pulled 1)
$(label_and_serving a 1)
$(migrated 1)
$(started b 4002 1)
$(ready 4002)
$(switched_to 4002)
$version
$(watched b)
docker ps -q --filter name=^book-shop-a\$
docker ps -aq --filter name=^book-shop-a\$
$tidied"
  assert_equal "$(served_in dev)" "1 book-shop-b"
  assert_equal "$(remembered dev)" "1 -"
  assert_deploy_log "unknown dev deploy $(image 1) ok"
  assert_last_words "==> dev serves $(image 1)"
}

@test "deploy-dev: the second time: the slots change places, and the old one stops after the flip and the drain" {
  deployed dev 1
  in_registry 2
  ACTOR=ann verb deploy-dev "$(image 2)"
  assert_success
  assert_log "$(asked_for 2)
$(pulled 2)
$(label_and_serving b 2)
$(migrated 2)
$(started a 4001 2)
$(ready 4001)
$(switched_to 4001)
$version
$(watched a)
docker ps -q --filter name=^book-shop-b\$
docker stop id-of-book-shop-b
docker ps -aq --filter name=^book-shop-b\$
docker rm -f id-of-book-shop-b
$tidied"
  assert_equal "$(served_in dev)" "2 book-shop-a"
  assert_equal "$(remembered dev)" "2 1"
  assert_deploy_log "ann dev deploy $(image 2) ok"
  assert_equal "$(deploy_log | wc -l)" 2

  deployed dev 3
  assert_equal "$(served_in dev)" "3 book-shop-b"
  assert_equal "$(remembered dev)" "3 2"
}

@test "deploy-dev: both slots run for 5 s after the switch, however old the new one is" {
  deployed dev 1
  in_registry 2 late
  verb deploy-dev "$(image 2)"
  assert_success
  assert_equal "$(sed -n '/^nft/,/^docker stop/p' "$LOG" | grep -c '^sleep 1$')" 5
}

@test "deploy-dev: the same image again changes nothing" {
  deployed dev 1
  before=$(tree "$STATE" "$WORLD")
  verb deploy-dev "$(image 1)"
  assert_success
  assert_log "$(asked_for 1)
$(label_and_serving b 1)
$version
$(switched_to 4002)
docker ps -aq --filter name=^book-shop-a\$"
  assert_equal "$(tree "$STATE" "$WORLD")" "$before"
  assert_errors_whole "==> dev serves $(image 1) already"
}

@test "deploy-dev: the same image, which no longer answers, is started anew" {
  deployed dev 1
  in_registry 1 wrong
  verb deploy-dev "$(image 1)"
  assert_failed 1 ":8080 did not answer"
  in_registry 1
  rm "$WORLD/containers/book-shop-b"
  verb deploy-dev "$(image 1)"
  assert_success
  assert_equal "$(served_in dev)" "1 book-shop-a"
  assert_equal "$(remembered dev)" "1 -"
}

@test "deploy-dev: a port that Docker holds for no container is freed" {
  touch "$WORLD/held-4002"
  in_registry 1
  verb deploy-dev "$(image 1)"
  assert_success
  assert grep -qx "systemctl restart docker" "$LOG"
  assert_equal "$(served_in dev)" "1 book-shop-b"
}

@test "deploy-dev: an image that is ready at the second look only" {
  in_registry 1 slow
  verb deploy-dev "$(image 1)"
  assert_success
  run grep -A 2 readyz "$LOG"
  assert_output "$(ready 4002)
docker inspect -f {{.RestartCount}} book-shop-b
sleep 0.2
$(ready 4002)
$(switched_to 4002)
$version"
}

@test "deploy-dev: an image that can't be pulled: nothing is touched" {
  deployed dev 1
  before=$(tree "$STATE" "$WORLD")
  verb deploy-dev "$(image 2)"
  assert_failed 1 "can't pull $(image 2): is it in the registry, and can this host reach it?"
  assert_log "$(asked_for 2)
$(pulled 2)"
  assert_equal "$(tree "$STATE" "$WORLD")" "$before"
}

@test "deploy-dev: a failed migration starts nothing" {
  deployed dev 1
  in_registry 2 migrate
  verb deploy-dev "$(image 2)"
  assert_failed 1 "column already exists" "deploy-dev: the migration failed. Still serving: $(image 1)"
  assert_log "$(asked_for 2)
$(pulled 2)
$(label_and_serving b 2)
$(migrated 2)
$(switched_to 4002)
docker ps -aq --filter name=^book-shop-migration\$
docker ps -aq --filter name=^book-shop-a\$
docker ps --no-trunc --filter name=^book-shop-b\$ --format {{.Image}}"
  assert_still b 1
  assert_deploy_log "unknown dev deploy $(image 2) failed"
}

@test "deploy-dev: a migration past its limit is killed, and its container removed" {
  deployed dev 1
  in_registry 2 hang
  verb deploy-dev "$(image 2)"
  assert_failed 1 "the migration failed"
  assert_still b 1
}

@test "deploy-dev: a container that does not start is removed" {
  deployed dev 1
  in_registry 2 start
  verb deploy-dev "$(image 2)"
  assert_failed 1 "deploy-dev: slot a did not start. Still serving: $(image 1)"
  assert_still b 1
  assert_deploy_log "unknown dev deploy $(image 2) failed"
  refute [ "$(grep -c "^curl" "$LOG")" -gt 0 ]
}

@test "deploy-dev: a container that is never ready: its last lines, and the old one serves on" {
  deployed dev 1
  in_registry 2 never-ready
  READY_LIMIT=0 verb deploy-dev "$(image 2)"
  assert_failed 1 "the last 20 lines of $(revision 2)" "and those of its stderr" "slot a was not ready within 0 s; its last lines are above. Still serving: $(image 1)"
  assert_still b 1
  refute grep -q "live=4001" "$LOG"
}

@test "deploy-dev: a container that crashes is given up at its second restart, not at the limit" {
  deployed dev 1
  in_registry 2 crash
  verb deploy-dev "$(image 2)"
  assert_failed 1 "the last 20 lines of $(revision 2)" "slot a crashes at start; its last lines are above. Still serving: $(image 1)"
  assert_still b 1
}

@test "deploy-dev: the very first image fails: nothing serves, and that is said" {
  in_registry 1 crash
  verb deploy-dev "$(image 1)"
  assert_failed 1 "Still serving: nothing"
  assert_equal "$(ls -A "$WORLD/containers")" ""
  assert_equal "$(remembered dev)" "- -"
  assert_deploy_log "unknown dev deploy $(image 1) failed"
}

@test "deploy-dev: a wrong answer on :8080 flips NGINX back before the new container goes" {
  deployed dev 1
  in_registry 2 wrong
  verb deploy-dev "$(image 2)"
  assert_failed 1 "deploy-dev: :8080 did not answer with revision $(revision 2). Still serving: $(image 1)"
  run bash -c 'sed -n "/readyz/,\$p" "$LOG" | grep -v "^sleep" | uniq'
  assert_output "$(ready 4001)
$(switched_to 4001)
$version
$(switched_to 4002)
docker ps -aq --filter name=^book-shop-migration\$
docker ps -aq --filter name=^book-shop-a\$
docker rm -f id-of-book-shop-a
docker ps --no-trunc --filter name=^book-shop-b\$ --format {{.Image}}"
  assert_still b 1
  assert_deploy_log "unknown dev deploy $(image 2) failed"
}

@test "deploy-dev: a container that is ready and then crashes: NGINX goes back, and the old one, which runs yet, serves on" {
  deployed dev 1
  in_registry 2 young
  verb deploy-dev "$(image 2)"
  assert_failed 1 "the last 20 lines of $(revision 2)" "slot a crashed after it was ready; its last lines are above. Still serving: $(image 1)"
  run grep -E "^nft |docker (stop|rm)" "$LOG"
  assert_output "$(switched_to 4001)
$(switched_to 4002)
docker rm -f id-of-book-shop-a"
  assert_still b 1
  assert_deploy_log "unknown dev deploy $(image 2) failed"
}

@test "deploy-dev: an image for another kind of machine, or of nobody's commit: nothing is touched" {
  deployed dev 1
  before=$(tree "$STATE" "$WORLD/containers")
  in_registry 2 foreign
  verb deploy-dev "$(image 2)"
  assert_failed 1 "$(image 2) is built for linux/arm64, this host is linux/amd64"
  in_registry 3 nobodys
  verb deploy-dev "$(image 3)"
  assert_failed 1 "$(image 3) does not say of which commit it is"
  assert_equal "$(tree "$STATE" "$WORLD/containers")" "$before"
}

@test "deploy-dev: a full disk is a reason not to pull, and none against an image that is here" {
  deployed dev 1
  deployed dev 2
  in_registry 3
  echo 2047 >"$WORLD/free"
  before=$(tree "$STATE" "$WORLD")
  verb deploy-dev "$(image 3)"
  assert_failed 1 "2047 MB are free on the disk, a deploy wants 2048: nothing was touched. See: docker system df"
  assert_equal "$(tree "$STATE" "$WORLD")" "$before"
  verb rollback-dev
  assert_success
  echo 2048 >"$WORLD/free"
  verb deploy-dev "$(image 3)"
  assert_success
}

@test "deploy-dev: what nothing serves, nor a rollback would bring back, nor another deploy is about to serve, goes" {
  for number in 1 2 3; do deployed dev "$number"; done
  assert_equal "$(images_here)" "2 3"
  deployed prod 2
  in_registry 7
  : >"$WORLD/here/$(hex 7)"
  echo "deploy-prod $(image 7), by ann, process 1, since then" >"$HOST_ROOT/run/lock/book-shop-prod"
  deployed dev 4
  deployed dev 5
  assert_equal "$(images_here)" "2 4 5 7"
}

@test "deploy-dev: a tool that fails on the way is a failed deploy, which says where and what serves" {
  deployed dev 1
  in_registry 2
  fake sleep <<<$'#!/bin/bash\nexit 3' # at the first second of the drain
  verb deploy-dev "$(image 2)"
  assert_failed 1 "failed: sleep 1. Still serving: $(image 1)"
  assert_still b 1
  assert_deploy_log "unknown dev deploy $(image 2) failed"
}

@test "deploy-dev: after each failure the next image is served" {
  deployed dev 1
  for fault in migrate hang start crash never-ready wrong young; do
    in_registry 2 "$fault"
    READY_LIMIT=0 verb deploy-dev "$(image 2)"
    assert_equal "$status" 1
    assert_still b 1
  done
  deployed dev 3
  assert_equal "$(served_in dev)" "3 book-shop-a"
  assert_equal "$(remembered dev)" "3 1"
}

@test "deploy-dev: killed before any change: something serves, and the next run heals it" {
  deployed dev 1
  count_as_changes mv jq
  assert_healed_after_any_kill dev 9
}

@test "deploy-dev: wrong calls" { assert_wrong_calls_on_host deploy-dev "" "a b"; }

@test "deploy-dev: hostile images" { assert_hostile_images_refused deploy-dev; }
