#!/bin/sh
# Runs the tests that depend on order or time many times under the race detector, and counts the runs that fail: a test that is
# green once may fail one time in four.
#
#   scripts/flaky.sh COUNT PACKAGE...
#
# LOAD=N keeps N processes busy meanwhile (default: one a core): a loaded machine shows races that a quiet one hides.
set -eu
cd "$(dirname "$0")/.."
count=$1
shift
work=$(mktemp -d)
busy=
finish() {
	for pid in $busy; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

CGO_ENABLED=1
export CGO_ENABLED
for package; do
	name=$(echo "$package" | tr -c 'a-z0-9\n' _)
	go test -race -vet=off -c -o "$work/$name.test" "$package"
done

load=${LOAD:-$(nproc 2>/dev/null || echo 2)}
while [ "$load" -gt 0 ]; do
	sh -c 'while :; do :; done' &
	busy="$busy $!"
	load=$((load - 1))
done

failed=0
for package; do
	name=$(echo "$package" | tr -c 'a-z0-9\n' _)
	run=0
	bad=0
	while [ "$run" -lt "$count" ]; do
		run=$((run + 1))
		if ! (cd "$package" && "$work/$name.test" -test.timeout 20m) >"$work/log" 2>&1; then
			bad=$((bad + 1))
			grep -E '^ *--- FAIL|DATA RACE|^panic:' "$work/log" | sort | uniq -c | sed 's/^/      /'
			cp "$work/log" "/tmp/flaky-$name-$run.log"
			echo "      full log: /tmp/flaky-$name-$run.log"
		fi
	done
	printf '%-34s %d runs, %d failed\n' "$package" "$count" "$bad"
	failed=$((failed + bad))
done
[ "$failed" -eq 0 ]
