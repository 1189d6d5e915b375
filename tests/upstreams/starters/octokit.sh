#!/usr/bin/env bash
# GitHub's API as it was recorded; every answer can be had once.
. "$(dirname "$0")/lib.sh"
"$ROOT/npm/octokit/node_modules/.bin/octokit-fixtures-server" --port "$PORT" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
recorded=$(curl -s -H 'Content-Type: application/json' -d '{"scenario": "paginate-issues"}' "http://127.0.0.1:$PORT/fixtures" \
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["url"])')
ready "$recorded/repos/octokit-fixture-org/paginate-issues/issues?per_page=3"
