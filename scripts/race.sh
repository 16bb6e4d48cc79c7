#!/usr/bin/env bash
# The race detector over the packages that run goroutines of their own.
source "$(dirname "$0")/env.sh"

scripts/deps.sh test
go test -race ./gateway/... ./tokens/... ./webclient/... ./internal/sqldb/... ./cmd/...
