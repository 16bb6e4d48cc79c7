#!/usr/bin/env bash
# Starts everything on this machine and prints the address to open.
#
#   MASTODON=https://…   that server in place of the stand-in
#   CLEAN=1              forget what earlier demos have kept
#   DIR=/path            a folder of its own, for a second demo beside the first
source "$(dirname "$0")/env.sh"

scripts/deps.sh demo
mkdir -p bin
go build -o bin/ ./cmd/trunkline ./e2e/demo
args=()
if [ -n "${MASTODON:-}" ]; then args+=(-mastodon "$MASTODON"); fi
if [ -n "${CLEAN:-}" ] && [ "$CLEAN" != 0 ]; then args+=(-clean); fi
if [ -n "${DIR:-}" ]; then args+=(-dir "$DIR"); fi
# In place of this shell, so that Ctrl-C and a kill reach the demo itself.
exec bin/demo "${args[@]}"
