#!/usr/bin/env bash
# SAP's CAP: OData version 4, at most 50 records a page.
. "$(dirname "$0")/lib.sh"
ln -s "$ROOT/npm/cap/node_modules" "$DATA/node_modules"
mkdir -p "$DATA/db/data" "$DATA/srv"
cat > "$DATA/package.json" <<'J'
{"name": "shop", "dependencies": {"@sap/cds": "*", "@cap-js/sqlite": "*"},
 "cds": {"requires": {"db": {"kind": "sqlite", "credentials": {"url": ":memory:"}}, "auth": "dummy"}, "query": {"limit": {"max": 50}}}}
J
cat > "$DATA/db/schema.cds" <<'C'
namespace shop;
entity Items {
  key ID: Integer; sku: String; name: String; price: Decimal(9,2); quantity: Integer;
  active: Boolean; note: String; createdAt: Timestamp; modifiedAt: Timestamp;
}
C
cat > "$DATA/srv/shop.cds" <<'C'
using shop from '../db/schema';
@path:'/odata/v4/shop' service ShopService { @readonly entity Items as projection on shop.Items; }
C
PYTHONPATH=$HERE python3 - > "$DATA/db/data/shop-Items.csv" <<'P'
import csv, sys
from seed import items

names = ["sku", "name", "price", "quantity", "active", "note", "created_at", "updated_at"]
written = csv.writer(sys.stdout)
written.writerow("ID,sku,name,price,quantity,active,note,createdAt,modifiedAt".split(","))
for item in items(250):
    item.update(active=str(item["active"]).lower(), note=item["note"] or "")
    written.writerow([item["id"], *(item[name] for name in names)])
P
cd "$DATA"
PORT=$PORT node node_modules/@sap/cds/bin/serve.js all --in-memory --port "$PORT" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/odata/v4/shop/"
ready "http://127.0.0.1:$PORT/odata/v4/shop/Items"
