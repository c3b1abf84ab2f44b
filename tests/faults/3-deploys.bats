#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Deploys that are cut off, and deploys that meet.
load faults.bash
setup_file() { start_faults; }
setup() { start_case; }
teardown() { end_case; }

# killed ENVIRONMENT STEP...: after each step once.
killed() {
  local step image other environment=$1
  for step in "${@:2}"; do
    image=$(good "$environment")
    if [ "$step" = pull ]; then # it must not be there yet
      for other in dev prod; do [ "$(serving "$other")" != "$image" ] || assert_heals "$other"; done
      run on_host docker image rm "$image"
    fi
    watch "$environment"
    during "$environment" "$image" "$step" kill_deploy "$environment"
    assert_equal "$status" 137
    assert_served_throughout
    assert_heals "$environment"
  done
}
@test "kill -9 after each step of a deploy to dev" { killed dev pull migrate "start slot" switch drain; }
@test "kill -9 after each step of a deploy to prod" { killed prod pull migrate "roll out" drain; }

# both_end ENVIRONMENT COMMAND...: while a deploy runs, the command does; the deploy's lock is the order. What came last serves.
@test "two deploys at once, a deploy and a rollback at once: one after the other" {
  for environment in dev prod; do
    first=$(good "$environment") second=$(serving "$environment")
    watch "$environment"
    second_one() { run docker exec "$DELIVERY_DEMO-host" /opt/book-shop/bin/deploy "$environment" "$second" && assert_success; }
    during "$environment" "$first" migrate second_one
    assert_equal "$status" 0
    assert_equal "$(serving "$environment")" "$second"
    rollback() { run docker exec "$DELIVERY_DEMO-host" /opt/book-shop/bin/rollback "$environment" && assert_success; }
    during "$environment" "$first" migrate rollback
    assert_equal "$status" 0
    assert_equal "$(serving "$environment")" "$second" # the rollback of that deploy
    assert_served_throughout
  done
}

@test "the host reboots in the middle of a deploy, at each step" {
  for step in "dev migrate" "dev start slot" "dev drain" "prod migrate" "prod roll out" "prod drain"; do
    environment=${step%% *}
    during "$environment" "$(good "$environment")" "${step#* }" docker restart "$DELIVERY_DEMO-host" >/dev/null
    refute [ "$status" = 0 ]
    for both in dev prod; do back_within_a_minute "$both"; done
    assert_heals "$environment"
  done
}
