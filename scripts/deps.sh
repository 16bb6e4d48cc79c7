#!/usr/bin/env bash
# Installs what is missing on this machine, and nothing else.
#
#   scripts/deps.sh demo    Prosody
#   scripts/deps.sh test    and Chromium, Caddy, luacheck, a C compiler for the race detector, and
#                           whatever asks for passwords: ejabberd, LDAP's and SIP's programs, PostgreSQL
#   scripts/deps.sh bench   Prosody, ejabberd and nginx
#   scripts/deps.sh node    the npm packages, when they are missing or older than the lock file
#
# Debian starts the service of a package when it is installed, and at every boot
# from then on. Nobody who tries a demo has asked for a public XMPP or web
# server, so a service that this script brings onto the machine is kept from
# starting and switched off. A service that was there before is not touched.
source "$(dirname "$0")/env.sh"

demo=(prosody prosody-modules)
test=("${demo[@]}" nginx-light chromium caddy lua-check gcc libc6-dev python3 python3-lxml
  ejabberd postgresql-15 slapd ldap-utils lua-ldap
  kamailio kamailio-sqlite-modules kamailio-postgres-modules kamailio-tls-modules sipsak sip-tester)
bench=("${demo[@]}" ejabberd nginx-light)
# Packages whose service is switched off, and what the service is called.
declare -A services=([prosody]=prosody [nginx-light]=nginx [caddy]=caddy [ejabberd]=ejabberd [postgresql-15]=postgresql [slapd]=slapd [kamailio]=kamailio)

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Without apt the programs may still be there.
by_hand() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || die "Please install $program; this script knows only Debian's apt-get."
  done
}

root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Denies the start of our services while apt runs, and of nothing else: apt may
# have to restart what it upgrades. A policy that exists is the admin's.
policy=/usr/sbin/policy-rc.d
deny() {
  [ -e "$policy" ] && return
  root tee "$policy" >/dev/null <<'POLICY'
#!/bin/sh
# Written by Trunkline's scripts/deps.sh for the time of one installation.
case "$1" in prosody*|nginx*|caddy*|ejabberd*|epmd*|postgresql*|slapd*|kamailio*) exit 101 ;; esac
exit 0
POLICY
  root chmod 755 "$policy"
  trap 'root rm -f "$policy"' EXIT
}

switch_off() {
  local service=$1
  if command -v systemctl >/dev/null; then
    root systemctl --quiet disable "$service.service" || true
    # Only where systemd runs, and only against an older policy-rc.d that allows everything.
    if [ -d /run/systemd/system ]; then root systemctl stop "$service.service" || true; fi
  elif command -v update-rc.d >/dev/null; then
    root update-rc.d "$service" disable || true
  fi
  echo "Installed $service; its system service is switched off (sudo systemctl enable --now $service turns it on)."
}

packages() {
  local package service missing=() fresh=()
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "Please install as root: apt-get install ${missing[*]}"
  for package in "${!services[@]}"; do
    if [[ " ${missing[*]} " == *" $package "* ]]; then fresh+=("${services[$package]}"); fi
  done
  say "Installing ${missing[*]}"
  deny
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends install "${missing[@]}")
  # The lists may be missing (a fresh container) or name versions that are gone.
  root "${apt[@]}" || { root apt-get -q update && root "${apt[@]}"; }
  for service in "${fresh[@]}"; do
    switch_off "$service"
  done
}

node_packages() {
  command -v node >/dev/null || die "Please install Node 20 or later: https://nodejs.org"
  [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] || die "Node $(node --version) is too old, 20 is needed."
  # npm writes this file at the end of an installation.
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing the npm packages"
    npm ci --no-audit --no-fund
    touch node_modules/.package-lock.json
  fi
}

case "${1:-}" in
  demo) if command -v apt-get >/dev/null; then packages "${demo[@]}"; else by_hand prosody; fi ;;
  test) if command -v apt-get >/dev/null; then packages "${test[@]}"; else by_hand prosody nginx chromium caddy luacheck gcc python3 ejabberdctl slapd ldapsearch kamailio sipsak sipp; fi ;;
  bench) if command -v apt-get >/dev/null; then packages "${bench[@]}"; else by_hand prosody ejabberdctl nginx; fi ;;
  node) node_packages ;;
  *) die "usage: scripts/deps.sh demo|test|bench|node" ;;
esac
