#!/bin/sh
# Fuzzes a Nimbus of its own with Schemathesis: an independent implementation of the contract's rules, beside the Go
# fuzz test (internal/app, FuzzContract). Needs Python 3; Schemathesis is installed below .cache when it is not there.
set -eu
cd "$(dirname "$0")/.."
version=4.32.5
venv=.cache/schemathesis-$version
if ! command -v python3 >/dev/null; then
	echo 'schemathesis: install Python 3.10 or newer (Debian: apt-get install python3 python3-venv)' >&2
	exit 1
fi
if [ ! -x "$venv/bin/schemathesis" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

work=$(mktemp -d)
chmod 755 "$work" # the account that runs PostgreSQL passes through
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
NIMBUS_DATA_DIR="$work/data" NIMBUS_BCRYPT_COST=4 NIMBUS_ADMIN_ADDR=off ./bin/nimbus serve -addr 127.0.0.1:0 -log-level info >"$work/out" 2>"$work/log" &
server=$!
url=
for _ in $(seq 300); do
	url=$(sed -n 's/.*msg=ready url=\([^ ]*\).*/\1/p' "$work/log")
	[ -z "$url" ] || break
	kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
	sleep 0.1
done

# An account and a project for it, so that its requests are not refused for missing credentials.
post() { curl -fsS -X POST -H 'Content-Type: application/json' ${3:+-H "Authorization: Bearer $3"} -d "$2" "$url$1"; }
member() { python3 -c 'import json, sys; v = json.load(sys.stdin)
for k in sys.argv[1].split("."): v = v[k]
print(v)' "$1"; }
token=$(post /v1/auth/register '{"email":"st@example.com","password":"Correct-Horse-7"}' | member access_token)
project=$(post /v1/projects '{"name":"st"}' "$token")
cat >"$work/schemathesis.toml" <<TOML
[parameters]
project_id = "$(echo "$project" | member project.id)"
TOML

# Excluded: operations that would end the session or the project that all the others need.
"$venv/bin/schemathesis" --config-file "$work/schemathesis.toml" run "$url/openapi.yaml" --url "$url" \
	--header "Authorization: Bearer $token" --header "X-API-Key: $(echo "$project" | member api_key_secret)" \
	--phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-50}" --continue-on-failure --suppress-health-check all \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection \
	--exclude-tag Compatibility --exclude-operation-id logout --exclude-operation-id changePassword --exclude-operation-id deleteProject
