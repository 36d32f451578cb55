#!/bin/sh
# Writes all code that is generated from openapi/nimbus.yaml, db/migrations and db/queries. Its output is committed,
# and depends only on those files and the versions in tools/go.mod and package-lock.json.
set -eu
cd "$(dirname "$0")/.."

# The generators are pure Go: without cgo they build where there is no C compiler, and faster.
export CGO_ENABLED=0
export NO_COLOR=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo 'gen/api'
mkdir -p gen/api
go tool -modfile=tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi/nimbus.yaml
(cd tools && go run ./contractgen -spec ../openapi/nimbus.yaml -types ../gen/api/api.gen.go -out ../gen/api)

echo 'gen/db'
touch "$work/begun"
go tool -modfile=tools/go.mod sqlc generate
# sqlc writes a file for each file of queries, always, but does not remove the file of deleted queries.
find gen/db -type f -name '*.go' ! -newer "$work/begun" -exec rm -f {} +

echo 'sdk/go'
(cd sdk/go && go tool -modfile=../../tools/go.mod oapi-codegen -config oapi-codegen.yaml ../../openapi/nimbus.yaml)

echo 'sdk/python'
(cd tools && go run ./pygen -spec ../openapi/nimbus.yaml -out ../sdk/python/src/nimbus/api)
echo 'sdk/kotlin'
(cd tools && go run ./kotlingen -spec ../openapi/nimbus.yaml -out ../sdk/kotlin/src/main/kotlin/io/github/bahagh/nimbus/api)

echo 'sdk/typescript, gen/tracker'
# npm writes this file last, so that an interrupted install is repeated.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	sh scripts/npm-ci.sh
fi
npm run --silent generate >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
