#!/usr/bin/env bash
# Like the public image, it says twice that it is ready: for itself, and for clients.
# Makes the database of POSTGRES_USER and POSTGRES_DB on the first start, then runs the command. Trusts every host.
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PATH PGDATA=/var/lib/postgresql/data PGHOST=/tmp
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username "${POSTGRES_USER:-postgres}" --auth trust >/dev/null
  echo 'host all all all trust' >>"$PGDATA/pg_hba.conf"
  pg_ctl -w -o "-c listen_addresses='' -k /tmp" start
  if [ "${POSTGRES_DB:-postgres}" != postgres ]; then createdb --username "${POSTGRES_USER:-postgres}" "$POSTGRES_DB"; fi
  pg_ctl -w stop >/dev/null
fi
exec "$@" -c "listen_addresses=*" -k /tmp
