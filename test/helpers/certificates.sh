#!/bin/sh
# certificates.sh DIRECTORY: a CA, certificates that it has signed, and those that should not be trusted. For two days.
set -eu
cd "$1"

# certificate NAME OPTION...
certificate() {
  name=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -keyout "$name.key" -out "$name.pem" -subj "/CN=$name" "$@" 2>/dev/null
}

here='subjectAltName=IP:127.0.0.1,DNS:localhost'
certificate ca
for name in worker proxy control operator renewed redis; do
  certificate "$name" -CA ca.pem -CAkey ca.key -addext "$here"
done
# Those that run out first.
certificate brief -CA ca.pem -CAkey ca.key -addext "$here" -days 1
# Of a CA that nobody here trusts, and for a host that is elsewhere.
certificate stranger-ca
certificate stranger -CA stranger-ca.pem -CAkey stranger-ca.key -addext "$here"
certificate misnamed -CA ca.pem -CAkey ca.key -addext 'subjectAltName=DNS:elsewhere.example'
openssl pkcs8 -topk8 -in control.key -out encrypted.key -passout "pass:${2:-opensesame}" 2>/dev/null
