#!/bin/sh
# Builds frontend/dist, which the server embeds, when it is older than its sources. Without Node.js it does nothing:
# the server then serves a page that says how to build it.
set -eu
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
	echo 'build-dashboard: there is no npm, so the server is built without its dashboard (Node.js 20.19 or later is needed)' >&2
	exit 0
fi
built=frontend/dist/index.html
if [ -e "$built" ] && [ -z "$(find frontend sdk/typescript/src package-lock.json \( -name node_modules -o -name dist -o -name test-results -o -name e2e \) -prune -o -type f -newer "$built" -print | head -n 1)" ]; then
	exit 0
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	sh scripts/npm-ci.sh
fi
npm run --silent build
