#!/bin/sh
# Writes sdk/dist, which the server embeds and serves below /sdk/, when it is older than its sources. Without Node.js it
# does nothing: the server then offers no package.
set -eu
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
	echo 'pack-sdk: there is no npm, so the server is built without its npm package (Node.js 20.19 or later is needed)' >&2
	exit 0
fi
packed=$(ls sdk/dist/nimbus-analytics-sdk-*.tgz 2>/dev/null | head -n 1)
if [ -n "$packed" ] && [ -d sdk/typescript/dist ] && [ -z "$(find sdk/typescript package-lock.json \( -name node_modules -o -name dist -o -name dist-test -o -name test \) -prune -o -type f -newer "$packed" -print | head -n 1)" ]; then
	exit 0
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	sh scripts/npm-ci.sh
fi
npm run --silent pack -w @nimbus-analytics/sdk
