#!/usr/bin/env bash
# Install the requested external parts from Debian's packages. Parts that exist already are left alone.
# Usage: install-parts.sh PART…     parts: engine box base-image promtool amtool postgresql chromium compose nginx
#
#   engine      a container engine that answers: Docker is installed and started where neither Docker nor Podman does
#   box         what the engine needs beside it to give builds a box of their own (see docs/security.md)
#   base-image  infraaudit/base:bookworm in that engine (see make-base-image.sh)
#   compose     Docker's plugin of version 2
#   promtool, amtool, postgresql, chromium, nginx   the programs; no server is started
#
# INFRAAUDIT_NO_INSTALL=1 switches installing and starting off. Exit 0: every part is there; 1: one is not, with the
# reason on stderr. An engine that was started keeps running: it belongs to the machine.
set -uo pipefail
cd "$(dirname "$0")"
say() { echo "set-up: $*" >&2; }

may_install() {  # PART PACKAGE…
  local part=$1; shift
  if [ "${INFRAAUDIT_NO_INSTALL:-}" = 1 ]; then
    say "$part is missing and INFRAAUDIT_NO_INSTALL=1; install it yourself: apt-get install $*"; return 1
  elif [ "$(id -u)" != 0 ]; then
    say "$part is missing; as root: apt-get install $*"; return 1
  fi
}

program() {  # PART PACKAGE: the part is there when its test says so, else the package is installed
  local part=$1 package=$2; shift 2
  "$@" >/dev/null 2>&1 && return
  may_install "$part" "$package" || return
  say "installing $package from Debian's packages, for $part"
  ./apt-get-quietly.sh "$package"
}

compose() {
  docker compose version >/dev/null 2>&1 && return
  may_install compose docker-compose || return
  say "installing docker-compose from Debian's packages, for compose"
  [[ $(apt-cache policy docker-compose) == *Candidate:* ]] || apt-get update -qq
  [[ $(apt-cache policy docker-compose) == *"Candidate: 1."* ]] || { ./apt-get-quietly.sh docker-compose; return; }
  # Debian 12 has version 1; that of Debian 13 is one program without dependencies, and is put where Docker looks for it.
  local work
  work=$(mktemp -d) && mkdir -p "$work"/lists/partial "$work"/archives/partial || return
  echo "deb http://deb.debian.org/debian trixie main" >"$work/sources.list"
  (cd "$work" && options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
     -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root) &&
    apt-get "${options[@]}" update && apt-get "${options[@]}" download docker-compose && dpkg-deb --extract ./*.deb . &&
    install -D -t /usr/local/lib/docker/cli-plugins usr/libexec/docker/cli-plugins/docker-compose) >"$work/log" 2>&1 ||
    { say "Debian 13's docker-compose cannot be had:"; tail -5 "$work/log" >&2; rm -rf "$work"; return 1; }
  rm -rf "$work"
}

engine_answers() { docker info >/dev/null 2>&1 || podman info >/dev/null 2>&1; }

engine() {
  [ "${INFRAAUDIT_ENGINE:-auto}" = none ] && { say "no engine wanted (INFRAAUDIT_ENGINE=none)"; return; }
  engine_answers && return
  may_install "a container engine" docker.io || return
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    say "neither Docker nor Podman answers: installing Docker from Debian's packages (about 60 MB)"
    local packages=(docker.io iptables ca-certificates) also
    apt-cache show docker.io >/dev/null 2>&1 || apt-get update -qq
    for also in docker-cli docker-buildx; do  # newer Debians ship these apart
      [[ $(apt-cache show "$also" 2>/dev/null) == *Filename:* ]] && packages+=("$also")
    done
    ./apt-get-quietly.sh "${packages[@]}" || return
  fi
  start_engine
}

box() {
  command -v dockerd >/dev/null || return 0
  command -v slirp4netns >/dev/null && PATH=$PATH:/usr/sbin command -v nft >/dev/null && return
  may_install "a box for builds" slirp4netns nftables || return
  say "installing slirp4netns and nftables from Debian's packages, for the box that builds run in"
  ./apt-get-quietly.sh slirp4netns nftables
}

start_engine() {
  local log=/var/log/infraaudit-dockerd.log
  if [ -d /run/systemd/system ]; then
    say "starting Docker (systemctl start docker)"
    systemctl start docker || return
    log="journalctl -u docker"
  else
    say "starting dockerd; it keeps running, its log is $log"
    local options=()
    if ! has_sys_resource; then
      say "this host lacks CAP_SYS_RESOURCE: containers are started through docker/runc-clamp"
      options=(--add-runtime "clamp=$PWD/runc-clamp" --default-runtime clamp)
    fi
    setsid nohup dockerd "${options[@]}" >"$log" 2>&1 </dev/null &
  fi
  for _ in $(seq 120); do
    engine_answers && return
    sleep 0.25
  done
  say "dockerd did not answer within 30 s (see $log):"
  [ -f "$log" ] && tail -5 "$log" >&2
  return 1
}

has_sys_resource() { (( 16#$(sed -n 's/^CapEff:\s*//p' /proc/self/status) >> 24 & 1 )); }

missing=0
for part in "$@"; do
  case $part in
    engine) engine ;;
    box) box ;;
    base-image) engine_answers && ./make-base-image.sh >/dev/null ;;
    promtool) program promtool prometheus command -v promtool ;;
    amtool) program amtool prometheus-alertmanager command -v amtool ;;
    compose) compose ;;
    postgresql) program postgresql postgresql compgen -G '/usr/lib/postgresql/*/bin/initdb' ;;
    nginx) program nginx nginx-light test -x /usr/sbin/nginx ;;
    chromium) program chromium chromium command -v chromium ;;
    *) echo "no such part: $part (engine box base-image promtool amtool postgresql chromium compose nginx)" >&2; exit 2 ;;
  esac || missing=1
done
exit $missing
