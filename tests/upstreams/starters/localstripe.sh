#!/usr/bin/env bash
# localstripe, an imitation of Stripe that keeps what it is given.
. "$(dirname "$0")/lib.sh"
cd "$DATA"
"$ROOT/venvs/localstripe/bin/python" -m localstripe --port "$PORT" --from-scratch >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
python3 - "http://127.0.0.1:$PORT/v1/customers" <<'P'
import base64, sys
from urllib.parse import urlencode
from urllib.request import Request, urlopen

login = {"Authorization": "Basic " + base64.b64encode(b"sk_test_12345:").decode()}
for number in range(1, 251):
    form = {"name": f"Customer {number}", "email": f"c{number}@shop.example", "metadata[n]": number}
    urlopen(Request(sys.argv[1], urlencode(form).encode(), login))
P
ready "http://127.0.0.1:$PORT/v1/customers?limit=50"
