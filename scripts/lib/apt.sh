# shellcheck shell=bash
# Sourced by the scripts that put tools on this machine.

PATH=$PATH:/usr/sbin:/sbin # Debian leaves these out of a user's PATH: dockerd, sysctl, ss

# as_root <command>...: runs it as root, through sudo for everybody else.
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# apt <argument>...: runs apt-get without questions; it waits for another apt to finish.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" >&2
}

# apt_update: once a run is enough.
apt_update() { [ -n "${apt_updated:-}" ] || { apt update && apt_updated=yes; }; }

# apt_install <package or file>...: without what they merely recommend.
apt_install() { apt_update && apt install -y --no-install-recommends "$@"; }
