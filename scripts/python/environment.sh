#!/usr/bin/env bash
# Installs Python packages once per machine, in an environment of their own, and prints the path of a program in it:
# environment.sh NAME PROGRAM PACKAGE==VERSION... Ends with 3 where Python cannot make environments.
set -euo pipefail

name=$1 program=$2
shift 2
cache=${OPTIMIZER_TOOLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/langchain-ollama-optimizer}
folder=$cache/python-$name
complete="$folder/$*"

if [ ! -e "$complete" ]; then
  mkdir -p "$cache"
  exec 9>"$folder.lock"
  flock 9
fi
if [ ! -e "$complete" ]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "python3 -m venv is not to be had" >&2; exit 3; }
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet "$@" >&2
  touch "$complete"
fi
printf '%s\n' "$folder/bin/$program"
