# shellcheck shell=bash
# Sourced by setup: how it installs programs that need more than a package of pip or apt. Needs
# say.sh and apt.sh.

# install_terraform: downloads Terraform into .venv/bin. Fails on other systems than Linux on amd64.
install_terraform() {
  local version=1.11.4 # reviewed 2026-11-27; sha256 is the one of its linux_amd64 archive
  local sha256=1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc
  local archive=.venv/terraform.zip url=https://releases.hashicorp.com/terraform/$version
  [ "$(uname -sm)" = "Linux x86_64" ] || fail "terraform is not on the PATH. Install $version or\
 newer: https://developer.hashicorp.com/terraform/install"
  log "downloading Terraform $version"
  curl -fsSL --retry 3 -o "$archive" "$url/terraform_${version}_linux_amd64.zip" \
    || fail "cannot download Terraform from '$url'.\
 Install Terraform $version or newer and put it on the PATH"
  echo "$sha256  $archive" | sha256sum --check --status \
    || fail "the Terraform archive does not have the SHA-256 '$sha256'. Nothing was installed"
  python3 -m zipfile --extract "$archive" .venv/bin
  chmod 755 .venv/bin/terraform
  rm "$archive"
}

# install_checkov: installs checkov into an environment of its own, because the versions that it
# pins contradict the other lock files. After an interrupted install, it begins again.
install_checkov() {
  log "installing checkov"
  rm -rf .venv/checkov
  python3 -m venv .venv/checkov
  .venv/checkov/bin/pip --quiet --disable-pip-version-check install --no-compile --no-deps \
    --require-hashes --only-binary :all: --requirement=scripts/checkov/requirements.lock
  ln -sf ../checkov/bin/checkov .venv/bin/checkov
  cp scripts/checkov/requirements.lock .venv/checkov/installed
}

# install_browser: installs Chromium from the distribution, or into .venv/browsers.
install_browser() {
  log "installing Chromium"
  # Ubuntu's package chromium only installs a snap.
  if command -v snap >/dev/null; then
    PLAYWRIGHT_BROWSERS_PATH=.venv/browsers .venv/bin/playwright install --with-deps chromium
    touch .venv/browsers/installed
  else
    apt_install chromium fonts-noto-core
  fi
}

# install_unpacked PACKAGE PROGRAM: puts a program of the distribution into .venv/bin. It unpacks
# the package, because its installation would start a service.
install_unpacked() {
  log "downloading $1 for the tests"
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  chmod 755 "$fetched"
  apt_update
  (cd "$fetched" && apt-get -qq -o APT::Sandbox::User=root download "$1" \
    && dpkg-deb -x "$1"_*.deb .)
  install "$fetched/$2" .venv/bin/
  rm -rf "$fetched"
}
