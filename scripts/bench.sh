#!/usr/bin/env bash
# Measures the gateway beside the servers' own WebSockets and other ways, its
# parser, and the passwords. See docs/performance.md and docs/benchmarks.md.
#
#   scripts/bench.sh [relay|parser|passwords] [FLAGS]
source "$(dirname "$0")/env.sh"

part=${1:-}
mkdir -p bin
go build -o bin/ ./cmd/trunkline ./e2e/bench
if [ "$part" != parser ]; then scripts/deps.sh bench; fi
if [ "$part" != relay ]; then go test -c -o bin/ ./gateway/framing ./tokens ./cmd/trunkline; fi
binary=bin/trunkline
if [[ " $* " == *profile* ]]; then
  # The same program, and something that answers for profiles.
  binary=bin/trunkline-profiled
  printf '{"Replace": {"%s": "%s"}}' "$PWD/cmd/trunkline/pprof_bench.go" "$PWD/e2e/bench/testdata/pprof.go.txt" > bin/overlay.json
  go build -overlay bin/overlay.json -o "$binary" ./cmd/trunkline
fi
if [[ $part == -* ]]; then part=; else shift $(($# > 0)); fi
exec bin/bench ${part:+"$part"} -trunkline "$binary" "$@"
