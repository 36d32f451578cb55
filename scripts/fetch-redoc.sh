#!/bin/sh
# Fetches the Redoc bundle that is embedded for /redoc (no Go module carries it). Run it to change the version; the
# result is committed, with its licences beside it.
set -eu
version=2.5.1
sum=2d8d13e94b5a21011cc6f8260d87ca475d0f6f2faed16dd12e7394dfa3bb05b8
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "redoc@$version" >/dev/null && tar xzf "redoc-$version.tgz")
echo "$sum  $tmp/package/bundles/redoc.standalone.js" | sha256sum -c --quiet -
gzip -9n <"$tmp/package/bundles/redoc.standalone.js" >internal/httpapi/assets/redoc.standalone.js.gz
cat "$tmp/package/LICENSE" "$tmp/package/bundles/redoc.standalone.js.LICENSE.txt" >internal/httpapi/assets/redoc.LICENSE
