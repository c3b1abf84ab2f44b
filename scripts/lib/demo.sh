# shellcheck shell=bash
# Sourced by the scripts that start or remove the containers of a demo. Needs say.sh.

# check_demo_name NAME
check_demo_name() {
  [[ $1 =~ ^[a-z][a-z0-9-]{0,40}$ ]] \
    || die "invalid demo name '$1': expected lower-case letters, digits and dashes" 2
}

# save_kernel_settings FILE: a kubelet changes these for the whole machine; scripts/demo/down
# restores them. A file that exists has the original values.
save_kernel_settings() {
  local settings=(kernel.panic kernel.panic_on_oops
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes vm.overcommit_memory)
  [ -s "$1" ] || sysctl "${settings[@]}" >"$1"
}
