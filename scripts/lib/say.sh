# shellcheck shell=bash
# Sourced by the shell verbs: progress, errors and help. Help that the user requests with -h is
# printed on stdout, everything else on stderr.
say() { echo "==> $*" >&2; }

# die MESSAGE [STATUS]
die() {
  echo "${0##*/}: $1" >&2
  exit "${2:-1}"
}

# usage "$@": the header of the script; -h asked for it, everything else is a wrong call.
usage() {
  [ -r "$0" ] || cd "$OLDPWD" || exit # a relative $0, looked for after the script's own cd
  local header
  header=$(sed -n '2,${/^#/!q;s/^# \{0,1\}//p;}' "$0")
  case ${1:-} in
    -h | --help) echo "$header" && exit 0 ;;
    *) echo "$header" >&2 && exit 2 ;;
  esac
}
