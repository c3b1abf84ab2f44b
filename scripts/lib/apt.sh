# shellcheck shell=bash
# Sourced by the scripts that install tools on this machine.

PATH=$PATH:/usr/sbin:/sbin # for dockerd and sysctl: Debian's users do not have these on the PATH

# as_root COMMAND...: runs the command as root, for other users with sudo.
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# apt ARGUMENT...: runs apt-get without questions, and waits for another running apt-get.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" >&2
}

# apt_update: updates the package lists once per run.
apt_update() { [ -n "${apt_updated:-}" ] || { apt update && apt_updated=yes; }; }

# apt_install PACKAGE...: installs packages or files, without recommended packages.
apt_install() { apt_update && apt install -y --no-install-recommends "$@"; }
