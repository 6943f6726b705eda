#!/bin/sh
# Makes the passwords of a deployment, once: `deploy/secrets.sh [folder]` (default: secrets, beside docker-compose.yml).
#
# Nothing that is there is changed, so that it can be run again. To replace a password: docs/deployment.md. The folder is
# its owner's alone; the files in it are readable to all because in a container the services, which are nobody in
# particular, read them.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# 256 bits in letters and digits, so that it needs no quoting in a URL or a configuration file.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# keep NAME TEXT: the file, unless it is there
keep() {
  if [ ! -s "$folder/$1" ]; then
    printf '%s\n' "$2" >"$folder/.new"
    chmod 444 "$folder/.new"
    mv "$folder/.new" "$folder/$1"
    echo "made $folder/$1"
  fi
}

read_back() { cat "$folder/$1"; }

for name in jwt_secret postgres_superuser postgres_owner postgres_persister postgres_replication \
  nats_gateway nats_persister nats_notifier nats_operator; do
  keep "$name" "$(random)"
done

# What is put together from them.
host=postgres:5432
keep owner_dsn "postgresql://chatterbus_owner:$(read_back postgres_owner)@$host/chatterbus"
keep persister_dsn "postgresql://chatterbus_persister:$(read_back postgres_persister)@$host/chatterbus"
keep persister_read_dsn "postgresql://chatterbus_persister:$(read_back postgres_persister)@postgres-standby:5432,$host/chatterbus"
keep nats_passwords "$(
  for user in gateway persister notifier operator; do
    printf 'NATS_PASSWORD_%s: "%s"\n' "$(echo "$user" | tr a-z A-Z)" "$(read_back "nats_$user")"
  done
)"

# How the nodes of a cluster find each other (deploy/nats/cluster.conf).
keep nats_routes "$(
  password=$(random)
  printf 'NATS_PASSWORD_CLUSTER: "%s"\n' "$password"
  for node in 1 2 3; do printf 'NATS_ROUTE_%s: "nats-route://cluster:%s@nats-%s:6222"\n' $node "$password" $node; done
)"

# docker-compose.yml asks for it by name, and says what to do when it is missing.
if ! grep -qs '^CHATTERBUS_SECRETS=' .env; then
  case "$folder" in /*) ;; *) folder=./$folder ;; esac
  printf 'CHATTERBUS_SECRETS=%s\n' "$folder" >>.env
  echo "made .env"
fi
