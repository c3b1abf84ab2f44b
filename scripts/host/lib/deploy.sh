# shellcheck shell=bash
# Sourced by the verbs: what serves, how a deploy fails.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

# shellcheck source=../lib/own.sh
. "$home/lib/own.sh"
# shellcheck source=../lib/history.sh
. "$home/lib/history.sh"
# shellcheck source=../lib/images.sh
. "$home/lib/images.sh"

# serving <environment>: the image that runs there; nothing when none does.
serving() {
  case $1 in
    dev) docker ps --no-trunc --filter "name=^book-shop-$(live_slot)$" --format '{{.Image}}' ;;
    prod) kubectl get deployment book-shop --ignore-not-found -o 'jsonpath={.spec.template.spec.containers[0].image}' ;;
  esac
}

# remove <name>: that container of ours, if there is one.
remove() { docker ps -aq --filter "name=^book-shop-$1$" | xargs -r docker rm -f >/dev/null; }

# answers <environment> <revision>: it answers there with that revision.
answers() {
  local answer
  answer=$(curl -fsS -m 5 "$(url "$1")/version") && [ "$(jq -r .revision <<<"$answer")" = "$2" ]
} 2>/dev/null # "not yet" is an answer

# give_up <environment> <image> <why>: a deploy's last words; the old image serves on.
give_up() {
  local still
  log_deploy "$1" "$2" failed
  keep_remembered || say "the deploy log does not have it"
  still=$(serving "$1") || still="what did, which does not say"
  die "$3. Still serving: ${still:-nothing}"
}
