#!/bin/sh
# Start the proxy before Dagster's UI (configs/nginx/ui.conf) on the address that is given, by default 0.0.0.0:3080.
#
# UI_USERS holds the lines of its password file (name:hash, as `openssl passwd -6` makes it). Without it the proxy makes
# a password for the name `infraaudit` at each start, and prints it: nobody gets in without one.
# INFRAAUDIT_DAGSTER_URL is where the UI listens.
set -eu
umask 077
PATH=$PATH:/usr/sbin
config=${UI_CONFIG:-/srv/infraaudit/configs/nginx/ui.conf}
work=${UI_WORK:-/tmp}
if [ -n "${UI_USERS:-}" ]; then
  printf '%s\n' "$UI_USERS" >"$work/ui-users"
else
  password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  printf 'infraaudit:{PLAIN}%s\n' "$password" >"$work/ui-users"
  echo "UI_USERS is not set; until the next start the login is infraaudit, $password" >&2
fi

# nginx resolves names itself, and knows neither /etc/hosts nor a search list: a cluster's names need theirs.
resolver=$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | head -1)
resolver=${resolver:-127.0.0.11}
url=${INFRAAUDIT_DAGSTER_URL:-http://127.0.0.1:3000}
host=${url#*://} && host=${host%%[:/]*}
listed=$(sed -n "s/^\([0-9.]*\)[[:space:]]\(.*[[:space:]]\)*$host\([[:space:]].*\)*\$/\1/p" /etc/hosts | head -1)
case $host in
  *.*.*.*) ;;
  *) [ -z "$listed" ] || { url=$(printf %s "$url" | sed "s|://$host|://$listed|"); host=$listed; } ;;
esac
case $host in
  *.*) ;;
  *) [ "$resolver" = 127.0.0.11 ] || {
       search=$(sed -n 's/^search[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/resolv.conf | head -1)
       url=$(printf %s "$url" | sed "s|://$host|://$host${search:+.$search}|"); } ;;
esac
case $resolver in *:*) resolver="[$resolver]" ;; esac
sed -e "s|@LISTEN@|${1:-0.0.0.0:3080}|" -e "s|@USERS@|$work/ui-users|" -e "s|@RESOLVER@|$resolver|" \
  -e "s|@WEBSERVER@|$url|" -e "s|/tmp/ui-|$work/ui-|" "$config" >"$work/ui.conf"
# As root, nginx would become somebody who cannot read the password file.
as_root=
[ "$(id -u)" != 0 ] || as_root="user $(id -un);"
exec nginx -e /dev/stderr -g "daemon off; $as_root" -c "$work/ui.conf"
