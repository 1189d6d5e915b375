#!/usr/bin/env bash
# RabbitMQ's management API, of a node of its own. It takes the three ports after PORT as well.
. "$(dirname "$0")/lib.sh"
export HOME=$DATA RABBITMQ_NODENAME="upstreams$PORT@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_NODE_PORT=$((PORT + 1)) RABBITMQ_DIST_PORT=$((PORT + 2))
export ERL_EPMD_PORT=$((PORT + 3)) ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1"
export RABBITMQ_MNESIA_BASE=$DATA/mnesia RABBITMQ_LOG_BASE=$DATA/logs RABBITMQ_CONF_ENV_FILE=$DATA/none
export RABBITMQ_CONFIG_FILE=$DATA/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$DATA/plugins
echo '[rabbitmq_management].' > "$RABBITMQ_ENABLED_PLUGINS_FILE"
cat > "$RABBITMQ_CONFIG_FILE" <<C
management.tcp.ip = 127.0.0.1
management.tcp.port = $PORT
loopback_users.guest = true
C
"$(ls -d /usr/lib/rabbitmq/lib/*/sbin | head -1)/rabbitmq-server" >"$DATA/log" 2>&1 &
child=$!
trap 'trap - EXIT; kill $child 2>/dev/null; wait $child 2>/dev/null; epmd -port $ERL_EPMD_PORT -kill >/dev/null 2>&1; exit 0' EXIT INT TERM
up "http://127.0.0.1:$PORT/"
python3 - "http://127.0.0.1:$PORT/api/queues/%2F" <<'P'
import base64, sys
from urllib.request import Request, urlopen

headers = {
    "Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(),
    "Content-Type": "application/json",
}
for number in range(1, 251):
    urlopen(Request(f"{sys.argv[1]}/orders-{number:03d}", b'{"durable": true}', headers, method="PUT"))
P
ready "http://127.0.0.1:$PORT/api/queues?page=1&page_size=50"
