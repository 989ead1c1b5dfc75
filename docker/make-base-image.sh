#!/usr/bin/env bash
# Make a base image from Debian's packages, for sites where no registry can be reached.
# Usage: make-base-image.sh [NAME]     default infraaudit/base:bookworm; prints the name; ENGINE=docker|podman
#
# It holds python3, pytest, PyYAML and this machine's CA certificates (a build behind a proxy trusts what the
# machine trusts). Nothing is done where the image exists. It does not try to pull one; the caller decides that.
set -euo pipefail
name=${1:-infraaudit/base:bookworm}
suite=${SUITE:-bookworm}
packages=python3,python3-pytest,python3-yaml,ca-certificates
say() { echo "base image: $*" >&2; }

engine=${ENGINE:-}
for candidate in ${engine:-docker podman}; do
  "$candidate" info >/dev/null 2>&1 && engine=$candidate && break
  engine=
done
[ -n "$engine" ] || { say "no container engine answers; start one, or run docker/install-parts.sh"; exit 1; }
"$engine" image inspect "$name" >/dev/null 2>&1 && { echo "$name"; exit 0; }

if ! command -v mmdebstrap >/dev/null; then
  if [ "${INFRAAUDIT_NO_INSTALL:-}" = 1 ]; then
    say "mmdebstrap is missing and INFRAAUDIT_NO_INSTALL=1; install it, or set INFRAAUDIT_BASE_IMAGE to an image you have"
    exit 1
  fi
  say "installing mmdebstrap from Debian's packages"
  "$(dirname "$0")/apt-get-quietly.sh" mmdebstrap
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "making $name from Debian $suite ($packages); about 20 s"
mmdebstrap --quiet --variant=minbase --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"' \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
  "$suite" "$work/base.tar" ${MIRROR:+"$MIRROR"} >"$work/log" 2>&1 || { say "mmdebstrap failed:"; tail -5 "$work/log" >&2; exit 1; }
"$engine" import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
  --change 'CMD ["python3"]' \
  "$work/base.tar" "$name" >/dev/null
echo "$name"
