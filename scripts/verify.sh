#!/bin/sh
# Checks everything that can be checked without running the program: that generated code is current, that the contract, the
# queries, the migrations and the sources keep their rules. Every check runs, each reports one line, and the summary names
# those that failed.
#
#   scripts/verify.sh                 all of them
#   scripts/verify.sh lint contract   only these
#
# The generators run first, because they install what later checks use.
set -u
cd "$(dirname "$0")/.." || exit 1
export CGO_ENABLED=0 LC_ALL=C NO_COLOR=1
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_SUPPRESS_NOTIFICATIONS=true

top=$(pwd)
modules='. sdk/go tools'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# --- The checks. Each runs in a subshell under `set -e`, and its output is shown when it fails. ---

check_generated() { # generating again changes nothing
	snapshot >"$work/before"
	sh scripts/generate.sh
	snapshot >"$work/after"
	if ! diff "$work/before" "$work/after" >"$work/changed"; then
		echo 'Generated files were out of date; they are current now, so look at the difference and commit it:'
		awk '/^[<>]/ {print "  " $NF}' "$work/changed" | sort -u
		return 1
	fi
	# In a fresh clone nothing may be left over: a file that is neither committed nor ignored was forgotten.
	if [ -n "${CI:-}" ] && [ -n "$(git status --porcelain)" ]; then
		git status --porcelain
		git --no-pager diff --stat
		return 1
	fi
}

snapshot() {
	git ls-files -co --exclude-standard -- gen sdk go.mod go.sum tools package-lock.json | sort -u | while read -r file; do
		if [ -f "$file" ]; then
			printf '%s %s\n' "$(git hash-object "$file")" "$file"
		fi
	done
}

check_imports() { # generated code imports nothing of ours but the runtime of its own validation
	found=$(go list -f '{{range .Imports}}{{$.ImportPath}} imports {{.}}{{"\n"}}{{end}}' ./gen/... |
		grep -F ' github.com/bahagh/nimbus/' | grep -vF ' github.com/bahagh/nimbus/internal/contract' || true)
	if [ -n "$found" ]; then
		echo "$found"
		return 1
	fi
}

check_queries() { # the generated queries are those of db/queries, and PostgreSQL prepares each of them
	go tool -modfile=tools/go.mod sqlc diff
	go run ./test/nimbustest/scratchdb -- go tool -modfile=tools/go.mod sqlc vet
}

check_contract() { # the contract is valid and complete, and its examples match its schemas
	node_modules/.bin/redocly lint --config .redocly.yaml
}

check_compatibility() { # no client of the contract's last version breaks, unless the version says so
	base=$(baseline openapi/nimbus.yaml)
	if [ -z "$base" ]; then
		echo 'no baseline: first version'
		return
	fi
	git show "$base:openapi/nimbus.yaml" >"$work/before.yaml"
	echo "compared with $base"
	(cd tools && go build -o "$work/apidiff" ./apidiff)
	"$work/apidiff" -redocly node_modules/.bin/redocly -config .redocly.yaml "$work/before.yaml" openapi/nimbus.yaml
}

