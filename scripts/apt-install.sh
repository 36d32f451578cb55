#!/bin/sh
# Installs packages with apt-get where that can be done without asking: as root, on Debian and its like. Elsewhere it fails
# and says nothing, because the caller knows what else to do. No service of a package is started.
#
#   sh scripts/apt-install.sh PACKAGE…
set -eu

[ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null || exit 1

export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 RUNLEVEL=1
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" >&2; }

echo "apt-install: $*" >&2
# A new machine is often still busy with its own updates, and for the lists' lock apt-get does not wait by itself.
for pause in 5 15 30 0; do
	apt update || echo 'apt-install: the lists of packages are not up to date; trying with those that are there' >&2
	apt install -y --no-install-recommends "$@" && exit 0
	sleep "$pause"
done
exit 1
