# shellcheck shell=bash
# Sourced by lib/deploy.sh: what each environment has served. The truth is what NGINX and Kubernetes run; this only remembers.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
deploys=$state/deploys.jsonl # a line for each deploy; only ever appended to

# remembered <environment> <current|previous>: an image, or nothing.
remembered() { recall && if [ -f "$state/$1/$2" ]; then cat "$state/$1/$2"; fi; }

# remember <environment> <image>: it serves now; what served before is what a rollback brings back.
remember() {
  local current
  log_deploy "$1" "$2" ok
  current=$(remembered "$1" current)
  if [ "$current" != "$2" ]; then
    [ -z "$current" ] || write "$state/$1/previous" <<<"$current"
    write "$state/$1/current" <<<"$2"
  fi
  keep_remembered
}

# write <file>: standard input becomes the file whole or not at all.
write() { cat >"$1.new" && mv "$1.new" "$1"; }

# log_deploy <environment> <image> <ok|failed>
log_deploy() {
  jq -cn --arg time "$(date -u +%FT%TZ)" --arg actor "${ACTOR:-unknown}" --arg environment "$1" --arg verb "${VERB:-deploy}" --arg commit "${revision:-}" \
    --arg digest "${2#*@}" --arg result "$3" --argjson seconds "$SECONDS" '$ARGS.named' >>"$deploys"
}

# logged <environment> [image]: the lines of its deploys, or of those of one image. A line that a power cut has left torn is passed over.
logged() {
  local image=${2:-}
  recall
  [ ! -f "$deploys" ] || jq -cR --arg environment "$1" --arg digest "${image#*@}" \
    'fromjson? | select(.environment == $environment and $digest == ("", .digest))' "$deploys"
}

# roll_back <environment> [image]: becomes the deploy of the image, which has served there before; of what served last if none is named.
roll_back() {
  local image=${2:-}
  [ -z "$image" ] || check_image "$image"
  take_lock "$1" "rollback-$1" # what is previous may change while another deploy runs
  image=${image:-$(remembered "$1" previous)}
  [ -n "$image" ] || die "nothing to roll back to: $1 has served no other image yet"
  case $(logged "$1" "$image" | jq -r 'select(.verb | startswith("restore") | not) | .result' | tail -n 1) in
    ok) VERB=rollback exec "$home/bin/deploy-$1" "$image" ;;
    failed) die "$image failed when it was last deployed to $1: a rollback goes to what has served. Which did: make history-$1" ;;
    *) die "$1 has never served $image. Which it has: make history-$1; to serve a new one: make deploy-$1" ;;
  esac
}
