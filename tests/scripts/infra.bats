#!/usr/bin/env bats
# Confirmation, refusals and an unreachable provider registry. tests/e2e/test_infra.py runs scripts/infra against a fake AWS:
# bootstrap, plan, apply with and without -y, destroy.
load ../lib/shop.bash

setup() {
  start_shop infra
  # Results of the fakes below: the exit status of Terraform's commands, of the registry and of GitHub; the bucket or
  # nothing, the operation of the package that fails, the name of the last snapshot, and GitHub's subject.
  export INIT=0 PLAN=2 APPLY=0 CURL=0 GITHUB=0 BUCKET=the-bucket FAILS=none SNAPSHOT='' SUBJECT=repo:acme@1/shop@2
  export AWS_REGION=eu-central-1 GITHUB_REPOSITORY=acme/shop
  unset TF_VAR_name TF_VAR_github_subject_prefix TF_CLI_CONFIG_FILE DELIVERY_AWS_ACCOUNT
  tools find
  fake_in_shop scripts/user-data 'echo "install script"'
  fake_in_shop scripts/host-archive 'echo "archive"'
  mkdir -p "$HOME" terraform/cluster
  echo 'provider "registry.example/owner/aws" {' | tee terraform/.terraform.lock.hcl >terraform/cluster/.terraform.lock.hcl
  # shellcheck disable=SC2016 # the fakes themselves expand them
  {
    logged curl 'exit "$CURL"'
    logged python3 '[[ $3 != confirm ]] || exec "$SHOP_PYTHON" "$@"
[[ $3 != check-plan ]] || mapfile # as the real one: reads all that Terraform writes
[[ $3 != "$FAILS" ]] || exit 1
[[ $3 != check-plan ]] || echo "$SNAPSHOT"
[ "$3" != github-subject ] || { echo "$SUBJECT" && exit "$GITHUB"; }
[[ $3 != terraform-state ]] || { [[ -n $BUCKET ]] && echo "$BUCKET"; }'
    logged terraform 'echo "terraform $2 says"
echo "trusts ${TF_VAR_github_subject_prefix:-}" >>"$LOG"
echo "state ${TF_DATA_DIR-default} ${TF_WORKSPACE-default}" >>"$LOG"
[ -z "${TF_CLI_CONFIG_FILE:-}" ] || echo "configured by $TF_CLI_CONFIG_FILE" >>"$LOG"
case "$2 $*" in
  init*) exit "$INIT" ;;
  plan*-detailed-exitcode*) exit "$PLAN" ;;
  apply*) exit "$APPLY" ;;
esac'
  }
}

# operations: prints what the package is called for, for example "terraform-lock,check-plan".
operations() { sed -nE 's/^python3 -m delivery ([a-z-]+).*/\1/p' "$LOG" | paste -sd,; }

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

@test "infra: uses the state of this project, whatever Terraform's settings in the environment are" {
  TF_DATA_DIR=/elsewhere TF_WORKSPACE=other verb infra plan
  assert_success
  assert_equal "$(grep ^state "$LOG" | sort -u)" "state default default"
}

@test "infra cluster: uses its own root and needs no install script and no GITHUB_REPOSITORY" {
  unset GITHUB_REPOSITORY
  verb infra cluster plan
  assert_answer "terraform plan says"
  verb infra cluster destroy <<<no
  assert_failed 1 "not confirmed: nothing was changed"
  verb infra cluster apply <<<yes
  assert_answer "terraform output says"
  assert_equal "$(called)" "init,plan,init,plan,show,init,plan,show,apply,output"
  refute grep -E 'user-data|host-archive|chdir=terraform ' "$LOG"
}

@test "infra: applies only the confirmed plan, and nothing without the expected word" {
  while IFS='|' read -r arguments answer; do
    # shellcheck disable=SC2086 # a list of words
    next_verb infra $arguments < <(printf '%s' "$answer")
    assert_failed 1 "not confirmed: nothing was changed"
    assert_equal "$(called)" "init,plan,show"
  done <<<'apply|
apply|book-shop
destroy|yes
destroy|other'
  TF_VAR_name=other next_verb infra destroy <<<book-shop
  assert_failed 1 "not confirmed"
  next_verb infra destroy <<<book-shop
  assert_answer ""
  assert_errors "in the bucket the-bucket"
  assert_equal "$(called)" "init,plan,show,apply"
  assert grep " plan .* -out=.build/plan .* -destroy" "$LOG"
  assert grep " apply .* .build/plan" "$LOG"
  assert_equal "$(grep '^python3' "$LOG" | tail -n 1)" "python3 -m delivery delete-parameters book-shop eu-central-1"
}

