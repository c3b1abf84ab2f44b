#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../lib/shop.bash
TOOLS=(curl update-ca-certificates nft ss sysctl bats prove xgettext jq openssl chromium terraform)

# A machine that has every tool and no environment. Each lock file of the shop has one package.
setup() {
  start_shop setup
  called_by root
  fake_in_shop scripts/local/engine
  tools chmod cmp cp find flock install ln sha256sum sort touch uname
  for tool in "${TOOLS[@]}"; do logged "$tool"; done
  logged apt-get 'for package in "$@"; do : >"$TEST_DIR/installed-$package"; done
[[ " $* " != *" download "* ]] || : >"${!#}_1_amd64.deb"'
  logged dpkg-deb 'mkdir -p "$3/usr/bin" "$3/usr/sbin" && echo "the registry" >"$3/usr/bin/docker-registry" && echo "the server" >"$3/usr/sbin/nginx"'
  logged pip 'echo "what pip says"; [ ! -f "$TEST_DIR/pip-fails" ] || { touch .venv/half-installed; exit 1; }'
  fake python3 <<'END'
#!/bin/bash
case "$*" in
  "-m venv .venv")
    echo venv >>"$LOG"
    install -D "$TEST_DIR/bin/pip" .venv/bin/pip
    install /dev/null .venv/bin/python3
    ;;
  "-m venv .venv/checkov")
    echo venv-checkov >>"$LOG"
    install -D "$TEST_DIR/bin/pip" .venv/checkov/bin/pip
    install /dev/null .venv/checkov/bin/python3
    ;;
  "-c import ensurepip") [ ! -f "$TEST_DIR/no-ensurepip" ] || [ -f "$TEST_DIR/installed-python3-venv" ] ;;
  *) exec "$PYTHON" "$@" ;;
esac
END
  export PYTHON TEST_DIR
  mkdir tests
  mkdir -p scripts/checkov
  for directory in book-shop scripts scripts/checkov tests; do
    rm -f "$directory/requirements.lock"
    echo "package==1 --hash=sha256:aa # of $directory" >"$directory/requirements.lock"
  done
}

# steps: the log in short, as in "venv,pip book-shop scripts,update,install jq,registry,nginx,engine".
steps() {
  sed -E 's|^scripts/local/||; s|^pip .* --no-deps --require-hashes --only-binary :all:|pip|
s|--requirement=([a-z/-]+)/requirements.lock|\1|g; s|^apt-get .* update$|update|
s|^apt-get .* install -y --no-install-recommends|install|; s|^apt-get .* download docker-registry$|registry|; s|^apt-get .* download nginx$|nginx|
/^dpkg-deb/d' "$LOG" | paste -sd,
}
# set_up STEPS [PURPOSE...]: does these steps, and prints nothing on stdout.
set_up() {
  next_verb setup "${@:2}"
  assert_answer ""
  assert_equal "$(steps)" "$1"
}

@test "setup: installs what each purpose needs and nothing else, once" {
  while IFS=: read -r purpose steps; do
    rm -rf .venv
    # shellcheck disable=SC2086 # without a purpose there is no argument
    set_up "venv,$steps" $purpose
    [[ $steps == *engine ]] && steps=engine || steps= # it finds its own engine running
    # shellcheck disable=SC2086
    set_up "$steps" $purpose
    assert_errors_whole ""
  done <<'TABLE'
run:pip book-shop
deploy:pip scripts
infra:pip scripts
image:pip scripts,engine
demo:pip scripts,engine
tools:pip tests
check:pip book-shop scripts tests,venv-checkov,pip scripts/checkov,update,registry,nginx
test:pip book-shop scripts tests,venv-checkov,pip scripts/checkov,update,registry,nginx,engine
:pip book-shop scripts tests,venv-checkov,pip scripts/checkov,update,registry,nginx,engine
TABLE
  rmdir "$TMPDIR" # nothing is left behind
}

@test "setup: reports its steps, and installs an executable registry and NGINX for the tests" {
  verb setup check
  assert_errors_whole "\
==> installing the Python packages of book-shop scripts tests
what pip says
==> installing checkov
what pip says
==> downloading docker-registry for the tests
==> downloading nginx for the tests"
  assert_equal "$(cat .venv/bin/docker-registry .venv/bin/nginx)" "the registry
the server"
  [ -x .venv/bin/docker-registry ] && [ -x .venv/bin/nginx ]
}

@test "setup: installs each missing tool that a purpose needs from the distribution" {
  while read -r purpose tool package; do
    mv "$TEST_DIR/bin/$tool" "$TEST_DIR/away"
    succeeds setup "$purpose"
    assert_errors "==> installing $package"
    assert_regex "$(steps)" "^update,install $package(,|\$)"
    mv "$TEST_DIR/away" "$TEST_DIR/bin/$tool"
  done <<'TOOLS'
image curl curl
image update-ca-certificates ca-certificates
demo ss iproute2
demo sysctl procps
demo openssl openssl
infra curl curl
infra jq jq
check bats bats
check prove perl
check xgettext gettext
check jq jq
check openssl openssl
check ss iproute2
check nft nftables
TOOLS
}

