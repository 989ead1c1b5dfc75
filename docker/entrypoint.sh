#!/bin/sh
# Read secrets from the files that NAME_FILE points to into NAME, put Dagster's instance file in its home, and
# become the command. A secret that cannot be read stops the start: running without it fails later, and worse.
set -eu
for name in PGPASSWORD INFRAAUDIT_GRAFANA_TOKEN INFRAAUDIT_NOTIFY INFRAAUDIT_WEBHOOK_SECRETS INFRAAUDIT_SERVICE_TOKENS; do
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
