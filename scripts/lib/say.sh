# shellcheck shell=bash
# Sourced by the shell verbs: progress, errors and help. Only help that was requested with -h is
# printed on stdout, everything else on stderr.

# log MESSAGE: prints progress.
log() { echo "==> $*" >&2; }

# fail MESSAGE [STATUS]: prints an error and exits.
fail() {
  echo "${0##*/}: $1" >&2
  exit "${2:-1}"
}

# require_bash MAJOR MINOR: fails if this is older than bash 4.4. macOS has 3.2.
require_bash() {
  [ "$1" -gt 4 ] || { [ "$1" -eq 4 ] && [ "$2" -ge 4 ]; } \
    || fail "bash $1.$2 is too old, 4.4 or newer is required. On macOS: brew install bash make"
}
require_bash "${BASH_VERSINFO[@]:0:2}"

# usage "$@": prints the script's header and exits, with status 0 for -h, otherwise with 2.
usage() {
  [ -r "$0" ] || cd "$OLDPWD" || exit # $0 may be relative to the directory before cd
  local header
  header=$(sed -n '2,${/^#/!q;s/^# \{0,1\}//p;}' "$0")
  case ${1:-} in
    -h | --help) echo "$header" && exit 0 ;;
    *) echo "$header" >&2 && exit 2 ;;
  esac
}
