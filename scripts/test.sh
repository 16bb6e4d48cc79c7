#!/usr/bin/env bash
# Runs every test, browser included. Nothing is skipped: what is missing is
# installed, and what cannot be installed is a failure.
source "$(dirname "$0")/env.sh"

scripts/deps.sh test
scripts/deps.sh node

say "The committed front end is what its sources build"
node webclient/panel/build.mjs --check

say "Go"
go build ./...
go test ./...

say "Go, everything that has a store, on PostgreSQL"
# A cluster of its own in a temporary folder, which ends with the command.
go run ./internal/sqldb/sqldbtest/withpostgres go test ./tokens/... ./webclient ./cmd/...

say "TypeScript"
npm run --silent typecheck
npm run --silent unit

scripts/e2e.sh
