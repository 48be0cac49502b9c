#!/usr/bin/env bash
# The browser that the dashboard is tested in: Debian's Chromium, without the download that playwright would make.
# Does nothing when one is there.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then "$name" --version; exit; fi
done
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
chromium --version
