#!/usr/bin/env bash
# Builds bin/trunkline, which names its commit: bin/trunkline version.
source "$(dirname "$0")/env.sh"

mkdir -p bin
go build -o bin/ ./cmd/trunkline
