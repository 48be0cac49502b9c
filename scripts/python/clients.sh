#!/usr/bin/env bash
# Installs the Python clients of OpenAI and Ollama for the tests, once per machine, in an environment of their own.
# Prints the interpreter's path, or says why it cannot be had.
set -euo pipefail

openai=3.54.0
ollama=0.6.3
cache=${OPTIMIZER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/langchain-ollama-optimizer}
folder=$cache/python-clients
complete=$folder/openai-$openai-ollama-$ollama

if [ ! -e "$complete" ]; then
  mkdir -p "$cache"
  exec 9>"$folder.lock"
  flock 9
fi
if [ ! -e "$complete" ]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "python3 -m venv is not to be had" >&2; exit 1; }
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet "openai==$openai" "ollama==$ollama" >&2
  touch "$complete"
fi
printf '%s\n' "$folder/bin/python"
