#!/bin/sh
# Format, vet and static analysis.
set -eu
cd "$(dirname "$0")/.."
bad=$(gofmt -l $(git ls-files '*.go'))
[ -z "$bad" ] || { echo "not gofmt-ed:" $bad >&2; exit 1; }
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tests=false ./... # tests crash, spin and recurse on purpose
