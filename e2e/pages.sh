#!/bin/sh
# Looks at every page there is: light and dark, on a phone and on a wide screen, with
# data and without. Writes a picture of each into DIR (default pages/, with
# index.html to see them together) and fails on every barrier that axe finds, on
# sideways scrolling, small or cut off text, an invisible focus, a complaint of the
# browser, and on a page that nobody looked at.
#
#	e2e/pages.sh [DIR [NAMES]]      NAMES: a regular expression of the pictures wanted
#
# Needs Chromium and npm; with pdftoppm (poppler-utils) the printed report is seen too.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-pages}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
version=4.14.1
sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c # of its axe.min.js
axe=$dir/axe-core-$version.min.js
if ! echo "$sum  $axe" | sha256sum -c --status 2>/dev/null; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent axe-core@$version >/dev/null && tar xzf axe-core-$version.tgz)
	echo "$sum  $work/package/axe.min.js" | sha256sum -c --status || { echo "pages: axe-core $version is not what it was" >&2; exit 1; }
	cp "$work/package/axe.min.js" "$axe"
fi
POSTERN_SCREENSHOTS=$dir POSTERN_AXE=$axe POSTERN_PAGES=${2:-} go test -count=1 -v -timeout 60m -run '^TestEveryPage$' ./cmd/postern
echo "pages: see $dir/index.html"
