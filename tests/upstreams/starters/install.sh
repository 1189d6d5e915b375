#!/usr/bin/env bash
# install.sh NAME...: installs what these starters need, into $UPSTREAMS (venvs/ and npm/).
# Debian packages need root, and lists that apt-get update has fetched.
set -eu
ROOT=${UPSTREAMS:-${XDG_CACHE_HOME:-$HOME/.cache}/catchment-upstreams}
mkdir -p "$ROOT/venvs" "$ROOT/npm" "$ROOT/data"

python() { # python FOLDER PACKAGE...
  folder=$ROOT/venvs/$1
  shift
  [ -d "$folder" ] || python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet "$@"
}

node() { # node FOLDER PACKAGE...
  folder=$ROOT/npm/$1
  shift
  mkdir -p "$folder"
  [ -f "$folder/package.json" ] || echo '{"private":true}' > "$folder/package.json"
  npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "$@"
}

debian() { # debian PACKAGE...
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@"
}

for name in "$@"; do
  case $name in
    datasette | localstripe | mlflow | pygeoapi) python "$name" "$name" ;;
    docker-registry | syncthing) debian "$name" ;;
    drf) python drf django djangorestframework djangorestframework-jsonapi django-oauth-toolkit django-filter ;;
    fastapi-pagination) python fap fastapi-pagination fastapi uvicorn sqlalchemy sqlakeyset ;;
    gcs) python gcs gcp-storage-emulator ;;
    json-server-017) node js017 json-server@0.17.4 ;;
    json-server-1) node js1 json-server@1.0.0-beta.3 ;;
    jsonapi-server) node jsonapi jsonapi-server ;;
    octokit) node octokit @octokit/fixtures-server ;;
    odata)
      mkdir -p "$ROOT/npm/cap"
      # Pinned to a release that is known to install without a compiler.
      echo '{"private":true,"overrides":{"better-sqlite3":"12.4.1"}}' > "$ROOT/npm/cap/package.json"
      node cap @sap/cds@9 @cap-js/sqlite@2 express@4
      ;;
    pouchdb-server) node pouch pouchdb-server ;;
    powerdns) debian pdns-server pdns-backend-sqlite3 sqlite3 curl ;;
    rabbitmq-management) debian rabbitmq-server ;;
    wordpress) debian wordpress php-cli php-mysql php-xml ;;
    *)
      echo "there is no starter $name" >&2
      exit 2
      ;;
  esac
done
