#!/usr/bin/env bash
# Everything that judges the sources without running them.
source "$(dirname "$0")/env.sh"

scripts/deps.sh test
scripts/deps.sh node

say "gofmt"
unformatted=$(git ls-files -z -co --exclude-standard "*.go" | xargs -0r gofmt -l)
[ -z "$unformatted" ] || die "Not formatted: $unformatted"

say "go vet"
go vet ./...

say "The gateway builds where its system calls are other ones"
for target in linux/386 darwin/arm64 windows/amd64; do
	GOOS=${target%/*} GOARCH=${target#*/} go build ./gateway
done

say "staticcheck"
"$(tool staticcheck)" ./...

say "luacheck"
luacheck --quiet contrib/prosody

say "shell"
for script in scripts/*.sh .ci/run; do bash -n "$script"; done

say "TypeScript, eslint"
npm run --silent typecheck
npm run --silent lint
