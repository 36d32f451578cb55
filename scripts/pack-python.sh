#!/bin/sh
# Writes the Python package to sdk/dist, which the server embeds and serves below /sdk/, when it is older than its sources. It needs
# Python alone. Without Python it does nothing: the server then offers no Python package.
set -eu
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null; then
	echo 'pack-python: there is no python3, so the server is built without its Python package (3.9 or later is needed)' >&2
	exit 0
fi
packed=$(ls sdk/dist/nimbus_analytics-*.whl 2>/dev/null | head -n 1)
if [ -n "$packed" ] && grep -q '"nimbus-analytics"' sdk/dist/index.json 2>/dev/null &&
	[ -z "$(find sdk/python/src sdk/python/backend sdk/python/*.md sdk/python/LICENSE -name __pycache__ -prune -o -type f -newer "$packed" -print | head -n 1)" ]; then
	exit 0
fi
python3 sdk/python/backend/nimbus_build.py sdk/dist
