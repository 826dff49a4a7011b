#!/bin/sh
# certificates.sh DIRECTORY: a CA, and certificates of a worker and a proxy that it has signed. For two days.
set -eu
cd "$1"

# certificate NAME OPTION...
certificate() {
  name=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -keyout "$name.key" -out "$name.pem" -subj "/CN=$name" "$@" 2>/dev/null
}

certificate ca
for name in worker proxy; do
  certificate "$name" -CA ca.pem -CAkey ca.key -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost'
done
