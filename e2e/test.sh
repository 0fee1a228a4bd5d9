#!/bin/sh
# Runs every test: units, contracts with real PostgreSQL, ClamAV, rspamd and
# Postfix, and the whole program.
set -eu
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -trimpath -o bin/postern ./cmd/postern
go test -shuffle=on -timeout 25m "$@" ./...
