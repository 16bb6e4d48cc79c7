# Each target is one script, so that it runs the same without make.
.DEFAULT_GOAL := help
export MASTODON CLEAN DIR FUZZTIME

.PHONY: help demo build test race lint fuzz bench panel generate e2e clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: ## start everything on this machine and print the address to open (MASTODON=https://…, CLEAN=1, DIR=/path)
	@scripts/demo.sh

build: ## build bin/trunkline
	@scripts/build.sh

test: ## run every test, on real servers and in a real browser
	@scripts/test.sh

race: ## run the tests of everything concurrent under the race detector
	@scripts/race.sh

lint: ## judge the sources: gofmt, vet, staticcheck, luacheck, tsc, eslint
	@scripts/lint.sh

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@scripts/fuzz.sh

bench: ## measure the gateway beside the servers' own WebSockets, and how fast passwords are answered for
	@scripts/bench.sh

panel: ## rebuild static/dist from webclient/panel
	@scripts/deps.sh node
	node webclient/panel/build.mjs

generate: ## write everything that is generated: static/dist and the example configuration
	@$(MAKE) --no-print-directory panel
	go run ./cmd/trunkline config example > contrib/trunkline.example.toml

e2e: ## run the browser tests alone
	@scripts/e2e.sh

clean: ## remove what was built; the demo keeps its chats, see CLEAN=1
	rm -rf bin test-results screenshots bench-results
