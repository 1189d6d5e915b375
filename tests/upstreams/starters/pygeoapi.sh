#!/usr/bin/env bash
# pygeoapi: OGC API - Features, over a CSV file.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$HERE python3 - > "$DATA/stations.csv" <<'P'
import csv, sys
from seed import items

written = csv.writer(sys.stdout)
written.writerow("id,stn,name,level,measured_at,lon,lat".split(","))
for item in items(250):
    place = [item["id"] % 180, item["id"] % 90]
    written.writerow([item[name] for name in ("id", "sku", "name", "price", "created_at")] + place)
P
cat > "$DATA/config.yml" <<Y
server:
  bind: {host: 127.0.0.1, port: $PORT}
  url: "http://127.0.0.1:$PORT"
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  languages: [en-US]
  limits: {default_items: 50, max_items: 100}
  map: {url: "http://tiles.example/{z}/{x}/{y}.png", attribution: none}
logging: {level: ERROR}
metadata:
  identification: {title: t, description: d, keywords: [k], keywords_type: theme, terms_of_service: x, url: "http://shop.example"}
  license: {name: n, url: "http://shop.example"}
  provider: {name: n, url: "http://shop.example"}
  contact: {name: n}
resources:
  stations:
    type: collection
    title: stations
    description: stations
    keywords: [k]
    extents: {spatial: {bbox: [-180, -90, 180, 90], crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}
    providers:
      - {type: feature, name: CSV, data: "$DATA/stations.csv", id_field: id, geometry: {x_field: lon, y_field: lat}}
Y
export PYGEOAPI_CONFIG="$DATA/config.yml" PYGEOAPI_OPENAPI="$DATA/openapi.yml"
"$ROOT/venvs/pygeoapi/bin/pygeoapi" openapi generate "$DATA/config.yml" --output-file "$DATA/openapi.yml" >"$DATA/generate.log" 2>&1
"$ROOT/venvs/pygeoapi/bin/pygeoapi" serve >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
ready "http://127.0.0.1:$PORT/collections/stations/items?f=json&limit=50"
