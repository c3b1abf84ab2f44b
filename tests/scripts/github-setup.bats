#!/usr/bin/env bats
load ../lib/shop.bash
# Slow: each request is a process of the real gh, whose words and exit statuses the verbs depend on.
load ../lib/github.bash
setup() {
  start_shop
  start_github "$TEST_DIR/github"
  tools gh
  real github-setup
  export AWS_REGION=eu-central-1
  terraform_says '{"name": {"value": "x"},
    "repository": {"value": "public.ecr.aws/a1b2c3d4/book-shop"},
    "documents": {"value": {"dev": "my-shop-dev", "prod": "my-shop-prod"}},
    "roles": {"value": {"dev": "arn:aws:iam::1:role/dev", "prod": "arn:aws:iam::1:role/prod"}},
    "urls": {"value": {"dev": "http://192.0.2.1:8080", "prod": "http://192.0.2.1"}}}'
}
teardown() {
  stop_github
  stop_shop
}

terraform_says() { fake_in_shop scripts/infra "echo '$1'"; }

all="\
+ variable: HOST=aws
+ variable: NAME=my-shop
+ variable: AWS_REGION=eu-central-1
+ variable: REPOSITORY=public.ecr.aws/a1b2c3d4/book-shop
+ environment dev: only from chosen branches
+ environment dev: from branch dev
+ environment dev: from branch main
+ variable of dev: AWS_ROLE=arn:aws:iam::1:role/dev
+ variable of dev: URL=http://192.0.2.1:8080
+ environment prod: only from chosen branches
+ environment prod: from branch main
+ variable of prod: AWS_ROLE=arn:aws:iam::1:role/prod
+ variable of prod: URL=http://192.0.2.1
+ rules main: deletion, non_fast_forward, required_status_checks
+ rules dev: deletion, non_fast_forward
+ rules releases: deletion, update"

@test "github-setup: an empty repository: all is shown, and done when the answer is yes" {
  verb github-setup <<<yes
  assert_success
  done=$(printf '==> %s\n' "${all//$'\n'/$'\n'==> }")
  assert_output acme/shop
  assert_errors_whole "==> to be changed in acme/shop
$all
Make these changes? Type yes to continue: $done"
  assert_log "scripts/infra output"
  assert_equal "$(github 's["variables"]')" '{"HOST": "aws", "NAME": "my-shop", "AWS_REGION": "eu-central-1", "REPOSITORY": "public.ecr.aws/a1b2c3d4/book-shop"}'
  assert_equal "$(github '{n: (e["variables"], [p["name"] for p in e["policies"]], e["deployment_branch_policy"]) for n, e in s["environments"].items()}')" \
    '{"dev": [{"AWS_ROLE": "arn:aws:iam::1:role/dev", "URL": "http://192.0.2.1:8080"}, ["dev", "main"], {"protected_branches": false, "custom_branch_policies": true}], "prod": [{"AWS_ROLE": "arn:aws:iam::1:role/prod", "URL": "http://192.0.2.1"}, ["main"], {"protected_branches": false, "custom_branch_policies": true}]}'
  assert_equal "$(github '[(r["name"], r["target"], r["enforcement"], r["conditions"]["ref_name"]["include"]) for r in s["rulesets"]]')" \
    '[["main", "branch", "active", ["refs/heads/main"]], ["dev", "branch", "active", ["refs/heads/dev"]], ["releases", "tag", "active", ["refs/tags/v*"]]]'
  assert_equal "$(github 's["rulesets"][0]["rules"][2]["parameters"]["required_status_checks"]')" '[{"context": "check"}]'
}

@test "github-setup: the second time nothing is asked and nothing is changed" {
  verb github-setup -y
  assert_success
  before=$(github s)
  : >"$GITHUB/requests"
  verb github-setup
  assert_success
  assert_output acme/shop
  assert_errors_whole "==> nothing to change"
  assert_equal "$(github_changed)" ""
  assert_equal "$(github s)" "$before"
}

@test "github-setup: any other answer changes nothing" {
  for answer in no y Yes "" "yes please"; do
    verb github-setup <<<"$answer"
    assert_failed 1 "$all" "not confirmed: nothing was changed"
  done
  verb github-setup </dev/null
  assert_failed 1 "not confirmed"
  assert_equal "$(github_changed)" ""
}

