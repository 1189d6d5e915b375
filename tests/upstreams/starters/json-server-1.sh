#!/usr/bin/env bash
# json-server 1, whose pages have an envelope with the numbers of the pages around.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$HERE python3 -c 'import json, seed; print(json.dumps({"items": seed.items(250)}))' > "$DATA/db.json"
"$ROOT/npm/js1/node_modules/.bin/json-server" --host 127.0.0.1 --port "$PORT" "$DATA/db.json" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/items?_page=1"
ready "http://127.0.0.1:$PORT/items?_page=1&_per_page=50"