@test "setup: installs no tool that the purpose does not need" {
  rm "${TOOLS[@]/#/$TEST_DIR/bin/}"
  set_up "venv,pip book-shop" run
  set_up "pip tests" tools
  set_up "pip scripts" deploy
}

@test "setup: installs several missing tools at once, after one update" {
  rm "$TEST_DIR/bin/bats" "$TEST_DIR/bin/prove" "$TEST_DIR/bin/ss"
  touch "$TEST_DIR/no-ensurepip"
  packages="bats iproute2 perl python3-venv"
  set_up "update,install $packages,venv,pip book-shop scripts tests,venv-checkov,pip scripts/checkov,registry,nginx,engine" test
  assert_errors "==> installing $packages"
}

@test "setup: combines purposes in any order, and installs a lock file again only when it has changed" {
  set_up "venv,pip tests" tools
  set_up "pip scripts" deploy
  set_up "pip book-shop" run tools
  set_up "venv-checkov,pip scripts/checkov,update,registry,nginx" check
  echo 'ruff==1 --hash=sha256:cc' >>tests/requirements.lock
  set_up "pip tests" check
  set_up "" check
  rm -rf .venv
  set_up "venv,pip book-shop scripts" run deploy
  set_up "pip tests" tools
}

@test "setup: installs packages again that the lock file of another version replaced" {
  for lock in scripts tests; do cp "$lock/requirements.lock" "$TEST_DIR/$lock.lock"; done
  set_up "venv,pip scripts tests" deploy tools
  echo 'shared==2 --hash=sha256:cc' | tee -a tests/requirements.lock >>scripts/requirements.lock
  set_up "pip scripts" deploy # brings version 2
  for lock in scripts tests; do cp "$TEST_DIR/$lock.lock" "$lock/requirements.lock"; done
  set_up "pip tests" tools
}

@test "setup: repeats an interrupted installation in an empty environment" {
  set_up "venv,pip tests" tools
  touch "$TEST_DIR/pip-fails"
  fails setup run
  rm "$TEST_DIR/pip-fails"
  set_up "venv,pip book-shop" run
  [ ! -e .venv/half-installed ]
  set_up "" run
  set_up "pip tests" tools # was removed with the incomplete environment
}

@test "setup: repeats an interrupted installation for make, which puts the environment on the PATH" {
  touch "$TEST_DIR/pip-fails"
  fails setup run
  rm "$TEST_DIR/pip-fails"
  run env PATH="$SHOP/.venv/bin:$TEST_DIR/bin" scripts/setup run
  assert_success
  set_up "" run
}

@test "setup: needs no package index if the environment is restored from a cache" {
  set_up "venv,pip scripts" deploy
  mv .venv "$TEST_DIR/cached"
  touch "$TEST_DIR/pip-fails"
  mv "$TEST_DIR/cached" .venv
  set_up "" deploy
  echo 'another==1 --hash=sha256:cc' >>scripts/requirements.lock
  fails setup deploy
}

@test "setup: installs checkov again after a change of its lock file or an interrupted installation" {
  set_up "venv,pip book-shop scripts tests,venv-checkov,pip scripts/checkov,update,registry,nginx" check
  [ -L .venv/bin/checkov ]
  echo "another==1 --hash=sha256:cc" >>scripts/checkov/requirements.lock
  touch "$TEST_DIR/pip-fails"
  fails setup check
  rm "$TEST_DIR/pip-fails"
  set_up "venv-checkov,pip scripts/checkov" check
  set_up "" check
}

@test "setup: replaces an environment without Python" {
  set_up "venv,pip book-shop" run
  rm .venv/bin/python3
  ln -s /nowhere/python3 .venv/bin/python3
  sed -i 's|install /dev/null .venv/bin|rm .venv/bin/python3; &|' "$TEST_DIR/bin/python3"
  set_up "venv,pip book-shop" run
  set_up "pip scripts tests,venv-checkov,pip scripts/checkov,update,registry,nginx" check
  ln -sf /nowhere/python3 .venv/checkov/bin/python3
  set_up "venv-checkov,pip scripts/checkov" check
}

# assert_holds_lock: scripts/setup holds its lock while it installs packages, and not afterwards.
assert_holds_lock() {
  mkfifo "$TEST_DIR/go-on"
  logged pip ': >"$TEST_DIR/pip-runs"; read -r <"$TEST_DIR/go-on"'
  PATH=$TEST_DIR/bin scripts/setup run 3>&- &
  until [ -e "$TEST_DIR/pip-runs" ]; do kill -0 $!; done
  refute flock -n scripts/setup true
  echo >"$TEST_DIR/go-on"
  wait $!
  flock -n scripts/setup true
}

@test "setup: a second setup waits for the first" {
  assert_holds_lock
}

# on_system [TOOL...]: this machine is not Debian. Its programs are those of macOS or Alpine, and these.
on_system() {
  rm "$TEST_DIR"/bin/{apt-get,dpkg-deb,flock,sha256sum,sudo,update-ca-certificates,ss,sysctl,nft}
  for tool in "$@"; do logged "$tool"; done
}

