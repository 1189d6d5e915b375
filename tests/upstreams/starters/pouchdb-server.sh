#!/usr/bin/env bash
# PouchDB Server, which speaks CouchDB; five of its 250 documents are deleted.
. "$(dirname "$0")/lib.sh"
cd "$DATA"
"$ROOT/npm/pouch/node_modules/.bin/pouchdb-server" --host 127.0.0.1 --port "$PORT" --in-memory --no-stdout-logs >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
PYTHONPATH=$HERE python3 - "http://127.0.0.1:$PORT/shop" <<'P'
import json, sys
from urllib.request import Request, urlopen
from seed import items

def call(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    return json.load(urlopen(Request(url, data, {"Content-Type": "application/json"}, method=method)))

shop = sys.argv[1]
call("PUT", shop)
documents = [{"_id": item["sku"], **{name: value for name, value in item.items() if name != "id"}} for item in items(250)]
stored = call("POST", f"{shop}/_bulk_docs", {"docs": documents})
gone = [{"_id": each["id"], "_rev": each["rev"], "_deleted": True} for each in stored[:5]]
call("POST", f"{shop}/_bulk_docs", {"docs": gone})
P
ready "http://127.0.0.1:$PORT/shop/_changes?include_docs=true&limit=50"
