# shellcheck shell=bash
# Sourced by what runs Terraform: where the provider comes from.

# A configuration file that is named but missing would make each call of Terraform warn.
if [ -n "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -e "$TF_CLI_CONFIG_FILE" ]; then unset TF_CLI_CONFIG_FILE; fi
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

# terraform_init <root> [argument]...: there, with the locked provider: from its registry, or where that is out of reach from a mirror
# on this machine, a directory that holds <registry>/<owner>/<provider>. Without either, Terraform's own configuration may know a way.
terraform_init() {
  local root=$1 provider found
  shift
  provider=$(sed -n 's/^provider "\(.*\)" {$/\1/p' "$root/.terraform.lock.hcl")
  if ! curl -fsS -m 5 -o /dev/null "https://${provider%%/*}/.well-known/terraform.json" 2>/dev/null; then
    # find complains of directories that are missing or closed to it: no mirror there
    found=$(find -L /opt /usr/share /usr/local/share "$HOME" -maxdepth 6 -name .terraform -prune -o -type d -path "*/$provider" -print -quit 2>/dev/null || true)
    [ -z "$found" ] || set -- "-plugin-dir=${found%"/$provider"}" "$@"
  fi
  terraform -chdir="$root" init -input=false -no-color -lockfile=readonly "$@" >&2 \
    || die "terraform init failed, see above. The provider $provider comes from its registry; behind a closed network put a mirror of it under ~/.terraform.d/plugins"
}
