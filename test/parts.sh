#!/bin/sh
# Makes sure that the programs which the tests run are there: installs them where it may, else says what to install.
# Silent when nothing is missing.
set -eu

have() {
  command -v "$1" >/dev/null 2>&1
}

if ! have redis-server; then
  if [ "$(id -u)" -eq 0 ] && have apt-get; then
    echo 'redis-server is not on the PATH: installing it with apt-get'
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server || true
  fi
  if ! have redis-server; then
    echo 'The tests need redis-server (7.0 or newer) on the PATH. Install it:' >&2
    echo '  Debian, Ubuntu: sudo apt-get install redis-server' >&2
    echo '  Fedora: sudo dnf install redis    macOS: brew install redis' >&2
    exit 1
  fi
fi
