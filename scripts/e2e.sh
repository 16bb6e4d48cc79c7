#!/usr/bin/env bash
# Runs the browser tests: the flow on a whole stack, and every state of the panel.
# Arguments go to Playwright: scripts/e2e.sh -g "signs out"
source "$(dirname "$0")/env.sh"

scripts/deps.sh test
scripts/deps.sh node
mkdir -p bin
go build -o bin/ ./cmd/trunkline ./e2e/stackd

say "Browser tests"
if [ -e webclient/panel/gallery/playwright.config.ts ]; then
  npx playwright test -c webclient/panel/gallery/playwright.config.ts "$@"
fi
npm run --silent e2e -- "$@"
