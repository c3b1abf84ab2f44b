#!/usr/bin/env bats
# The calls that scripts/infra makes, and what it refuses. tests/e2e/test_infra.py runs it for real.
load ../lib/shop.bash

setup() {
  start_shop
  # What the fakes below answer with: the exit status of init, plan and the registry, the bucket or nothing.
  export INIT=0 PLAN=2 CURL=0 BUCKET=the-bucket
  export AWS_REGION=eu-central-1 GITHUB_REPOSITORY=acme/shop
  unset TF_VAR_name TF_CLI_CONFIG_FILE DELIVERY_AWS_ACCOUNT
  real infra
  tools find
  fake_in_shop scripts/user-data 'echo "install script"'
  fake_in_shop scripts/host-archive 'echo "archive"'
  mkdir -p "$HOME" "$SHOP/terraform"
  echo 'provider "registry.example/owner/aws" {' >"$SHOP/terraform/.terraform.lock.hcl"
  fake curl <<'END'
#!/bin/bash
echo "curl ${!#}" >>"$LOG"
exit "$CURL"
END
  fake python3 <<'END'
#!/bin/bash
[[ $3 != confirm ]] || exec "$SHOP_PYTHON" "$@"
echo "python3 $*" >>"$LOG"
[ -n "$BUCKET" ] && echo "$BUCKET"
END
  fake terraform <<'END'
#!/bin/bash
echo "terraform $*${TF_CLI_CONFIG_FILE:+ with $TF_CLI_CONFIG_FILE}" >>"$LOG"
echo "terraform $2 says"
case "$2 $*" in
  init*) exit "$INIT" ;;
  plan*-detailed-exitcode*) exit "$PLAN" ;;
esac
END
}
teardown() { stop_shop; }

before='python3 -m delivery terraform-state check
scripts/host-archive
scripts/user-data @URL@ @SHA256@ @REPOSITORY@ @ALLOWED_HOSTS@
curl https://registry.example/.well-known/terraform.json
terraform -chdir=terraform init -input=false -no-color -lockfile=readonly -reconfigure -backend-config=bucket=the-bucket -backend-config=region=eu-central-1'
planned="$before
terraform -chdir=terraform plan -no-color -input=false -out=.build/plan -detailed-exitcode"
applied='terraform -chdir=terraform apply -no-color -input=false .build/plan'
outputs='terraform -chdir=terraform output -json'

@test "infra plan: the plan on stdout, nothing else" {
  verb infra plan
  assert_success
  assert_output "terraform plan says"
  assert_log "$before
terraform -chdir=terraform plan -no-color -input=false"
  assert_equal "$(cat terraform/.build/user-data terraform/.build/host-files.tar.gz)" $'install script\narchive'
}

