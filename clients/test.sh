#!/bin/sh
# Tests the clients in other languages against a chain of our own.
#
#   clients/test.sh             fail where their tools are missing
#   clients/test.sh --if-here   say so and go on
#
# Needs an `ionet` binary: target/debug/ionet, or the one that IONET_BIN names.
set -eu
cd "$(dirname "$0")/typescript"

missing=
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
    missing="node and npm are not here"
elif ! node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 18) ? 0 : 1)'; then
    missing="node $(node -v) is older than 20.18"
fi
if [ -n "$missing" ]; then
    echo "clients: $missing; the TypeScript client was not tested" >&2
    if [ "${1:-}" = --if-here ]; then exit 0; else exit 3; fi
fi

# What was installed from this very lock file is used as it is.
if ! cmp -s package-lock.json node_modules/.installed 2>/dev/null; then
    if ! npm ci --no-audit --no-fund; then
        if [ "${1:-}" = --if-here ] && ! npm ping >/dev/null 2>&1; then
            echo "clients: no package registry here; the TypeScript client was not tested" >&2
            exit 0
        fi
        exit 1
    fi
    cp package-lock.json node_modules/.installed
fi
npm test
