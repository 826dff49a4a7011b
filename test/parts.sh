#!/bin/sh
# Makes sure that the programs which the tests run are there: installs them where it may, else says what to install.
# Silent when nothing is missing.
set -eu

have() {
  command -v "$1" >/dev/null 2>&1
}

# want PROGRAM DEBIAN_PACKAGE
want() {
  if have "$1"; then return; fi
  if [ "$(id -u)" -eq 0 ] && have apt-get; then
    echo "$1 is not on the PATH: installing it with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" || true
  fi
}

# need PROGRAM DEBIAN_PACKAGE ELSEWHERE
need() {
  want "$1" "$2"
  if have "$1"; then return; fi
  echo "The tests need $1 on the PATH. Install it:" >&2
  echo "  Debian, Ubuntu: sudo apt-get install $2" >&2
  echo "  $3" >&2
  exit 1
}

# 7.0 or newer.
need redis-server redis-server 'Fedora: sudo dnf install redis    macOS: brew install redis'
# Certificates of workers.
need openssl openssl 'Fedora: sudo dnf install openssl    macOS: it comes with the system'
# The README's tour is pasted as it stands.
need curl curl 'Fedora: sudo dnf install curl    macOS: it comes with the system'
# Its rules and a dashboard are tested in it; the package brings promtool too.
need prometheus prometheus 'Elsewhere: the release archive of Prometheus has prometheus and promtool'
need promtool prometheus 'Elsewhere: the release archive of Prometheus has prometheus and promtool'
# The dashboard is used in it.
need chromium chromium 'Fedora: sudo dnf install chromium    macOS: brew install chromium'
# Checks the units; the test of them is skipped where there is no systemd.
want systemd-analyze systemd
# Moves the clocks of processes in the fault suite, which does without those faults where it is missing.
want faketime faketime
