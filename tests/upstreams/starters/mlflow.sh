#!/usr/bin/env bash
# MLflow's registry of models.
. "$(dirname "$0")/lib.sh"
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
cd "$DATA"
"$ROOT/venvs/mlflow/bin/mlflow" server --backend-store-uri "sqlite:///$DATA/mlflow.db" --default-artifact-root "$DATA/artifacts" \
  --host 127.0.0.1 --port "$PORT" --workers 1 >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/health"
python3 - "http://127.0.0.1:$PORT/api/2.0/mlflow/registered-models/create" <<'P'
import json, sys
from urllib.request import Request, urlopen

for number in range(1, 121):
    model = {"name": f"model-{number:03d}", "tags": [{"key": "team", "value": f"t{number % 7}"}]}
    urlopen(Request(sys.argv[1], json.dumps(model).encode(), {"Content-Type": "application/json"}))
P
ready "http://127.0.0.1:$PORT/api/2.0/mlflow/registered-models/search?max_results=50"
