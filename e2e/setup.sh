#!/bin/sh
# Installs what the tests use from Debian's packages, where it is missing and we
# may: PostgreSQL, Postfix, ClamAV, rspamd and Chromium. A test whose part is not
# there skips and says so.
set -eu
need=
have() { command -v "$1" >/dev/null 2>&1; }
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need="$need postgresql"
have smtp-source || [ -x /usr/sbin/smtp-source ] || need="$need postfix"
have clamd || [ -x /usr/sbin/clamd ] || need="$need clamav-daemon"
have rspamd || need="$need rspamd"
have chromium || need="$need chromium"
[ -n "$need" ] || exit 0
if [ "$(id -u)" != 0 ] || ! have apt-get; then
	echo "setup: not installed:$need; their tests will skip" >&2
	exit 0
fi
echo "setup: installing$need" >&2
export DEBIAN_FRONTEND=noninteractive
# Services of these packages are not to start by themselves: the tests start their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	made=1
fi
status=0
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $need; } >/dev/null 2>&1 || status=$?
[ -z "$made" ] || rm -f $policy
[ $status = 0 ] || echo "setup: apt-get failed ($status); tests of missing parts will skip" >&2
exit 0
