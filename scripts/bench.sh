#!/usr/bin/env bash
# Measures the gateway beside Prosody's own WebSocket, and the passwords, in one
# run of several minutes. See docs/benchmarks.md.
#
#   scripts/bench.sh [FLAGS] [gateway|passwords]
source "$(dirname "$0")/env.sh"

part=
if [ $# -gt 0 ]; then part=${!#}; fi
mkdir -p bin
go build -o bin/ ./cmd/trunkline ./e2e/bench
if [ "$part" = gateway ]; then
  scripts/deps.sh demo
else
  scripts/deps.sh test # ejabberd
  go test -c -o bin/ ./tokens ./cmd/trunkline
fi
exec bin/bench "$@"
