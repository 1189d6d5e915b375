#!/usr/bin/env bash
# PowerDNS: 60 zones, as a bare list behind a key in a header. It answers DNS at PORT + 1.
. "$(dirname "$0")/lib.sh"
schema=/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
[ -f "$schema" ] || schema=/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql
sqlite3 "$DATA/pdns.db" < "$schema"
/usr/sbin/pdns_server --no-config --daemon=no --guardian=no --socket-dir="$DATA" \
  --launch=gsqlite3 --gsqlite3-database="$DATA/pdns.db" --local-address=127.0.0.1 --local-port=$((PORT + 1)) \
  --api=yes --api-key=pdns-s3cret --webserver=yes --webserver-address=127.0.0.1 --webserver-port="$PORT" \
  --webserver-allow-from=127.0.0.1 >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/api/v1/servers"
python3 - "http://127.0.0.1:$PORT/api/v1/servers/localhost/zones" <<'P'
import json, sys
from urllib.request import Request, urlopen

headers = {"X-API-Key": "pdns-s3cret", "Content-Type": "application/json"}
for number in range(1, 61):
    name = f"z{number}.example."
    address = {"name": f"a.{name}", "type": "A", "ttl": 300, "records": [{"content": f"10.0.0.{number}"}]}
    zone = {"name": name, "kind": "Native", "nameservers": ["ns1.example."], "rrsets": [address]}
    urlopen(Request(sys.argv[1], json.dumps(zone).encode(), headers))
P
ready "http://127.0.0.1:$PORT/api/v1/servers/localhost/zones"
