#!/usr/bin/env bash
# Installs schemathesis for the tests, once per machine, in an environment of its own: it sends the server whatever
# its OpenAPI document permits and forbids. Prints the program's path. Ends with 3 where Python cannot make environments.
set -euo pipefail

version=4.32.5
cache=${OPTIMIZER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/langchain-ollama-optimizer}
folder=$cache/python-schemathesis
complete=$folder/schemathesis-$version

if [ ! -e "$complete" ]; then
  mkdir -p "$cache"
  exec 9>"$folder.lock"
  flock 9
fi
if [ ! -e "$complete" ]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "python3 -m venv is not to be had" >&2; exit 3; }
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet "schemathesis==$version" >&2
  touch "$complete"
fi
printf '%s\n' "$folder/bin/schemathesis"
