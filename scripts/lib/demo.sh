# shellcheck shell=bash
# Sourced by the scripts that start or remove the containers of a demo. Needs say.sh.

demo_name='^[a-z][a-z0-9-]{0,40}$'

# check_demo_name NAME: fails if the name is invalid.
check_demo_name() {
  [[ $1 =~ $demo_name ]] \
    || fail "invalid demo name '$1': expected lower-case letters, digits and dashes" 2
}

# save_kernel_settings FILE: saves the settings that a kubelet changes for the whole machine, so
# that scripts/local/down can restore them. An existing file has the original values and is kept.
save_kernel_settings() {
  local settings=(kernel.panic kernel.panic_on_oops
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes vm.overcommit_memory)
  [ -s "$1" ] || sysctl "${settings[@]}" >"$1"
}

# exists CONTAINER: whether there is such a container, also a stopped one.
exists() { docker container inspect "$1" >/dev/null 2>&1; }

# build OPTION... DIRECTORY: builds an image with the local host's base.
build() {
  local base
  base=$(scripts/local/base-image host)
  docker build --quiet ${base:+--build-arg "BASE_IMAGE=$base"} "$@" >/dev/null
}
