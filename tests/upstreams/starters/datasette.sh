#!/usr/bin/env bash
# Datasette over a SQLite file: rows, objects, NDJSON and CSV of one table.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$HERE python3 - "$DATA/shop.db" <<'P'
import sqlite3, sys
from seed import items

database = sqlite3.connect(sys.argv[1])
database.execute(
    "create table items(id integer primary key, sku text, name text, price real, quantity integer,"
    " active integer, note text, created_at text, updated_at text)"
)
database.executemany(
    "insert into items values(:id, :sku, :name, :price, :quantity, :active, :note, :created_at, :updated_at)",
    [{name: value for name, value in item.items() if name not in ("tags", "owner")} for item in items(250)],
)
database.commit()
P
"$ROOT/venvs/datasette/bin/datasette" serve "$DATA/shop.db" -h 127.0.0.1 -p "$PORT" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/shop/items.json"
ready "http://127.0.0.1:$PORT/shop/items.json?_shape=objects&_size=50"
