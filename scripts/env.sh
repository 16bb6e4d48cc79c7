# Sourced by the other scripts: the repository's root as working directory, and
# what all of them rely on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# go builds with the commit in the binary, whatever this machine's own flags
# say. Where git refuses to read this checkout (another owner, no .git) the
# build must work all the same.
vcs=false
if git rev-parse HEAD >/dev/null 2>&1; then vcs=auto; fi
GOFLAGS="$(go env GOFLAGS) -buildvcs=$vcs"
export GOFLAGS

# tool NAME: the path of a pinned tool, built on first use.
tool() { go -C scripts/tools tool -n "$1"; }
