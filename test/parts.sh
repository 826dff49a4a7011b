#!/bin/sh
# Makes sure that the programs which the tests run are there: installs them where it may, else says what to install.
# Silent when nothing is missing.
set -eu

have() {
  command -v "$1" >/dev/null 2>&1
}

# need PROGRAM DEBIAN_PACKAGE ELSEWHERE
need() {
  if have "$1"; then return; fi
  if [ "$(id -u)" -eq 0 ] && have apt-get; then
    echo "$1 is not on the PATH: installing it with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" || true
  fi
  if have "$1"; then return; fi
  echo "The tests need $1 on the PATH. Install it:" >&2
  echo "  Debian, Ubuntu: sudo apt-get install $2" >&2
  echo "  $3" >&2
  exit 1
}

# 7.0 or newer.
need redis-server redis-server 'Fedora: sudo dnf install redis    macOS: brew install redis'
# The README's tour is pasted as it stands.
need curl curl 'Fedora: sudo dnf install curl    macOS: it comes with the system'
