#!/usr/bin/env bash
# Django REST framework: its paginators and its logins; see drf.py.
. "$(dirname "$0")/lib.sh"
"$ROOT/venvs/drf/bin/python" "$HERE/drf.py" "$PORT" "$DATA" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/api/items/"
ready "http://127.0.0.1:$PORT/api/items/"
