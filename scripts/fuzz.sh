#!/usr/bin/env bash
# Finds every fuzz target and runs each for FUZZTIME (30s).
# An argument picks the targets whose name contains it: scripts/fuzz.sh Splitter
source "$(dirname "$0")/env.sh"

time=${FUZZTIME:-30s}
targets=$(git grep --untracked -hnoE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | wc -l)
[ "$targets" -gt 0 ] || die "No fuzz target found."
git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | while IFS=: read -r file line; do
  name=${line#func }
  [[ "$name" == *"${1:-}"* ]] || continue
  say "$name in $(dirname "$file"), $time"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
done
