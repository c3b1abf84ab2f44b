# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
# Sourced by all that deals with a cluster: where things are.
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${CLUSTER_STATE:?scripts/lib/host.py makes that directory, for as long as the verb runs}
# shellcheck source=../../lib/say.sh
. "$home/../lib/say.sh"
