# shellcheck shell=bash
# Sourced by the scripts that run Terraform: where its provider comes from.

# Terraform warns on each call if TF_CLI_CONFIG_FILE names a missing file.
[ -e "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE
# With these settings of other projects, Terraform would use another state.
unset TF_DATA_DIR TF_WORKSPACE
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

# registry_answers PROVIDER: any error of curl means that a mirror is needed, so none is printed.
registry_answers() {
  curl -fsS -m 5 -o /dev/null "https://${1%%/*}/.well-known/terraform.json" 2>/dev/null
}

# find_provider PROVIDER: prints the provider's directory in the first mirror on this machine, or
# nothing.
find_provider() {
  # find fails if a directory does not exist or cannot be read. Such a directory has no mirror.
  find -L /opt /usr/share /usr/local/share "$HOME" -maxdepth 6 -name .terraform -prune \
    -o -type d -path "*/$1" -print -quit 2>/dev/null || true
}

# terraform_init ROOT [ARGUMENT...]: runs terraform init with the locked provider. If the provider's
# registry does not answer, it uses a mirror on this machine, which is a directory that contains
# <registry>/<owner>/<provider>. Without a mirror, Terraform uses its own configuration.
terraform_init() {
  local root=$1 provider directory
  shift
  provider=$(sed -n 's/^provider "\(.*\)" {$/\1/p' "$root/.terraform.lock.hcl")
  if ! registry_answers "$provider"; then
    directory=$(find_provider "$provider")
    [ -z "$directory" ] || set -- "-plugin-dir=${directory%"/$provider"}" "$@"
  fi
  terraform -chdir="$root" init -input=false -no-color -lockfile=readonly "$@" >&2 \
    || fail "terraform init failed, see above. If the registry of the provider '$provider' cannot\
 be reached, put a mirror of it under ~/.terraform.d/plugins"
}
