#!/bin/sh
# What compose.yaml needs of the official image's entrypoint: on an empty volume a cluster with POSTGRES_USER, the
# password in POSTGRES_PASSWORD_FILE and POSTGRES_DB, and the files of /docker-entrypoint-initdb.d run; then the server.
set -eu
volume=/var/lib/postgresql/data
data=$volume/cluster
if [ ! -e "$data" ]; then
  # Renamed when all is done: a start that was interrupted begins again.
  new=$volume/new
  rm -rf "$new"
  initdb --pgdata "$new" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" \
    --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
  echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
  pg_ctl --pgdata "$new" --wait --options "-c listen_addresses= -c unix_socket_directories=/tmp" start
  psql="psql --host /tmp --username $POSTGRES_USER --no-psqlrc --set ON_ERROR_STOP=1"
  $psql --dbname postgres --command "CREATE DATABASE \"$POSTGRES_DB\""
  for file in /docker-entrypoint-initdb.d/*.sql; do
    $psql --dbname "$POSTGRES_DB" --file "$file"
  done
  pg_ctl --pgdata "$new" --wait stop
  mv "$new" "$data"
fi
exec postgres -D "$data" -c listen_addresses='*' "$@"
