package funnel

import "github.com/bahagh/nimbus/internal/insights/query"

// conversion is what is known of the attempt of an entry, while all conversions are looked for.
type conversion struct {
	tried, ok bool
	last      int64
}

// follow emits attempts that follow one another, of entries from a position on and before an end: the next entry comes
// after what ended the attempt before. until is the position of the entry of a conversion that is taken already, -1 for
// none: an attempt that is still open there is the same attempt, restarted, and not emitted.
func (r *runner) follow(v *view, from, end int, in query.Range, until int) {
	defer r.use(0)
	r.use(from)
	for pos := from; pos < end; pos++ {
		if !r.enters(v, pos, in) {
			continue
		}
		a := &r.now
		r.solver.attempt(v, pos, a)
		if until >= 0 && !a.endedBefore(v, r.q.Window, until) {
			return
		}
		r.emit(v, a, r.open(v, a))
		r.use(a.next(v, r.q.Window))
		pos = r.solver.floor - 1
	}
}

// use says from which position on events may be in the attempts that follow: those before were in an attempt that
// ended.
func (r *runner) use(from int) { r.solver.floor = from }

// next returns the position from which on the next attempt can begin.
func (a *attempt) next(v *view, window int64) int {
	switch a.end {
	case converted, excluded:
		return max(a.endPos, a.entry) + 1 // what converted may be stored before an entry of the same time
	case interrupted:
		return a.endPos
	default:
		return v.from(v.ts[a.entry] + window + 1)
	}
}

// endedBefore says whether an attempt was over at an event.
func (a *attempt) endedBefore(v *view, window int64, pos int) bool {
	if a.end == timedOut {
		return v.ts[a.entry]+window < v.ts[pos]
	}
	return a.endPos < pos || a.end == interrupted && a.endPos == pos
}

// conversions emits the conversions, each the earliest after the one before and with the latest entry for it, and the
// attempts of entries that were left between them.
func (r *runner) conversions(v *view, in query.Range) {
	r.known = r.known[:0]
	for range v.len() {
		r.known = append(r.known, conversion{})
	}
	defer r.use(0)
	for from := 0; ; {
		r.use(from)
		if !r.earliest(v, from, in) {
			r.follow(v, from, v.len(), in, -1)
			return
		}
		r.won = r.best
		r.follow(v, from, r.won.entry, in, r.won.entry)
		r.emit(v, &r.won, false)
		from = r.won.next(v, r.q.Window)
	}
}

// earliest makes the attempt that converts first, of entries from a position on.
func (r *runner) earliest(v *view, from int, in query.Range) bool {
	if r.q.Order == Ordered && len(r.q.Hold) == 0 {
		found := r.sweep.run(v, from, in)
		if found.done < r.solver.final {
			return false
		}
		r.attemptOf(v, found, from, in)
		return true
	}
	entry := -1
	for pos := from; pos < v.len(); pos++ {
		if entry >= 0 && v.ts[pos] > r.known[entry].last {
			break
		}
		if !r.enters(v, pos, in) {
			continue
		}
		k := &r.known[pos]
		if !k.tried || v.ts[pos] == v.ts[from] { // what was known may have used events before
			r.solver.attempt(v, pos, &r.now)
			*k = conversion{true, r.now.end == converted, r.now.last}
		}
		if k.ok && (entry < 0 || k.last < r.known[entry].last || k.last == r.known[entry].last && pos > entry) {
			entry = pos
		}
	}
	if entry >= 0 {
		r.solver.attempt(v, entry, &r.best)
	}
	return entry >= 0
}
