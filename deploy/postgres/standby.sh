#!/bin/sh
# A standby of PostgreSQL: copies the primary when it has no data yet, then follows it. Runs in PostgreSQL's image.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(cat /run/secrets/postgres_replication)
  rm -rf "${PGDATA:?}.new"
  # The slot keeps what this standby has not seen yet; one of an earlier copy is in the way.
  pg_basebackup --pgdata "$PGDATA.new" --write-recovery-conf --wal-method stream --checkpoint fast \
    --create-slot --slot standby_1 \
    --dbname "host=postgres user=chatterbus_standby application_name=standby_1 password=$password"
  chmod 700 "$PGDATA.new"
  mkdir -p "$(dirname "$PGDATA")"
  rm -rf "$PGDATA"
  mv "$PGDATA.new" "$PGDATA"
fi
exec docker-entrypoint.sh postgres "$@"
