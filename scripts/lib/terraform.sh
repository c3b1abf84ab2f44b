# shellcheck shell=bash
# Sourced by what runs Terraform: where the provider comes from.

# A configuration file that is named but missing would make each call of Terraform warn.
[ -e "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

# registry_answers <provider>: an error of curl means that it does not.
registry_answers() {
  curl -fsS -m 5 -o /dev/null "https://${1%%/*}/.well-known/terraform.json" 2>/dev/null
}

# find_provider <provider>: prints its directory in the first mirror on this machine, or nothing.
# find fails at directories that are missing or that it may not read; those contain no mirror.
find_provider() {
  find -L /opt /usr/share /usr/local/share "$HOME" -maxdepth 6 -name .terraform -prune \
    -o -type d -path "*/$1" -print -quit 2>/dev/null || true
}

# terraform_init <root> [argument]...: initialises the root with its locked provider. The provider
# comes from its registry. If that does not answer, it comes from a mirror on this machine: a
# directory that contains <registry>/<owner>/<provider>. Without a mirror, Terraform uses its own
# configuration.
terraform_init() {
  local root=$1 provider found
  shift
  provider=$(sed -n 's/^provider "\(.*\)" {$/\1/p' "$root/.terraform.lock.hcl")
  if ! registry_answers "$provider"; then
    found=$(find_provider "$provider")
    [ -z "$found" ] || set -- "-plugin-dir=${found%"/$provider"}" "$@"
  fi
  terraform -chdir="$root" init -input=false -no-color -lockfile=readonly "$@" >&2 \
    || die "terraform init failed, see above. The provider $provider comes from its registry;\
 behind a closed network put a mirror of it under ~/.terraform.d/plugins"
}
