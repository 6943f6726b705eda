#!/bin/sh
# Run by PostgreSQL's image when the data directory is empty: who may do what in the database.
#
#   chatterbus_owner      owns the database; only `migrate` logs in as it
#   chatterbus_persister  reads and writes rows; creates, alters and drops nothing
#   chatterbus_standby    only streams the log, for a standby
#
# The superuser has no way in but the server's own socket. Gateways and notifiers have no role: they ask the persister.
set -eu
password() { cat "${SECRETS:-/run/secrets}/postgres_$1"; }

# `local`: where commits wait for a standby, it is not there yet.
PGOPTIONS="-c synchronous_commit=local" PGHOST=${PGHOST:-/var/run/postgresql} psql -q -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres \
  -v owner="$(password owner)" -v persister="$(password persister)" -v replication="$(password replication)" <<'SQL'
CREATE ROLE chatterbus_owner LOGIN PASSWORD :'owner';
CREATE ROLE chatterbus_persister LOGIN PASSWORD :'persister';
CREATE ROLE chatterbus_standby LOGIN REPLICATION PASSWORD :'replication';
CREATE DATABASE chatterbus OWNER chatterbus_owner TEMPLATE template0 ENCODING 'UTF8'
  LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';  -- the same on every system
REVOKE ALL ON DATABASE chatterbus, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE chatterbus TO chatterbus_persister;
\connect chatterbus
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO chatterbus_persister;
-- What migrations will create, now and later.
ALTER DEFAULT PRIVILEGES FOR ROLE chatterbus_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO chatterbus_persister;
ALTER DEFAULT PRIVILEGES FOR ROLE chatterbus_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SQL

cat >"$PGDATA/pg_hba.conf" <<'HBA'
local  all          all                                   trust
host   chatterbus   chatterbus_owner      all             scram-sha-256
host   chatterbus   chatterbus_persister  all             scram-sha-256
host   replication  chatterbus_standby    all             scram-sha-256
HBA
