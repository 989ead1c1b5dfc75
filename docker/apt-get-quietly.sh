#!/usr/bin/env bash
# Install Debian packages without questions, started services or noise; on failure the end of apt's log is shown.
# Usage: apt-get-quietly.sh PACKAGE…
#
# Services stay stopped (policy-rc.d says no while we install, unless the machine has a policy of its own): what
# needs a server starts its own, on its own port and data.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "installing $* needs root: sudo apt-get install $*" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "no apt-get here: install $* in this machine's own way" >&2; exit 1; }

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
cleanup=("$log")
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  cleanup+=("$policy")
fi
trap 'rm -f "${cleanup[@]}"' EXIT

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 ||
  { "${apt[@]}" update >"$log" 2>&1 && "${apt[@]}" install -y --no-install-recommends "$@" >>"$log" 2>&1; } ||
  { echo "apt-get install $* failed:" >&2; tail -5 "$log" >&2; exit 1; }
