#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop local/check-port
  called_by root
  tools ss sort paste
}
teardown() { [ -z "${LISTENER:-}" ] || kill "$LISTENER"; }

# listen: starts a process that listens on a free port, $PORT. It writes to the pipe when it is ready.
listen() {
  mkfifo "$TEST_DIR/port"
  "$PYTHON" -c 'import signal, socket, sys
taken = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(f"{taken.getsockname()[1]}\n")
signal.pause()' "$TEST_DIR/port" 3>&- &
  LISTENER=$!
  read -r PORT <"$TEST_DIR/port"
}

@test "check-port: accepts a free port, and names the listening process and the setting for another port" {
  listen
  verb local/check-port DEV_PORT "$PORT" test-host
  assert_failed 1 "port '$PORT' is in use by process \"python" \
    "pid=$LISTENER. Stop it, or use another port: make demo DEV_PORT=<port>"
  kill "$LISTENER"
  wait "$LISTENER" || LISTENER=
  verb local/check-port DEV_PORT "$PORT" test-host
  assert_answer "" ""
}

@test "check-port: accepts a port of the named container, and names another container" {
  listen
  echo test-host >"$ENGINE/publishers"
  succeeds local/check-port HTTP_PORT "$PORT" test-host
  assert_log "docker ps --filter publish=$PORT --format {{.Names}}"
  verb local/check-port HTTP_PORT "$PORT" other-host
  assert_failed 1 "port '$PORT' is in use by container test-host." "make demo HTTP_PORT=<port>"
  verb local/check-port HTTPS_PORT "$PORT" test-https
  assert_failed 1 "make demo HTTPS=1 HTTPS_PORT=<port>"
}

@test "check-port: finds the listeners with sudo, including those without a name" {
  called_by someone
  rm "$TEST_DIR/bin/ss"
  logged ss 'echo "LISTEN 0 128 0.0.0.0:2049 0.0.0.0:*"'
  verb local/check-port HTTP_PORT 2049 test-host
  assert_failed 1 "port '2049' is in use by process with unknown name"
  assert grep "^sudo ss .* sport = :2049" "$LOG"
}

@test "check-port: fails without a Docker engine" {
  rm -r "$ENGINE"
  verb local/check-port HTTP_PORT 80 test-host
  assert_failed 1 "Cannot connect to the Docker daemon"
}

@test "check-port: refuses an invalid port number" {
  for port in "" 0 080 65536 123456 http '80;id' -1 $'80\n'; do
    verb local/check-port HTTP_PORT "$port" test-host
    assert_failed 2 "invalid HTTP_PORT '$port': expected a port from 1 to 65535"
  done
  assert_log ""
}
