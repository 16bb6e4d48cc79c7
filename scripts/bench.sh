#!/usr/bin/env bash
# Measures the gateway beside Prosody's own WebSocket, in one run, and prints
# ratios. Figures of two runs or two machines do not compare.
source "$(dirname "$0")/env.sh"

scripts/deps.sh demo
mkdir -p bin
go build -o bin/ ./cmd/trunkline ./e2e/bench
exec bin/bench "$@"