@test "setup: installs what the verbs for AWS need without apt, sudo, flock and sha256sum" {
  on_system brew
  for purpose in deploy infra run tools; do
    verb setup "$purpose"
    assert_success
  done
  set_up engine image
  refute grep -E 'brew|apt' "$LOG"
  set_up "" deploy infra
}

@test "setup: without flock, a second setup waits for the first as well" {
  on_system
  assert_holds_lock
}

@test "setup: on other systems, names missing programs with the command that installs them" {
  on_system
  rm "$TEST_DIR"/bin/{curl,terraform}
  while IFS='|' read -r manager remedy; do
    [ "$manager" = none ] || logged "$manager"
    for purpose in image infra; do
      verb setup "$purpose"
      assert_failed 1 "missing: curl. Install with: $remedy"
    done
    rm -f "$TEST_DIR/bin/$manager"
  done <<'TABLE'
brew|brew install curl
dnf|dnf install curl
apk|apk add curl
pacman|pacman -S curl
none|the package manager of this system
TABLE
  [ ! -e .venv ]
  logged curl
  for machine in "Darwin arm64" "Linux aarch64"; do
    logged uname "echo $machine"
    next_verb setup infra
    assert_failed 1 "terraform is not on the PATH. Install 1.11.4 or newer: https://developer.hashicorp.com/terraform"
    refute grep ^curl "$LOG"
  done
}

@test "setup: on other systems, refuses the purposes that need Debian before any change" {
  on_system
  for purpose in demo check test ""; do
    # shellcheck disable=SC2086 # without a purpose there is no argument
    verb setup $purpose
    assert_failed 1 "'${purpose:-test}' needs Debian or Ubuntu" "The verbs for AWS and the shop alone (make run) work here"
  done
  [ ! -e .venv ]
}

@test "setup: names a missing Python, and how to install another one" {
  on_system brew
  logged flock
  logged python3 'case $1 in -c) exit 1 ;; esac; echo Python 3.9.6'
  verb setup deploy
  assert_failed 1 "Python 3.9.6 is not supported. Install Python 3.10 to 3.14: brew install python3"
  rm "$TEST_DIR/bin/python3"
  verb setup deploy
  assert_failed 1 "python3 is not on the PATH. Install Python 3.10 to 3.14: brew install python3"
}

@test "setup: without sudo, names the command that needs root" {
  called_by someone
  rm "$TEST_DIR"/bin/{sudo,bats}
  verb setup check
  assert_failed 1 "sudo is not on the PATH. Run this as root: env DEBIAN_FRONTEND=noninteractive apt-get"
}

@test "setup: the engine does not inherit the lock, and setup fails if the engine fails" {
  fake_in_shop scripts/local/engine '! { : >&9; } 2>/dev/null && [ ! -e /proc/$$/fd/9 ]'
  succeeds setup image
  fake_in_shop scripts/local/engine 'echo "no engine" >&2; exit 1'
  verb setup image
  assert_failed 1 "no engine"
}

@test "setup: does not read the target's stdin" {
  logged pip cat
  left=$({ PATH=$TEST_DIR/bin scripts/setup run 2>/dev/null && cat; } <<<"a dump")
  assert_equal "$left" "a dump"
}

@test "setup: uses the distribution's browser, or Playwright's if that is a snap" {
  verb setup check
  rm "$TEST_DIR/bin/chromium"
  set_up "update,install chromium fonts-noto-core" check
  assert_errors_whole "==> installing Chromium"
  logged snap
  logged playwright 'mkdir -p "$PLAYWRIGHT_BROWSERS_PATH"; [ ! -f "$TEST_DIR/playwright-fails" ]'
  mv "$TEST_DIR/bin/playwright" .venv/bin/
  touch "$TEST_DIR/playwright-fails"
  fails setup check
  rm "$TEST_DIR/playwright-fails"
  set_up "playwright install --with-deps chromium" check # what was left there is not a browser
  set_up "" check
}

@test "setup: uses sudo only for commands that need root" {
  rm "$TEST_DIR/bin/bats"
  called_by someone
  succeeds setup check
  assert_equal "$(grep '^sudo ' "$LOG")" "\
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get update)
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get install -y --no-install-recommends bats)"
}

@test "setup: refuses an unsupported Python before any change" {
  logged python3 'case $1 in -c) exit 1 ;; esac; echo Python 3.9.2'
  verb setup run
  assert_failed 1 "Python 3.9.2 is not supported. Install Python 3.10 to 3.14"
  refute [ -e .venv ]
  refute grep -v python3 "$LOG"
}

@test "setup: installs a missing Terraform, and unpacks only the pinned archive" {
  rm "$TEST_DIR/bin/terraform"
  logged curl '[[ "$*" =~ -o\ ([^ ]+) ]] && echo "not Terraform" >"${BASH_REMATCH[1]}"'
  verb setup infra
  assert_failed 1 "the Terraform archive does not have the SHA-256"
  [ ! -e .venv/bin/terraform ]
  logged curl 'exit 6'
  verb setup infra
  assert_failed 1 "cannot download Terraform from"
  succeeds setup deploy
}
