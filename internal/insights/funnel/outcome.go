package funnel

import (
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// runner finds the attempts of a person that count.
type runner struct {
	q      *Question
	solver *solver
	sweep  *sweep
	person *behaviour.Person
	loaded bool // whole is of the person
	whole  view // all events of the person that matter
	ranged view // those from the start of the range on
	inner  view // those of one session
	parts  parts
	now    attempt // the attempt at hand
	best   attempt
	won    attempt      // the conversion that is taken
	known  []conversion // of entries, when all conversions are looked for
	usual  *usual       // nil for other funnels
	emit   func(v *view, a *attempt, incomplete bool)
}

func newRunner(q *Question, emit func(v *view, a *attempt, incomplete bool)) *runner {
	r := &runner{q: q, solver: newSolver(q), sweep: newSweep(q), emit: emit}
	if q.usual() {
		r.usual = newUsual(q)
	}
	return r
}

// load takes a person.
func (r *runner) load(p *behaviour.Person) {
	r.person, r.solver.rows, r.loaded = p, p.Rows, false
}

// view is the events of the person that matter.
func (r *runner) view() *view {
	if !r.loaded {
		r.whole.load(r.q, r.person.Rows)
		r.loaded = true
	}
	return &r.whole
}

// run emits the attempts whose entry is in the range. No entry is before the row first.
func (r *runner) run(in query.Range, first int) {
	if r.usual != nil && r.quick(in, first) {
		return
	}
	whole := r.view()
	r.ranged = whole.slice(whole.from(in.From), whole.from(in.To+r.q.Window))
	v := &r.ranged
	switch {
	case r.q.Count == Sessions:
		r.sessions(v, in)
	case r.q.Count == Users:
		r.one(v, in, false)
	case r.q.Choice == First:
		r.follow(v, 0, v.len(), in, -1)
	default:
		r.conversions(v, in)
	}
}

// sessions emits one attempt for each session.
func (r *runner) sessions(v *view, in query.Range) {
	for lo := 0; lo < v.len() && v.ts[lo] < in.To; {
		session := r.session(v, lo)
		hi := lo + 1
		for hi < v.len() && r.session(v, hi) == session {
			hi++
		}
		r.inner = v.slice(lo, hi)
		r.one(&r.inner, in, r.q.AsOf == NoAsOf || r.person.Sessions[session-1].Over(r.q.AsOf))
		lo = hi
	}
}

func (r *runner) session(v *view, pos int) uint32 { return r.person.Rows[v.row[pos]].Session }

// enters says whether an event is an entry.
func (r *runner) enters(v *view, pos int, in query.Range) bool {
	fit := v.fit[pos]
	if r.q.Order != Any {
		fit &= 1
	}
	if fit == 0 || !in.Has(v.ts[pos]) {
		return false
	}
	return len(r.q.Hold) == 0 || r.q.held(&r.person.Rows[v.row[pos]]).complete
}

// one emits the one attempt that counts, if there is an entry. over says that it cannot be incomplete.
func (r *runner) one(v *view, in query.Range, over bool) {
	var found bool
	switch {
	case r.q.Choice == First:
		found = r.first(v, in)
	case r.q.Order == Ordered:
		found = r.swept(v, in)
	default:
		found = r.tried(v, in)
	}
	if found {
		r.emit(v, &r.best, !over && r.incomplete(v, in))
	}
}

// first makes the attempt of the first entry.
func (r *runner) first(v *view, in query.Range) bool {
	for pos := range v.len() {
		if r.enters(v, pos, in) {
			r.solver.attempt(v, pos, &r.best)
			return true
		}
	}
	return false
}

// swept finds the best attempt by sweeps.
func (r *runner) swept(v *view, in query.Range) bool {
	var best reached
	for part := range r.parts.of(r, v, in) {
		if found := r.sweep.run(part, 0, in); found.better(&best) {
			best = found
		}
	}
	if best.done == 0 {
		return false
	}
	r.attemptOf(v, best, 0, in)
	return true
}

func (a *reached) better(b *reached) bool {
	if a.done != b.done {
		return a.done > b.done
	}
	if a.last != b.last {
		return a.last < b.last
	}
	return a.entry > b.entry
}

// attemptOf makes the attempt that a sweep found: of several entries at its moment that of the last that comes as far.
func (r *runner) attemptOf(v *view, found reached, from int, in query.Range) {
	pos := v.from(found.entry + 1)
	for pos--; pos >= from && v.ts[pos] == found.entry; pos-- {
		if !r.enters(v, pos, in) {
			continue
		}
		r.solver.attempt(v, pos, &r.best)
		if r.best.done == found.done && r.best.last == found.last {
			return
		}
	}
}

// tried finds the best attempt by making that of every entry.
func (r *runner) tried(v *view, in query.Range) bool {
	found := false
	for pos := range v.len() {
		if !r.enters(v, pos, in) {
			continue
		}
		r.solver.attempt(v, pos, &r.now)
		if !found || r.now.better(&r.best) {
			r.best, found = r.now, true
		}
	}
	return found
}

// incomplete says whether the person may still convert: his attempt did not, and it (optimized: that of any of his
// entries) has its window open at as_of and was not ended.
func (r *runner) incomplete(v *view, in query.Range) bool {
	if r.best.end == converted || r.q.AsOf == NoAsOf {
		return false
	}
	if r.q.Choice == First {
		return r.open(v, &r.best)
	}
	for pos := v.len() - 1; pos >= 0 && r.q.AsOf <= v.ts[pos]+r.q.Window; pos-- {
		if !r.enters(v, pos, in) {
			continue
		}
		if r.solver.simple {
			return true // nothing but time ends it
		}
		if r.solver.attempt(v, pos, &r.now); r.open(v, &r.now) {
			return true
		}
	}
	return false
}

// open says whether an attempt can still go on at as_of.
func (r *runner) open(v *view, a *attempt) bool {
	return r.q.AsOf != NoAsOf && a.end == timedOut && r.q.AsOf <= v.ts[a.entry]+r.q.Window
}

// parts are the views that a sweep passes over: with held values one for the events of each combination.
type parts struct {
	part  view
	order []int
}

// of yields the parts of a view. A part is valid until the next.
func (p *parts) of(r *runner, v *view, in query.Range) func(yield func(*view) bool) {
	return func(yield func(*view) bool) {
		if len(r.q.Hold) == 0 {
			yield(v)
		} else {
			p.held(r, v, in, yield)
		}
	}
}

// add takes an event into the part; one of another combination of held values fills no step.
func (p *parts) add(v *view, pos int, fills bool) {
	fit := v.fit[pos]
	if !fills {
		fit = 0
	}
	if fit|v.ban[pos] != 0 {
		p.part.add(v.ts[pos], fit, v.ban[pos], v.row[pos])
	}
}

// held yields a part for each combination of held values.
func (p *parts) held(r *runner, v *view, in query.Range, yield func(*view) bool) {
	of := func(pos int) held { return r.q.held(&r.person.Rows[v.row[pos]]) }
	p.order = p.order[:0]
	bans := false
	for pos := range v.len() {
		bans = bans || v.ban[pos] != 0
		if v.fit[pos] != 0 && of(pos).complete {
			p.order = append(p.order, pos)
		}
	}
	slices.SortStableFunc(p.order, func(a, b int) int {
		x, y := of(a).values, of(b).values
		return slices.Compare(x[:], y[:])
	})
	for lo := 0; lo < len(p.order); {
		values := of(p.order[lo])
		hi := lo + 1
		enters := r.enters(v, p.order[lo], in)
		for ; hi < len(p.order) && of(p.order[hi]) == values; hi++ {
			enters = enters || r.enters(v, p.order[hi], in)
		}
		if enters {
			p.part.reset()
			if bans {
				for pos := range v.len() {
					p.add(v, pos, of(pos) == values)
				}
			} else {
				for _, pos := range p.order[lo:hi] {
					p.add(v, pos, true)
				}
			}
			if !yield(&p.part) {
				return
			}
		}
		lo = hi
	}
}
