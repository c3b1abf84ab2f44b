# shellcheck shell=bash disable=SC2034 # some variables are for those who source this
# Sourced by lib/deploy.sh: what an image may be, and getting it here.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
space_wanted=2048 # MB: above the 5 % of a 30 GB disk at which Kubernetes begins to evict pods

# check_image <image>: refuses all but this host's repository at a digest.
check_image() {
  local LC_ALL=C
  [[ $1 =~ ^[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}$ ]] || die "not an image at a digest: '${1:0:200}'. Wanted: $REPOSITORY@sha256:<64 hex digits>" 2
  [ "${1%@*}" = "$REPOSITORY" ] || die "this host runs images of $REPOSITORY only, not of ${1%@*}" 2
}

# pull <image>: makes sure that it is here and can run here; $revision is its commit. A digest is checked by Docker itself; one that is
# here already asks nothing of the registry, and wants no space.
pull() {
  local free platform own
  if ! docker image inspect "$1" >/dev/null 2>&1; then
    free=$(df --output=avail --block-size=M "$state" | sed '1d; s/[^0-9]//g')
    [ "$free" -ge "$space_wanted" ] || die "$free MB are free on the disk, a deploy wants $space_wanted: nothing was touched. See: docker system df; journalctl --disk-usage"
    say "pull $1"
    docker pull -q "$1" >/dev/null || die "can't pull $1: is it in the registry, and can this host reach it?"
  fi
  own=$(platform)
  read -r platform revision < <(docker image inspect -f '{{.Os}}/{{.Architecture}} {{index .Config.Labels "org.opencontainers.image.revision"}}' "$1") || die "can't look into $1"
  [ "$platform" = "$own" ] || die "$1 is built for $platform, this host is $own: build it on such a machine (make image push)"
  [[ $revision =~ ^[0-9a-f]{40}$ ]] || die "$1 does not say of which commit it is: build it by 'make image'"
}
