#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Interrupted deploys, and deploys at the same time.
load faults.bash

# killed ENVIRONMENT STEP...: kills a deploy after each step.
killed() {
  local step image other environment=$1
  for step in "${@:2}"; do
    image=$(good "$environment")
    if [ "$step" = pull ]; then # the host must not have it
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
@test "dev heals after kill -9 at each step of a deploy" { killed dev pull migrate "start slot" switch drain; }
@test "prod heals after kill -9 at each step of a deploy" { killed prod pull migrate "roll out" drain; }

@test "a deploy or rollback during a deploy waits for it, and is live afterwards" {
  for environment in dev prod; do
    first=$(good "$environment") second=$(serving "$environment")
    watch "$environment"
    second_one() { run on_host /opt/book-shop/bin/deploy "$environment" "$second" "${TURN[@]}" && assert_success; }
    during "$environment" "$first" migrate second_one
    assert_equal "$status" 0
    assert_equal "$(serving "$environment")" "$second"
    rollback() { run on_host /opt/book-shop/bin/rollback "$environment" && assert_success; }
    during "$environment" "$first" migrate rollback
    assert_equal "$status" 0
    assert_equal "$(serving "$environment")" "$second" # the rollback of that deploy
    assert_served_throughout
  done
}

@test "both environments heal after a reboot of the host at each step of a deploy" {
  for step in "dev migrate" "dev start slot" "dev drain" "prod migrate" "prod roll out" "prod drain"; do
    environment=${step%% *}
    during "$environment" "$(good "$environment")" "${step#* }" docker restart "$DELIVERY_DEMO-host" >/dev/null
    refute [ "$status" = 0 ]
    for both in dev prod; do back_within_a_minute "$both"; done
    assert_heals "$environment"
  done
}
