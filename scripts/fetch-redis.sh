#!/bin/sh
# Makes sure this machine has redis-server, which the tests of many nodes start for themselves. Does nothing when it is
# there. Nimbus itself runs without Redis.
set -eu

say() { printf '%s\n' "fetch-redis: $*" >&2; }

if path=$(command -v redis-server); then
	say "found $(redis-server --version | cut -d' ' -f1-3) at $path"
	exit 0
fi
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
	say "installing redis-server with apt-get"
	export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
	# RUNLEVEL: the package must not start a server of its own.
	apt-get update -qq >&2 && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends redis-server >&2
	if command -v redis-server >/dev/null; then
		exit 0
	fi
fi
say "cannot get Redis here: install its server (apt-get install redis-server, brew install redis)"
exit 1
