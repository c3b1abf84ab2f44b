# shellcheck shell=bash
# Sourced by the scripts that install tools on this machine. Needs say.sh.

PATH=$PATH:/usr/sbin:/sbin # for dockerd and sysctl: Debian's users do not have these on the PATH

has_apt() { command -v apt-get >/dev/null; }

# how_to_install PROGRAM...: prints the command for this system.
how_to_install() {
  local manager
  for manager in "brew install" "dnf install" "apk add" "pacman -S" "zypper install"; do
    if command -v "${manager%% *}" >/dev/null; then echo "$manager $*" && return; fi
  done
  echo "the package manager of this system"
}

# as_root COMMAND...: runs the command as root, for other users with sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "sudo is not on the PATH. Run this as root: $*"
  fi
}

# apt ARGUMENT...: runs apt-get without questions, and waits for another running apt-get.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" >&2
}

# apt_update: updates the package lists once per run.
apt_update() { [ -n "${apt_updated:-}" ] || { apt update && apt_updated=yes; }; }

# apt_install PACKAGE...: installs packages or files, without recommended packages.
apt_install() { apt_update && apt install -y --no-install-recommends "$@"; }