@test "infra cluster: the same in its own root, which needs neither install script nor GitHub repository" {
  unset GITHUB_REPOSITORY
  mkdir -p terraform/cluster
  mv terraform/.terraform.lock.hcl terraform/cluster/
  verb infra cluster plan
  assert_success
  assert_output "terraform plan says"
  assert_log "$(grep -vE "user-data|host-archive" <<<"${before//=terraform /=terraform\/cluster }")
terraform -chdir=terraform/cluster plan -no-color -input=false"
  verb infra cluster destroy <<<no
  assert_failed 1 "not confirmed: nothing was changed"
  : >"$LOG"
  verb infra cluster apply <<<yes
  assert_success
  assert_equal "$(tail -n 2 "$LOG")" "terraform -chdir=terraform/cluster apply -no-color -input=false .build/plan
terraform -chdir=terraform/cluster output -json"
  verb infra cluster
  assert_failed 2 "Usage: scripts/infra"
}

@test "infra output: JSON on stdout, nothing else" {
  verb infra output
  assert_success
  assert_output "terraform output says"
  assert_log "$before
$outputs"
}

@test "infra bootstrap: makes the bucket and calls no Terraform" {
  verb infra bootstrap
  assert_success
  assert_output the-bucket
  assert_log "python3 -m delivery terraform-state make"
}

@test "infra apply: changes what was shown when the answer is yes, and prints the outputs" {
  verb infra apply <<<yes
  assert_success
  assert_output "terraform output says"
  assert_log "$planned
$applied
$outputs"
}

@test "infra apply: any other answer changes nothing" {
  for answer in "" no y YES book-shop; do
    : >"$LOG"
    verb infra apply <<<"$answer"
    assert_failed 1 "not confirmed: nothing was changed"
    assert_log "$planned"
  done
  : >"$LOG"
  verb infra apply </dev/null
  assert_failed 1 "not confirmed: nothing was changed"
  assert_log "$planned"
}

@test "infra apply -y: asks nothing" {
  verb infra apply -y </dev/null
  assert_success
  assert_log "$planned
$applied
$outputs"
}

@test "infra apply: without a change asks nothing and applies nothing" {
  PLAN=0 verb infra apply </dev/null
  assert_success
  assert_errors "nothing to change"
  assert_log "$planned
$outputs"
}

@test "infra apply: a plan that fails changes nothing" {
  PLAN=1 verb infra apply -y
  assert_failed 1 "terraform plan failed" "nothing was changed"
  assert_log "$planned"
}

@test "infra destroy: wants the shop's name, and nothing else will do" {
  for answer in "" yes other; do
    : >"$LOG"
    verb infra destroy <<<"$answer"
    assert_failed 1 "not confirmed: nothing was changed"
    assert_log "$planned -destroy"
  done
  : >"$LOG"
  verb infra destroy <<<book-shop
  assert_success
  assert_output ""
  assert_errors "in the bucket the-bucket"
  assert_log "$planned -destroy
$applied"
  TF_VAR_name=other verb infra destroy <<<book-shop
  assert_failed 1 "not confirmed"
}

@test "infra: wrong account, region or credentials stop it before anything starts" {
  export BUCKET=
  for verb in plan "apply -y" destroy output; do
    : >"$LOG"
    # shellcheck disable=SC2086 # a list of words
    verb infra $verb
    assert_equal "$status" 1
    assert_log "python3 -m delivery terraform-state check"
  done
}

@test "infra: missing tool or settings are named before anything starts" {
  AWS_REGION='' verb infra plan
  assert_failed 1 "AWS_REGION: is not set" "export AWS_REGION="
  GITHUB_REPOSITORY='' verb infra plan
  assert_failed 1 "GITHUB_REPOSITORY: is not set" "export GITHUB_REPOSITORY="
  rm "$TEST_DIR/bin/terraform"
  verb infra apply -y
  assert_failed 1 "terraform is missing. Install"
  assert_log ""
}

@test "infra: a registry out of reach is replaced by a mirror on this machine, a project's own cache is none" {
  mkdir -p "$HOME/work/.terraform/registry.example/owner/aws" "$HOME/mirrors/here/registry.example/owner/aws"
  CURL=7 verb infra output
  assert_success
  grep -F "init -input=false -no-color -lockfile=readonly -plugin-dir=$HOME/mirrors/here -reconfigure" "$LOG"
}

@test "infra: without registry and mirror Terraform's own way is tried, and its failure explained" {
  CURL=7 verb infra output
  assert_success
  assert_log "$before
$outputs"
  CURL=7 INIT=1 verb infra output
  assert_failed 1 "terraform init failed" "registry.example/owner/aws" "put a mirror of it under"
}

@test "infra: a configuration file that is named but missing is forgotten, one that is there is kept" {
  TF_CLI_CONFIG_FILE=$TEST_DIR/none verb infra output
  assert_log "$before
$outputs"
  touch "$TEST_DIR/some.tfrc"
  TF_CLI_CONFIG_FILE=$TEST_DIR/some.tfrc verb infra output
  grep -F "output -json with $TEST_DIR/some.tfrc" "$LOG"
}

@test "infra: -h and wrong calls" {
  verb infra -h
  assert_success
  assert_output --partial "Usage: scripts/infra [cluster] <bootstrap|plan|apply [-y]|destroy|output>"
  assert_output --partial "Runs on: laptop or CI"
  for arguments in "" "-y" "plan -y" "destroy -y" "apply -y -y" "apply yes" "import" "plan;id"; do
    # shellcheck disable=SC2086 # a list of words
    verb infra $arguments
    assert_failed 2 "Usage: scripts/infra"
  done
  assert_log ""
}
