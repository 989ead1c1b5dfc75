#!/bin/sh
# Read secrets from files into the variables of their names, put Dagster's instance file in its home, and become the
# command. A secret is a file that NAME_FILE points to, or one called NAME in the folder INFRAAUDIT_SECRETS_FOLDER (a
# mounted Kubernetes Secret). One that cannot be read stops the start: running without it fails later, and worse.
set -eu
for file in ${INFRAAUDIT_SECRETS_FOLDER:+"$INFRAAUDIT_SECRETS_FOLDER"/*}; do
  name=$(basename "$file")
  case $name in *[!A-Z0-9_]*) echo "infraaudit: the secret $file is not named like a variable (A-Z, 0-9, _)" >&2; exit 2 ;; esac
  value=$(cat "$file") || { echo "infraaudit: uid $(id -u) cannot read the secret $file" >&2; exit 2; }
  export "$name=$value"
done
for name in PGPASSWORD INFRAAUDIT_DATABASE_URL INFRAAUDIT_GRAFANA_TOKEN INFRAAUDIT_NOTIFY INFRAAUDIT_WEBHOOK_SECRETS INFRAAUDIT_SERVICE_TOKENS; do
  eval "file=\${${name}_FILE:-}"
  [ -n "$file" ] || continue
  [ -r "$file" ] || { echo "infraaudit: ${name}_FILE names $file, which uid $(id -u) cannot read" >&2; exit 2; }
  value=$(cat "$file")
  export "$name=$value"
  unset "${name}_FILE"
done

# dagster.yaml has no variable for the group of the engine's socket, which a run's container must be in.
if [ -n "${INFRAAUDIT_DAGSTER_CONFIG:-}" ]; then
  group=$(stat -c %g /var/run/docker.sock 2>/dev/null || echo 0)
  mkdir -p "$DAGSTER_HOME"
  sed "s/@DOCKER_GID@/$group/" "$INFRAAUDIT_DAGSTER_CONFIG" >"$DAGSTER_HOME/.dagster.yaml.$$"
  mv "$DAGSTER_HOME/.dagster.yaml.$$" "$DAGSTER_HOME/dagster.yaml"
fi
exec "$@"