@test "github-setup: what somebody has changed is put right, and nothing else is touched" {
  verb github-setup -y
  github 's["variables"]["HOST"] = "local"; s["variables"]["MINE"] = "1"'
  github 'del s["environments"]["prod"]["variables"]["AWS_ROLE"]'
  github 's["environments"]["prod"]["policies"].append({"id": 77, "name": "*", "type": "branch"})'
  github 's["environments"]["dev"]["policies"].append({"id": 78, "name": "main", "type": "tag"})'
  github 's["rulesets"][0]["enforcement"] = "disabled"; s["rulesets"][1]["rules"].pop(); s["rulesets"].append({"id": 79, "name": "mine"})'
  : >"$GITHUB/requests"
  verb github-setup -y
  assert_success
  assert_errors "~ variable: HOST=aws (was local)"
  main=$(github 's["rulesets"][0]["id"]') dev=$(github 's["rulesets"][1]["id"]')
  assert_equal "$(github_changed)" "PATCH /actions/variables/HOST
DELETE /environments/dev/deployment-branch-policies/78
DELETE /environments/prod/deployment-branch-policies/77
POST /environments/prod/variables
PUT /rulesets/$main
PUT /rulesets/$dev"
  assert_equal "$(github '(s["variables"]["MINE"], [r["name"] for r in s["rulesets"]])')" '["1", ["main", "dev", "releases", "mine"]]'
  verb github-setup
  assert_errors_whole "==> nothing to change"
}

@test "github-setup: an environment that anything may deploy to is closed, and its reviewers and waiting time stay" {
  github 's["environments"]["prod"] = {"variables": {}, "policies": [], "deployment_branch_policy": None, "protection_rules": [
    {"type": "wait_timer", "wait_timer": 5},
    {"type": "required_reviewers", "prevent_self_review": True, "reviewers": [{"type": "User", "reviewer": {"id": 7, "login": "me"}}]},
    {"type": "branch_policy"}]}'
  verb github-setup -y
  assert_success
  assert_errors "~ environment prod: only from chosen branches"
  assert_equal "$(github 's["environments"]["prod"]["deployment_branch_policy"]["custom_branch_policies"], s["environments"]["prod"]["protection_rules"]')" \
    '[true, [{"type": "wait_timer", "wait_timer": 5}, {"type": "required_reviewers", "prevent_self_review": true, "reviewers": [{"type": "User", "reviewer": {"id": 7}}]}]]'
}

@test "github-setup: what GitHub refuses half-way is named, and the next run does the rest" {
  echo "POST /repos/acme/shop/rulesets 403" >"$GITHUB/faults" # as for a private repository without a plan
  verb github-setup -y
  assert_failed 1 "GitHub doesn't let this login do that" "POST rulesets" "a fault of the test"
  : >"$GITHUB/faults"
  verb github-setup -y
  assert_success
  assert_errors_whole "==> to be changed in acme/shop
$(tail -n 3 <<<"$all")
$(tail -n 3 <<<"$all" | sed 's/^/==> /')"
}

@test "github-setup: without infrastructure, region or login nothing is changed" {
  terraform_says '{}'
  verb github-setup -y
  assert_failed 1 "it is not known yet where to deploy to" "make infra"
  fake_in_shop scripts/infra 'echo "no state" >&2; exit 3'
  verb github-setup -y
  assert_failed 3 "no state"
  AWS_REGION='' verb github-setup -y
  assert_failed 1 "AWS_REGION is not set"
  terraform_says '{"repository": {"value": "r"}, "documents": {"value": {"dev": "d-dev"}}, "roles": {"value": {"dev": "r", "prod": "r"}}, "urls": {"value": {"dev": "u", "prod": "u"}}}'
  GH_TOKEN='' verb github-setup -y
  assert_failed 1 "there is no login for GitHub" "gh auth login"
  assert_equal "$(github_changed)" ""
}

@test "github-setup: -h and wrong calls" { assert_wrong_calls github-setup now; }
