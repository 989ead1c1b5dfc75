#!/bin/sh
# Read secrets from files into the variables of their names, put Dagster's instance file in its home, and become the
# command. Each file in the folder INFRAAUDIT_SECRETS_FOLDER is a secret, with the name of its variable (a mounted
# Kubernetes Secret is such a folder). An unreadable one stops the start: running without it would fail later, and
# worse.
set -eu
for file in ${INFRAAUDIT_SECRETS_FOLDER:+"$INFRAAUDIT_SECRETS_FOLDER"/*}; do
  [ -e "$file" ] || [ -L "$file" ] || continue  # An empty folder; a link that leads nowhere is a secret that is missing.
  name=$(basename "$file")
  case $name in *[!A-Z0-9_]*) echo "infraaudit: the secret $file is not named like a variable (A-Z, 0-9, _)" >&2; exit 2 ;; esac
  value=$(cat "$file") || { echo "infraaudit: uid $(id -u) cannot read the secret $file" >&2; exit 2; }
  export "$name=$value"
done

# dagster.yaml has no variables for what a run's container is given: compose's names, and the group of the engine's socket.
if [ -n "${INFRAAUDIT_DAGSTER_CONFIG:-}" ]; then
  mkdir -p "$DAGSTER_HOME"
  # Roles and runs share this folder, and start at the same moment with the same process numbers.
  partial=$(mktemp "$DAGSTER_HOME/.dagster.yaml.XXXXXX")
  sed -e "s/@DOCKER_GID@/${INFRAAUDIT_DOCKER_GID:-0}/g" -e "s/@COMPOSE_PROJECT@/${INFRAAUDIT_COMPOSE_PROJECT:-infraaudit}/g" \
    "$INFRAAUDIT_DAGSTER_CONFIG" >"$partial"
  mv "$partial" "$DAGSTER_HOME/dagster.yaml"
fi
exec "$@"
