#!/usr/bin/env bash
# The browser that the dashboard is tested in: Debian's Chromium, without the download that playwright would make.
# Does nothing when one is there.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then "$name" --version; exit; fi
done
"$(dirname "$0")/debianPackages.sh" chromium fonts-dejavu-core
chromium --version
