#!/usr/bin/env bash
# fastapi-pagination: pages, offsets and cursors; see fastapi_pages.py.
. "$(dirname "$0")/lib.sh"
"$ROOT/venvs/fap/bin/python" "$HERE/fastapi_pages.py" "$PORT" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/pages"
ready "http://127.0.0.1:$PORT/pages"
