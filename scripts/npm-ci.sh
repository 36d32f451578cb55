#!/bin/sh
# Installs what package-lock.json names. What the network breaks off is begun again.
set -eu
cd "$(dirname "$0")/.."

for pause in 5 15 0; do
	npm ci --no-progress && exit 0
	echo 'npm-ci: npm ci has failed' >&2
	sleep "$pause"
done
exit 1
