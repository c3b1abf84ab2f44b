#!/usr/bin/env bats
# Confirmation, refusals and an unreachable provider registry. tests/e2e/test_infra.py runs scripts/infra against a fake AWS:
# bootstrap, plan, apply with and without -y, destroy.
load ../lib/shop.bash

setup() {
  start_shop infra
  # Results of the fakes below: the exit status of init, plan and the registry; the bucket or nothing.
  export INIT=0 PLAN=2 CURL=0 BUCKET=the-bucket
  export AWS_REGION=eu-central-1 GITHUB_REPOSITORY=acme/shop
  unset TF_VAR_name TF_CLI_CONFIG_FILE DELIVERY_AWS_ACCOUNT
  tools find
  fake_in_shop scripts/user-data 'echo "install script"'
  fake_in_shop scripts/host-archive 'echo "archive"'
  mkdir -p "$HOME" terraform/cluster
  echo 'provider "registry.example/owner/aws" {' | tee terraform/.terraform.lock.hcl >terraform/cluster/.terraform.lock.hcl
  # shellcheck disable=SC2016 # the fakes themselves expand them
  {
    logged curl 'exit "$CURL"'
    logged python3 '[[ $3 != confirm ]] || exec "$SHOP_PYTHON" "$@"
[ -n "$BUCKET" ] && echo "$BUCKET"'
    logged terraform 'echo "terraform $2 says"
[ -z "${TF_CLI_CONFIG_FILE:-}" ] || echo "configured by $TF_CLI_CONFIG_FILE" >>"$LOG"
case "$2 $*" in
  init*) exit "$INIT" ;;
  plan*-detailed-exitcode*) exit "$PLAN" ;;
esac'
  }
}

# called: prints Terraform's commands, for example "init,plan,apply".
called() { sed -nE 's/^terraform -chdir=[^ ]* ([a-z]+).*/\1/p' "$LOG" | paste -sd,; }

@test "infra: prints only the plan or the outputs on stdout" {
  verb infra plan
  assert_answer "terraform plan says"
  assert_equal "$(cat terraform/.build/user-data terraform/.build/host-files.tar.gz)" $'install script\narchive'
  assert grep -F "init -input=false -no-color -lockfile=readonly -reconfigure -backend-config=bucket=the-bucket \
-backend-config=region=eu-central-1" "$LOG"
  next_verb infra output
  assert_answer "terraform output says"
  assert_equal "$(called)" "init,output"
}

@test "infra cluster: uses its own root and needs no install script and no GITHUB_REPOSITORY" {
  unset GITHUB_REPOSITORY
  verb infra cluster plan
  assert_answer "terraform plan says"
  verb infra cluster destroy <<<no
  assert_failed 1 "not confirmed: nothing was changed"
  verb infra cluster apply <<<yes
  assert_answer "terraform output says"
  assert_equal "$(called)" "init,plan,init,plan,init,plan,apply,output"
  refute grep -E 'user-data|host-archive|chdir=terraform ' "$LOG"
}

@test "infra: applies only the confirmed plan, and nothing without the expected word" {
  while IFS='|' read -r arguments answer; do
    # shellcheck disable=SC2086 # a list of words
    next_verb infra $arguments < <(printf '%s' "$answer")
    assert_failed 1 "not confirmed: nothing was changed"
    assert_equal "$(called)" "init,plan"
  done <<<'apply|
apply|book-shop
destroy|yes
destroy|other'
  TF_VAR_name=other next_verb infra destroy <<<book-shop
  assert_failed 1 "not confirmed"
  next_verb infra destroy <<<book-shop
  assert_answer ""
  assert_errors "in the bucket the-bucket"
  assert_equal "$(called)" "init,plan,apply"
  assert grep " plan .* -out=.build/plan .* -destroy" "$LOG"
  assert grep " apply .* .build/plan" "$LOG"
}

@test "infra apply: asks and applies nothing if nothing changes or the plan fails" {
  PLAN=0 succeeds infra apply </dev/null
  assert_errors "nothing to change"
  assert_equal "$(called)" "init,plan,output"
  PLAN=1 next_verb infra apply -y
  assert_failed 1 "terraform plan failed" "nothing was changed"
  assert_equal "$(called)" "init,plan"
}

@test "infra: stops before any change without the bucket, a setting or Terraform" {
  export BUCKET=
  for arguments in plan "apply -y" destroy output; do
    # shellcheck disable=SC2086 # a list of words
    fails infra $arguments
    assert_equal "$(called)" ""
  done
  for name in AWS_REGION GITHUB_REPOSITORY; do
    (unset "$name" && next_verb infra plan && assert_failed 1 "$name: is not set" "export $name=" && assert_log "")
  done
  rm "$TEST_DIR/bin/terraform"
  next_verb infra apply -y
  assert_failed 1 "terraform is not on the PATH. Install it: make setup-infra"
  assert_log ""
}

@test "infra: uses a local mirror if the provider registry is unreachable, and explains a failure" {
  mkdir -p "$HOME/work/.terraform/registry.example/owner/aws" # the cache of a project is not used as a mirror
  CURL=7 verb infra output
  assert_answer "terraform output says"
  refute grep plugin-dir "$LOG"
  CURL=7 INIT=1 verb infra output
  assert_failed 1 "terraform init failed" "registry.example/owner/aws" "put a mirror of it under"
  mkdir -p "$HOME/mirrors/here/registry.example/owner/aws"
  CURL=7 succeeds infra output
  assert grep -F " init -input=false -no-color -lockfile=readonly -plugin-dir=$HOME/mirrors/here -reconfigure" "$LOG"
}

@test "infra: ignores TF_CLI_CONFIG_FILE if the file does not exist" {
  TF_CLI_CONFIG_FILE=$TEST_DIR/none verb infra output
  refute grep configured "$LOG"
  touch "$TEST_DIR/some.tfrc"
  TF_CLI_CONFIG_FILE=$TEST_DIR/some.tfrc verb infra output
  assert grep -xF "configured by $TEST_DIR/some.tfrc" "$LOG"
}
