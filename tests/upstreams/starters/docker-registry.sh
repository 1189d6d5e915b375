#!/usr/bin/env bash
# Docker's registry: a list of texts, and a Link header with a relative target.
. "$(dirname "$0")/lib.sh"
cat > "$DATA/config.yml" <<Y
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "$DATA/registry"}}
http: {addr: "127.0.0.1:$PORT"}
Y
for number in $(seq -w 1 250); do
  repository=$DATA/registry/docker/registry/v2/repositories/app-$number
  mkdir -p "$repository/_manifests/tags/latest/current" "$repository/_layers"
done
docker-registry serve "$DATA/config.yml" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/v2/"
ready "http://127.0.0.1:$PORT/v2/_catalog?n=50"
