#!/usr/bin/env bash
# Installs Debian packages that are missing: debianPackages.sh NAME...
set -euo pipefail
missing=()
for name in "$@"; do dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name"); done
[ ${#missing[@]} = 0 ] && exit
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
printf '%s installing %s\n' "$(date +%H:%M:%S)" "${missing[*]}"
$sudo apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null
