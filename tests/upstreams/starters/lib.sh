# shellcheck shell=bash
# What every starter shares, sourced first: a data folder of its own, a wait until the server answers, a clean end.
# A starter is run as NAME.sh PORT, stays in the foreground, and prints "ready URL" once its server is filled.
set -eu
PORT=${1:?usage: $0 PORT}
ROOT=${UPSTREAMS:-${XDG_CACHE_HOME:-$HOME/.cache}/catchment-upstreams}
HERE=$(cd "$(dirname "$0")" && pwd)
DATA=$ROOT/data/$(basename "$0" .sh)-$PORT
rm -rf "$DATA"
mkdir -p "$DATA"
child=
trap 'trap - EXIT; [ -n "$child" ] && kill $child 2>/dev/null; wait; exit 0' EXIT INT TERM

# up URL [curl options]: wait until the server gives any answer, for a minute at most
up() {
  for _ in $(seq 1 300); do
    code=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$@" || true)
    [ "$code" != 000 ] && return 0
    kill -0 $child 2>/dev/null || { tail -5 "$DATA/log" >&2; echo "ended by itself; see $DATA/log" >&2; exit 1; }
    sleep 0.2
  done
  echo "does not answer; see $DATA/log" >&2
  exit 1
}

# ready URL: say so, and stay until the server ends
ready() {
  echo "ready $1"
  wait $child
}
