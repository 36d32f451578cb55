#!/bin/sh
# Installs the packages of package-lock.json, and retries when the network fails.
set -eu
cd "$(dirname "$0")/.."

for pause in 5 15 0; do
	npm ci --no-progress && exit 0
	echo 'npm-ci: npm ci has failed' >&2
	sleep "$pause"
done
exit 1
