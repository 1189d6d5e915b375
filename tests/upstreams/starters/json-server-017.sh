#!/usr/bin/env bash
# json-server 0.17, the last release with Link and X-Total-Count.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$HERE python3 - > "$DATA/db.json" <<'P'
import json
from seed import items

owners = [{"id": number, "name": f"owner {number}"} for number in range(1, 12)]
print(json.dumps({"items": items(250), "owners": owners}))
P
"$ROOT/npm/js017/node_modules/.bin/json-server" --host 127.0.0.1 --port "$PORT" --quiet "$DATA/db.json" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/items?_page=1"
ready "http://127.0.0.1:$PORT/items?_page=1&_limit=50"
