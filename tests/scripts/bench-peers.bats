#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  mkdir -p tests/bench
  ln -s "$ROOT/tests/bench/peers" tests/bench/peers
  export VERBS=$SHOP/tests/bench
  tools id
  called_by root
  fake_in_shop scripts/local/debian-packages
  logged apt-get
}

# machine TOOLS PACKAGES RELEASE: sets the installed tools, the available packages and the distribution.
# shellcheck disable=SC2016 # the fakes themselves expand them
machine() {
  rm -f "$TEST_DIR"/bin/{skopeo,oras}
  fake docker <<<$'#!/bin/bash\nexit 1'
  for tool in $1; do fake "$tool" <<<'#!/bin/bash'; done
  printf '#!/bin/bash\n[[ " %s " == *" $2 "* ]]\n' "$2" | fake apt-cache
  printf '#!/bin/bash\n[ "$* %s" = "-q ^VERSION_CODENAME=bookworm /etc/os-release bookworm" ]\n' "$3" | fake grep
}

@test "peers: installs the missing tools, under the package names of the distribution" {
  while IFS='|' read -r tools packages release steps; do
    machine "$tools" "$packages" "$release"
    succeeds peers
    assert_equal "$(sed 's/^apt-get .* //; s|^scripts/local/||' "$LOG" | paste -sd,)" "$steps"
  done <<'TABLE'
|oras skopeo docker-compose-v2|noble|update,skopeo,oras,docker-compose-v2
|skopeo docker-compose|bookworm|update,skopeo,debian-packages trixie oras,debian-packages trixie docker-compose
oras skopeo docker|oras skopeo docker-compose-v2|trixie|
skopeo docker||trixie|update
TABLE
  assert_errors_whole "==> no package of this distribution is oras"
}
