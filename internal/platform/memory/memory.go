// Package memory says how much memory this process may have, and what its bounds are then.
//
// What it guarantees: where the process runs under a limit (a container's, a unit's), Go collects garbage before the limit
// is reached, and the bounds of what callers can make the process hold get smaller with it.
//
// What happens when that fails: without a limit, or where it cannot be read, the bounds are the usual ones, which suit a
// gigabyte.
package memory

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// whole is the limit from which on the usual bounds hold: all of them used at once, with the garbage in between, fit.
	whole = 1 << 30
	// none is what cgroups say where there is no limit: more than any machine has.
	none = 1 << 50
	// besides is what the embedded PostgreSQL needs of the same limit: its shared buffers and a dozen sessions.
	besides = 256 << 20
)

// Apply tells Go the limit that this process has, and returns it in bytes; 0 where there is none. GOMEMLIMIT goes first:
// the operator who sets it has decided. embedded says that PostgreSQL runs under the same limit.
func Apply(embedded bool) int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return limited(uint64(debug.SetMemoryLimit(-1)), false)
	}
	group, err := memlimit.FromCgroup()
	if err != nil {
		return 0
	}
	limit := limited(group, embedded)
	if limit == 0 {
		return 0
	}
	// A tenth is for what Go does not count: stacks of the system, the program's own pages.
	limit -= limit / 10
	debug.SetMemoryLimit(limit)
	return limit
}

func limited(bytes uint64, embedded bool) int64 {
	if bytes >= none || bytes > math.MaxInt64 {
		return 0
	}
	limit := int64(bytes)
	if embedded {
		limit -= min(limit/2, besides)
	}
	return limit
}

// Bound is what remains of a usual bound, in bytes, under a limit of Apply. It is never less than least: what one request
// needs.
func Bound(limit, usual, least int64) int64 {
	if limit == 0 || limit >= whole {
		return usual
	}
	return max(least, int64(float64(usual)*float64(limit)/whole))
}
