#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  install_files
  : >"$WORLD/cluster"
}

# calls: prints the calls of kubectl and the pauses in short, for example "apply,create".
calls() {
  sed -nE 's/^kubectl as root: (--namespace book-shop )?//; s/^(get|config|sleep).*/\1/p; s/^apply.*account.yaml$/apply/p
s/^wait .*(token).*/wait \1/p' "$LOG" | paste -sd,
}

@test "bootstrap-namespace: creates the namespace, and waits for the token of deploys" {
  verb bootstrap-namespace
  assert_answer ""
  assert_equal "$(calls)" "apply,wait token,sleep,wait token,get,config,config"
  run cat "$CONF/deployer.kubeconfig"
  assert_output 'apiVersion: v1
kind: Config
current-context: deployer
clusters: [{name: host, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: Q0E=}}]
users: [{name: deployer, user: {token: the-deployers-token}}]
contexts: [{name: deployer, context: {cluster: host, user: deployer, namespace: book-shop}}]'
}

@test "bootstrap-namespace: fails with a remedy if the token does not appear" {
  : >"$WORLD/never-token"
  DELIVERY_TOKEN_LIMIT=0 verb bootstrap-namespace
  assert_failed 1 "bootstrap-namespace: the Secret 'deployer-token' has no token after 0 s." \
    "See: kubectl --namespace book-shop describe secret deployer-token" "Then: $VERBS/bootstrap"
  refute [ -e "$CONF/deployer.kubeconfig" ]
}
