#!/usr/bin/env bash
# Syncthing: events since a number. It talks to nobody, and listens at PORT + 1 as well.
. "$(dirname "$0")/lib.sh"
home=$DATA/home
syncthing generate --home="$home" --no-default-folder --gui-user=ann --gui-password=s3cret >"$DATA/generate.log" 2>&1
sed -i "$home/config.xml" \
  -e 's#<apikey>[^<]*</apikey>#<apikey>sync-s3cret</apikey>#' \
  -e 's#<globalAnnounceEnabled>true#<globalAnnounceEnabled>false#' \
  -e 's#<localAnnounceEnabled>true#<localAnnounceEnabled>false#' \
  -e 's#<relaysEnabled>true#<relaysEnabled>false#' \
  -e 's#<natEnabled>true#<natEnabled>false#' \
  -e 's#<crashReportingEnabled>true#<crashReportingEnabled>false#' \
  -e 's#<urAccepted>0#<urAccepted>-1#' \
  -e "s#<listenAddress>default#<listenAddress>tcp://127.0.0.1:$((PORT + 1))#"
STNOUPGRADE=1 syncthing serve --home="$home" --gui-address="127.0.0.1:$PORT" --no-browser >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/rest/noauth/health"
ready "http://127.0.0.1:$PORT/rest/events?since=0&timeout=1&limit=50"
