#!/usr/bin/env bash
# jsonapi-server: JSON:API with offsets; see jsonapi-server.js.
. "$(dirname "$0")/lib.sh"
python3 "$HERE/seed.py" 250 > "$DATA/items.json"
node "$HERE/jsonapi-server.js" "$PORT" "$ROOT" "$DATA/items.json" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/rest"
ready "http://127.0.0.1:$PORT/rest/items"
