#!/bin/sh
# Builds a Debian package in dist/ with nothing but Go and dpkg-deb.
#
#   package/deb.sh [VERSION]        GOARCH=arm64 package/deb.sh 0.1.0
#
# The same tree and version give the same package, octet by octet.
set -eu
cd "$(dirname "$0")/.."
version=${1:-$(git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g' || true)}
[ -n "$version" ] || version=0.1.0~$(git log -1 --format=%cd --date=format:%Y%m%d%H%M)
GOARCH=${GOARCH:-$(go env GOARCH)}
case $GOARCH in amd64 | arm64 | riscv64 | ppc64le | s390x) arch=$GOARCH ;; 386) arch=i386 ;; *) echo "deb: no Debian architecture for $GOARCH" >&2; exit 1 ;; esac
[ "$arch" = ppc64le ] && arch=ppc64el
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
out=${DIST:-dist}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
umask 022

put() { install -D -m "$1" "$2" "$root$3"; }
if [ -n "${BINARY:-}" ]; then
	put 755 "$BINARY" /usr/bin/postern
else
	CGO_ENABLED=0 GOOS=linux GOARCH=$GOARCH go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o "$root/usr/bin/postern" ./cmd/postern
	chmod 755 "$root/usr/bin/postern"
fi
put 644 package/postern.service /usr/lib/systemd/system/postern.service
put 640 package/postern.yaml /etc/postern/postern.yaml
doc=/usr/share/doc/postern
put 644 package/deb/copyright $doc/copyright
for f in README.md doc/*.md; do
	[ ! -e "$f" ] || put 644 "$f" "$doc/$(basename "$f")"
done
mkdir -p "$root$doc" "$root/usr/share/man/man1"
gzip -9n <CHANGELOG.md >"$root$doc/changelog.gz"
sed "s/@VERSION@/$version/" package/postern.1 | gzip -9n >"$root/usr/share/man/man1/postern.1.gz"

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: postern
Version: $version
Architecture: $arch
Maintainer: The Postern authors <postern@localhost>
Section: mail
Priority: optional
Depends: passwd, ca-certificates
Recommends: systemd
Suggests: clamav-daemon, rspamd, postgresql
Installed-Size: $(du -ks --apparent-size "$root/usr" "$root/etc" | awk '{n += $1} END {print n}')
Description: e-mail security relay for Microsoft 365
 Postern is the side door that mail takes on its way into a Microsoft 365
 tenant: Exchange Online hands each inbound message to Postern, Postern judges
 it in locked-down processes, and hands it back or holds it in quarantine.
CONTROL
echo /etc/postern/postern.yaml >"$root/DEBIAN/conffiles"
for s in postinst prerm postrm; do install -m 755 package/deb/$s "$root/DEBIAN/$s"; done
(cd "$root" && find usr -type f | LC_ALL=C sort | xargs -d '\n' md5sum >DEBIAN/md5sums)
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$out"
deb=$out/postern_${version}_$arch.deb
dpkg-deb --root-owner-group -Z"${COMPRESS:-xz}" --build "$root" "$deb" >/dev/null
echo "$deb"
