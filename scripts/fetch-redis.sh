#!/bin/sh
# Makes sure this machine has redis-server, which the tests of many nodes start for themselves. Does nothing when it is
# there. Nimbus itself runs without Redis.
set -eu
apt_install=$(dirname "$0")/apt-install.sh

say() { printf '%s\n' "fetch-redis: $*" >&2; }

if command -v redis-server >/dev/null || { sh "$apt_install" redis-server && command -v redis-server >/dev/null; }; then
	say "found $(redis-server --version | cut -d' ' -f1-3) at $(command -v redis-server)"
	exit 0
fi
say "there is no Redis here: install its server (as root: apt-get install redis-server; brew install redis)"
exit 1
