# shellcheck shell=bash
# Loaded by tests that need GitHub: the real gh, and behind it a small one of our own (tests/lib/github_fake.py) in $GITHUB.

# For setup and teardown, after start_shop where there is one.
start_github() { # DIRECTORY
  GITHUB=$1
  command -v gh >/dev/null || fail "gh is missing: make setup installs it"
  export GITHUB GITHUB_REPOSITORY=acme/shop GH_HOST=github.localhost GH_TOKEN=a-token GH_CONFIG_DIR=$GITHUB/config
  # gh reads the names in capitals first, Python those in small letters: only gh takes the way through the proxy.
  export NO_PROXY=nowhere.invalid no_proxy=localhost,127.0.0.1
  # Starting takes most of the time of a gh; without collector and threads it takes a quarter less.
  export GOGC=off GOMAXPROCS=1
  rm -f "$GITHUB/address" # of a server before this one
  "${PYTHON:-python3}" "$(dirname "${BASH_SOURCE[0]}")/github_fake.py" serve "$GITHUB" 3>&- &
  until [ -s "$GITHUB/address" ]; do kill -0 $! && sleep 0.02; done
  HTTP_PROXY=http://$(cat "$GITHUB/address")
  export HTTP_PROXY
}
stop_github() { kill "$(cat "$GITHUB/pid")"; }

# github EXPRESSION: what Python makes of GitHub's state `s`, as JSON; a change of `s` is kept.
github() {
  "${PYTHON:-python3}" - "$GITHUB/state.json" "$1" <<'PYTHON'
import json, sys
s = json.load(open(sys.argv[1]))
try:
    print(json.dumps(eval(sys.argv[2])))
except SyntaxError:
    exec(sys.argv[2])
json.dump(s, open(sys.argv[1], "w"))
PYTHON
}
