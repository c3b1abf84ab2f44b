#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop local/debian-packages
  called_by someone
  tools sort chmod
  archive_is http://deb.example.org/debian
}

# archive_is URI...: sets the archives that apt reports. The fake download creates the packages' files.
archive_is() {
  # shellcheck disable=SC2016 # the fake itself expands them
  logged apt-get 'case "$*" in
  *" Created-By: Packages Origin: Debian") printf "%s\n" '"$*"' ;;
  *" update") sed "s/^/  source: /" "$(sed -n "s/.*SourceList=\([^ ]*\).*/\1/p" <<<"$*")" >>"$LOG" ;;
  *" download "*) for package in "${@:15}"; do : >"${package}_1_amd64.deb"; done ;;
esac
[[ ${FAILS:-} = "" || "$*" != *"$FAILS"* ]]'
}
# log: prints the log in short; "private" stands for the options that keep apt from the machine's own files.
log() {
  sed "s|$TMPDIR/[^/ ]*|TREE|g; s|-qq -o Dir::Etc::SourceList=TREE/sources.list -o Dir::Etc::SourceParts=- \
-o Dir::State::Lists=TREE/lists -o Dir::Cache=TREE/cache -o Dir::State::status=/dev/null -o APT::Sandbox::User=root|private|
s/ indextargets .*/ indextargets/" "$LOG"
}

@test "debian-packages: downloads from Debian's archive, verified by its keys; only the installation needs root" {
  archive_is http://security.example.org/debian-security http://deb.example.org/debian http://deb.example.org/debian
  install=$(apt_get install -y --no-install-recommends TREE/deb/docker-cli_1_amd64.deb TREE/deb/docker.io_1_amd64.deb)
  verb local/debian-packages trixie docker.io docker-cli
  assert_answer ""
  assert_equal "$(log)" "apt-get indextargets
apt-get private update
  source: deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.example.org/debian trixie main
apt-get private download docker.io docker-cli
sudo env DEBIAN_FRONTEND=noninteractive $install
$install"
  rmdir "$TMPDIR" # nothing is left behind
}

@test "debian-packages: fails without a Debian archive in the apt sources" {
  for archives in "" http://security.example.org/debian-security; do
    archive_is $archives
    next_verb local/debian-packages trixie docker.io docker-cli
    assert_failed 1 "no Debian archive in this machine's apt sources. Install these manually: docker.io docker-cli"
    assert_equal "$(log)" "apt-get indextargets"
  done
}

@test "debian-packages: installs nothing if a download fails" {
  for FAILS in SourceParts " download "; do
    FAILS=$FAILS verb local/debian-packages trixie docker.io
    assert_failure
    refute grep install "$LOG"
  done
}
