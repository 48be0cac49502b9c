#!/usr/bin/env bash
# Installs schemathesis for the tests: it sends the server whatever its OpenAPI document permits and forbids. Prints the
# program's path. Ends with 3 where Python cannot make environments.
exec "$(dirname "$0")/environment.sh" schemathesis schemathesis schemathesis==4.32.5