@test "infra apply: asks and applies nothing if nothing changes or the plan fails" {
  PLAN=0 succeeds infra apply </dev/null
  assert_errors "nothing to change"
  assert_equal "$(called)" "init,plan,output"
  PLAN=1 next_verb infra apply -y
  assert_failed 1 "terraform plan failed" "nothing was changed"
  assert_equal "$(called)" "init,plan"
}

@test "infra apply: waits for the installation, also if nothing changes, and fails if it fails" {
  for PLAN in 0 2; do
    next_verb infra apply -y
    assert_answer "terraform output says"
    assert_regex "$(operations)" "terraform-lock,.*wait-for-installation$"
    FAILS=wait-for-installation next_verb infra apply -y
    assert_failure 1
    assert_output ""
  done
  next_verb infra cluster apply -y
  refute_regex "$(operations)" "wait-for-installation"
}

@test "infra: stops before any change if another run holds the lock, or if the plan cannot be carried out" {
  for verb in plan 'apply -y' destroy 'cluster plan' 'cluster apply -y' 'cluster destroy'; do
    # shellcheck disable=SC2086 # a list of words
    FAILS=terraform-lock next_verb infra $verb <<<book-shop
    assert_failure 1
    assert_equal "$(called)" "init"
    [[ $verb == *plan ]] && continue
    # shellcheck disable=SC2086 # a list of words
    FAILS=check-plan next_verb infra $verb <<<book-shop
    assert_failure 1
    assert_equal "$(called)" "init,plan,show"
  done
}

@test "infra: looks for the lock again if Terraform fails" {
  PLAN=1 next_verb infra apply -y
  assert_failed 1 "terraform plan failed, see above: nothing was changed"
  assert_equal "$(operations)" "github-subject,terraform-state,terraform-lock,terraform-lock"
  APPLY=1 next_verb infra apply -y
  assert_failed 1 "terraform apply failed, see above"
  assert_equal "$(operations)" "github-subject,terraform-state,terraform-lock,check-plan,terraform-lock"
  # An apply that failed may have changed something.
  assert_equal "$(sed -n 's/.* terraform-lock //p' "$LOG")" "terraform : nothing was changed
terraform"
}

@test "infra cluster destroy: prints the name of the last snapshot before and after" {
  SNAPSHOT=book-shop-last-0a1b next_verb infra cluster destroy <<<book-shop
  assert_errors "==> the last snapshot of the database will be 'book-shop-last-0a1b' in RDS" \
    "in the bucket the-bucket and the last snapshot of the database, 'book-shop-last-0a1b'"
  refute grep delete-parameters "$LOG"
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

@test "infra: passes GitHub's subject to a plan, and creates nothing without it" {
  for arguments in plan "apply -y"; do
    # shellcheck disable=SC2086 # a list of words
    next_verb infra $arguments
    assert grep -xF "trusts repo:acme@1/shop@2" "$LOG"
    # shellcheck disable=SC2086 # a list of words
    GITHUB=1 next_verb infra $arguments
    assert_failed 1
    assert_log "python3 -m delivery github-subject"
  done
}

@test "infra: asks GitHub neither to delete, nor to print, nor for the cluster" {
  export GITHUB=1
  for arguments in bootstrap output destroy "cluster plan"; do
    # shellcheck disable=SC2086 # a list of words
    next_verb infra $arguments <<<book-shop
    assert_success
  done
}

@test "infra: only bootstrap and apply create the bucket" {
  while IFS='|' read -r arguments state; do
    # shellcheck disable=SC2086 # a list of words
    next_verb infra $arguments <<<book-shop
    assert grep -xF "python3 -m delivery terraform-state $state" "$LOG"
  done <<'TABLE'
bootstrap|make
apply -y|make
cluster apply -y|make
plan|check
output|check
destroy|check
TABLE
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

@test "infra: only its user can read the plan, which contains secrets, and it is deleted at the end" {
  plan=terraform/.build/plan
  mkdir -p terraform/.build
  # shellcheck disable=SC2016 # the fake itself expands it
  logged terraform 'cd terraform
case "$2" in
  plan) [ ! -e .build/plan ] && echo secret >.build/plan && exit 2 ;;
  apply) find .build/plan -printf "%m\n" >"$TEST_DIR/mode" && exit "$APPLY" ;;
esac'
  export TEST_DIR APPLY
  while IFS=: read -r APPLY expected arguments; do
    install -m 644 /dev/null "$plan" # left behind by a killed run of an earlier version
    # shellcheck disable=SC2086 # several arguments
    next_verb infra $arguments </dev/null
    assert_equal "$status" "$expected"
    [ ! -e "$plan" ]
  done <<'TABLE'
0:0:apply -y
1:1:apply -y
0:1:apply
TABLE
  assert_equal "$(cat "$TEST_DIR/mode")" 600
}
