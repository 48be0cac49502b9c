#!/usr/bin/env bash
# Installs the Python clients of OpenAI and Ollama for the tests. Prints the interpreter's path, or says why it cannot
# be had.
exec "$(dirname "$0")/environment.sh" clients python openai==3.54.0 ollama==0.6.3