check_migrations() { # numbered 1, 2, 3, …, each with its way back, and never changed once committed
	expected=1
	for up in db/migrations/*.up.sql; do
		number=$(basename "$up" | cut -d_ -f1)
		if [ "$number" != "$(printf %06d "$expected")" ]; then
			echo "$up: expected number $(printf %06d "$expected"); the numbers have no gap and no double"
			return 1
		fi
		expected=$((expected + 1))
	done
	for file in db/migrations/*; do
		case $file in
		*.up.sql) twin=${file%.up.sql}.down.sql ;;
		*.down.sql) twin=${file%.down.sql}.up.sql ;;
		*) twin= ;;
		esac
		if [ ! -f "$twin" ]; then
			echo "$file: ${twin:-this is no migration}${twin:+ is missing}"
			return 1
		fi
	done
	base=$(baseline db/migrations)
	if [ -z "$base" ]; then
		echo 'no baseline: first version'
		return
	fi
	changed=$(git diff --no-renames --diff-filter=a --name-status "$base" -- db/migrations)
	if [ -n "$changed" ]; then
		echo "Since $base these migrations have changed; databases have applied them already, so write a new one instead:"
		echo "$changed"
		return 1
	fi
}

check_format() {
	found=$(git ls-files -co --exclude-standard -- '*.go' | tr '\n' '\0' | xargs -0 gofmt -l)
	if [ -n "$found" ]; then
		echo 'Not formatted with gofmt:'
		echo "$found"
		return 1
	fi
}

check_vet() {
	in_each_module go vet ./...
}

check_tidy() { # go.mod and go.sum say what the sources need
	in_each_module go mod tidy -diff
}

check_lint() { # .golangci.yml
	in_each_module go tool -modfile="$top/tools/lint/go.mod" golangci-lint run ./...
}

check_typescript() {
	npm run --silent typecheck
	npm run --silent lint
}

check_python() { # the types of sdk/python hold together, those of its tests too; mypy is kept below .cache
	version=2.4.1
	venv=.cache/mypy-$version
	if ! command -v python3 >/dev/null; then
		echo 'there is no python3'
		return "$skipped"
	fi
	if [ ! -x "$venv/bin/mypy" ]; then
		python3 -m venv "$venv"
		if ! "$venv/bin/pip" install --quiet --disable-pip-version-check "mypy==$version"; then
			rm -rf "$venv"
			echo 'mypy cannot be installed'
			return "$skipped"
		fi
	fi
	(cd sdk/python && "$top/$venv/bin/mypy" --cache-dir "$top/.cache/mypy")
}

check_vulnerabilities() { # no dependency that runs has a known one; look-ups that fail here are reported as skipped
	missing=
	if ! npm audit --omit=dev --audit-level=high >"$work/audit" 2>&1; then
		cat "$work/audit"
		# The exit code is the same when the registry cannot say.
		if ! grep -q 'audit endpoint returned an error\|ENOTFOUND\|ECONN\|ETIMEDOUT' "$work/audit"; then return 1; fi
		missing='npm audit cannot be asked'
	fi
	if node -e 'fetch("https://vuln.go.dev/index/db.json", {signal: AbortSignal.timeout(5000)}).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))'; then
		in_each_module go tool -modfile="$top/tools/vuln/go.mod" govulncheck ./...
	else
		missing="${missing:+$missing; }the database of Go vulnerabilities cannot be reached"
	fi
	if [ -n "$missing" ]; then
		echo "$missing"
		return "$skipped"
	fi
}

check_scripts() { # each has a valid syntax
	git ls-files -co --exclude-standard -- '*.sh' | while read -r script; do
		sh -n "$script"
	done
}

check_leaks() { # no path and no registry of this machine in the files of the project
	patterns="$top/"
	parent=$(dirname "$top")
	case $parent in
	/ | /tmp | /home | /src | /opt | /go) ;; # as likely to stand in a document as to come from here
	*) patterns=$(printf '%s\n%s' "$patterns" "$parent/") ;;
	esac
	case ${HOME:-/} in
	/home/?* | /Users/?*) patterns=$(printf '%s\n%s/' "$patterns" "$HOME") ;;
	esac
	printf '%s\n' "$patterns" >"$work/patterns"
	files="$work/files"
	git ls-files -co --exclude-standard | grep -v '\.sum$' | while read -r file; do
		if [ -f "$file" ]; then printf '%s\0' "$file"; fi
	done >"$files"
	paths=$(xargs -0 grep -nIFH -f "$work/patterns" -- <"$files" | cut -c1-160 || true)
	# An install must work behind every mirror, and a token must never get here.
	registries=$(xargs -0 grep -nIHE '"resolved": *"https?:|^ *registry *=|_auth(Token)? *=|GOPROXY *[=:] *"?https?:' -- <"$files" | cut -c1-160 || true)
	if [ -n "$paths" ]; then printf 'These lines name a path of this machine:\n%s\n' "$paths"; fi
	if [ -n "$registries" ]; then printf 'These lines name a package registry or its credentials:\n%s\n' "$registries"; fi
	[ -z "$paths$registries" ]
}

# in_each_module runs a command in each Go module, in all of them even when it fails in one.
in_each_module() {
	bad=0
	for module in $modules; do
		(cd "$module" && "$@") || bad=1
	done
	return $bad
}

# baseline names the commit whose file or directory this tree is compared with: the last release; else where this branch left
# the main one; else the commit before the last change. It prints nothing when there is none, as in a first version or a
# shallow clone.
baseline() { # path
	head=$(git rev-parse --verify --quiet HEAD) || return 0
	for candidate in \
		"$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)" \
		"$(git merge-base HEAD origin/main 2>/dev/null)" \
		"$(git diff --quiet HEAD -- "$1" || echo HEAD)" \
		HEAD^; do
		if [ -z "$candidate" ]; then continue; fi
		commit=$(git rev-parse --verify --quiet "$candidate^{commit}") || continue
		# The commit itself is no baseline for itself, unless the tree has changes that are not committed.
		if [ "$commit" = "$head" ] && [ "$candidate" != HEAD ]; then continue; fi
		if git cat-file -e "$commit:$1" 2>/dev/null; then
			echo "$candidate"
			return 0
		fi
	done
}

# --- Running them. ---

failed=
ran=0
skipped=77 # the exit status of a check that cannot run here
now() { date +%s; }
begun=$(now)
step() { # name
	ran=$((ran + 1))
	start=$(now)
	(
		set -e
		"check_$1"
	) >"$work/log" 2>&1
	status=$?
	seconds=$(($(now) - start))
	if [ "$status" -eq 0 ]; then
		printf 'ok    %-15s %4d s\n' "$1" "$seconds"
	elif [ "$status" -eq "$skipped" ]; then
		printf 'skip  %-15s %4d s  %s\n' "$1" "$seconds" "$(tail -n 1 "$work/log")"
	else
		printf 'FAIL  %-15s %4d s\n' "$1" "$seconds"
		sed 's/^/      /' "$work/log"
		failed="$failed $1"
	fi
}

for name in ${*:-generated imports format vet tidy queries migrations contract compatibility lint typescript python vulnerabilities scripts leaks}; do
	step "$name"
done

if [ -n "$failed" ]; then
	printf '\n%d checks in %d s; failed:%s\n' "$ran" "$(($(now) - begun))" "$failed"
	exit 1
fi
printf '\n%d checks in %d s, all passed\n' "$ran" "$(($(now) - begun))"
