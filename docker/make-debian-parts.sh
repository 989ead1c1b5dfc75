#!/usr/bin/env bash
# Make the images that docker/compose.yaml needs from Debian's packages, for sites where none can be pulled.
# Usage: make-debian-parts.sh >> docker/.env
#
# Prints the lines of docker/.env that name them. Debian has no Grafana, so the last line leaves it out. What is
# there already is not made again. ENGINE as in make-base-image.sh.
set -euo pipefail
cd "$(dirname "$0")"
engine=${ENGINE:-docker}
echo "BUILD_BASE_IMAGE=$(./make-base-image.sh)"
echo "INFRAAUDIT_BASE_IMAGE=$(./make-base-image.sh)"
base=$(SUITE=trixie ./make-base-image.sh infraaudit/base:trixie)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for part in postgres prometheus alertmanager; do
  image=infraaudit/$part:trixie
  "$engine" image inspect "$image" >/dev/null 2>&1 || {
    echo "$part: building $image from Debian's packages" >&2
    "$engine" build --build-arg "BASE_IMAGE=$base" --target "$part" --tag "$image" --file debian-parts.Dockerfile . \
      >"$log" 2>&1 || { tail -15 "$log" >&2; exit 1; }
  }
  echo "${part^^}_IMAGE=$image"
done
echo COMPOSE_PROFILES=
