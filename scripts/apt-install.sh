#!/bin/sh
# Installs packages with apt-get where that needs no confirmation: as root, on Debian and its derivatives. Elsewhere it
# fails silently, because the caller has an alternative. No service of a package is started.
#
#   sh scripts/apt-install.sh PACKAGE…
set -eu

[ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null || exit 1

export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 RUNLEVEL=1
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" >&2; }

echo "apt-install: $*" >&2
# A new machine is often still running its own updates, and apt-get does not wait for the lock of the package lists.
for pause in 5 15 30 0; do
	apt update || echo 'apt-install: the package lists are not up to date; trying with the existing ones' >&2
	apt install -y --no-install-recommends "$@" && exit 0
	sleep "$pause"
done
exit 1
