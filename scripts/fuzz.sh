#!/bin/sh
# Runs every fuzz target for FUZZTIME each. New failing inputs are written to the package's testdata/fuzz: commit them
# with the fix.
set -eu
cd "$(dirname "$0")/.."
time=${FUZZTIME:-30s}
# Minimising an interesting input may take a minute of silence by default; ten tries are enough.
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $dir $target"
		go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x </dev/null
	done
done
