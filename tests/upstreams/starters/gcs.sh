#!/usr/bin/env bash
# An imitation of Google Cloud Storage, with its JSON API.
. "$(dirname "$0")/lib.sh"
"$ROOT/venvs/gcs/bin/gcp-storage-emulator" start --host 127.0.0.1 --port "$PORT" --in-memory --default-bucket shop >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
python3 - "http://127.0.0.1:$PORT/upload/storage/v1/b/shop/o" <<'P'
import sys
from urllib.request import Request, urlopen

for number in range(1, 251):
    url = f"{sys.argv[1]}?uploadType=media&name=item-{number:04d}.txt"
    urlopen(Request(url, f"hello {number}".encode(), {"Content-Type": "text/plain"}))
P
ready "http://127.0.0.1:$PORT/storage/v1/b/shop/o?maxResults=50"
