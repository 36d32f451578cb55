package funnel

import (
	"cmp"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// reference counts a funnel by the words of its definition: it writes down every filling of every entry and takes the
// best.
type reference struct {
	q    *Question
	rows []behaviour.Row
}

// trial is one way to fill steps: the index of each step's row, -1 for none. In any order it is the rows in the order
// done.
type trial struct {
	rows    []int
	end     ending
	endedBy int
}

func (r *reference) at(i int) int64 { return r.rows[i].TS }

func (r *reference) fits(i, step int) bool { return r.rows[i].Marks&r.q.Steps[step].Marks != 0 }

func (r *reference) bans(i, exclusion int) bool {
	return r.rows[i].Marks&r.q.Exclude[exclusion].Marks != 0
}

func (r *reference) holds(i, entry int) bool {
	for _, column := range r.q.Hold {
		if v := r.rows[i].Values[column]; v == 0 || v != r.rows[entry].Values[column] {
			return false
		}
	}
	return true
}

func (r *reference) isEntry(i int, in query.Range) bool {
	if !in.Has(r.at(i)) || !r.holds(i, i) {
		return false
	}
	if r.q.Order != Any {
		return r.fits(i, 0)
	}
	for step := range r.q.Steps {
		if r.fits(i, step) {
			return true
		}
	}
	return false
}

// attempt returns the best filling of an entry with rows from lo to before hi.
func (r *reference) attempt(entry, lo, hi int) *trial {
	var best *trial
	consider := func(rows []int) {
		t := &trial{rows: slices.Clone(rows)}
		if r.valid(t, entry, lo, hi) && (best == nil || r.compare(t, best) < 0) {
			best = t
		}
	}
	if r.q.Order == Any {
		r.anyFillings([]int{entry}, lo, hi, consider)
	} else {
		rows := slices.Repeat([]int{-1}, len(r.q.Steps))
		rows[0] = entry
		r.fillings(rows, 1, lo, hi, consider)
	}
	return best
}

// fillings yields every way to fill the steps from one on.
func (r *reference) fillings(rows []int, step, lo, hi int, yield func([]int)) {
	if step == len(r.q.Steps) {
		yield(rows)
		return
	}
	missing := false // a required step before was not done
	for k := range step {
		missing = missing || rows[k] < 0 && !r.q.Steps[k].Optional
	}
	r.fillings(rows, step+1, lo, hi, yield)
	for i := lo; i < hi && !missing; i++ {
		if !slices.Contains(rows, i) && r.fits(i, step) && r.holds(i, rows[0]) {
			rows[step] = i
			r.fillings(rows, step+1, lo, hi, yield)
			rows[step] = -1
		}
	}
}

// anyFillings yields every sequence of rows, after the entry in the order, that can fill different steps.
func (r *reference) anyFillings(rows []int, lo, hi int, yield func([]int)) {
	yield(rows)
	for i := lo; i < hi; i++ {
		if slices.Contains(rows, i) || !r.holds(i, rows[0]) {
			continue
		}
		if last := rows[len(rows)-1]; len(rows) > 1 && i < last {
			continue // each set once
		}
		if more := append(slices.Clone(rows), i); r.assignable(more, 0) {
			r.anyFillings(more, lo, hi, yield)
		}
	}
}

// assignable says whether rows can fill different steps.
func (r *reference) assignable(rows []int, used uint32) bool {
	if len(rows) == 0 {
		return true
	}
	for step := range r.q.Steps {
		if used&(1<<step) == 0 && r.fits(rows[0], step) && r.assignable(rows[1:], used|1<<step) {
			return true
		}
	}
	return false
}

// valid says whether a filling keeps the rules, and notes how it ended.
func (r *reference) valid(t *trial, entry, lo, hi int) bool {
	until := r.at(entry) + r.q.Window
	previous := entry
	for _, i := range t.rows {
		if i < 0 {
			continue
		}
		if r.at(i) < r.at(previous) || r.at(i) > until {
			return false
		}
		if r.q.Order == Strict {
			for k := lo; k < hi; k++ {
				if r.at(previous) < r.at(k) && r.at(k) < r.at(i) {
					return false
				}
			}
		}
		previous = i
	}
	if r.converts(t) {
		t.end, t.endedBy = converted, t.rows[len(r.q.Steps)-1]
	}
	for k := lo; k < hi; k++ {
		if t.end != excluded && !slices.Contains(t.rows, k) && r.excludes(t, k, until) {
			if r.at(previous) > r.at(k) {
				return false
			}
			t.end, t.endedBy = excluded, k
		}
	}
	for k := lo; k < hi && t.end == timedOut && r.q.Order == Strict; k++ {
		if r.at(previous) < r.at(k) && r.at(k) <= until {
			t.end, t.endedBy = interrupted, k
		}
	}
	return true
}

func (r *reference) converts(t *trial) bool {
	return len(t.rows) == len(r.q.Steps) && t.rows[len(t.rows)-1] >= 0
}

// excludes says whether a row lies strictly between the steps of an exclusion that it fits.
func (r *reference) excludes(t *trial, k int, until int64) bool {
	for x := range r.q.Exclude {
		from, to := r.q.Exclude[x].From, r.q.Exclude[x].To
		if !r.bans(k, x) || t.rows[from] < 0 || r.at(k) <= r.at(t.rows[from]) {
			continue
		}
		before := until
		if to < len(t.rows) && t.rows[to] >= 0 {
			before = r.at(t.rows[to])
		}
		if r.at(k) < before {
			return true
		}
	}
	return false
}

func (r *reference) done(t *trial) (required, optional int, last int64) {
	for step, i := range t.rows {
		switch {
		case i < 0:
		case r.q.Order != Any && r.q.Steps[step].Optional:
			optional++
		default:
			required++
			last = r.at(i)
		}
	}
	return required, optional, last
}

// compare is negative when the first of two fillings is the better.
func (r *reference) compare(a, b *trial) int {
	ra, oa, la := r.done(a)
	rb, ob, lb := r.done(b)
	if c := cmp.Or(cmp.Compare(rb, ra), cmp.Compare(la, lb), cmp.Compare(ob, oa)); c != 0 {
		return c
	}
	for step := range a.rows {
		if c := cmp.Compare(r.time(a, step), r.time(b, step)); c != 0 {
			return c
		}
	}
	return slices.CompareFunc(a.rows, b.rows, func(x, y int) int { return cmp.Compare(uint(x), uint(y)) })
}

func (r *reference) time(t *trial, step int) int64 {
	if step >= len(t.rows) || t.rows[step] < 0 {
		return never
	}
	return r.at(t.rows[step])
}

// best returns the attempt of the rows from lo to before hi that counts, and whether it is incomplete.
func (r *reference) best(in query.Range, lo, hi int, over bool) (best *trial, incomplete bool) {
	open := false
	for entry := lo; entry < hi; entry++ {
		if !r.isEntry(entry, in) {
			continue
		}
		t := r.attempt(entry, lo, hi)
		mine := t.end == timedOut && r.q.AsOf != NoAsOf && r.q.AsOf <= r.at(entry)+r.q.Window
		if best == nil {
			best, open = t, mine
			continue
		}
		if r.q.Choice == First {
			break
		}
		open = open || mine
		ra, _, la := r.done(t)
		rb, _, lb := r.done(best)
		if cmp.Or(cmp.Compare(ra, rb), cmp.Compare(lb, la), 1) > 0 { // the later entry among equals
			best = t
		}
	}
	return best, best != nil && best.end != converted && open && !over
}

// counted is an attempt that counts.
type counted struct {
	rows       []int
	end        ending
	incomplete bool
}

// run returns the attempts that count.
func (r *reference) run(p *behaviour.Person, in query.Range) (all []counted) {
	take := func(t *trial, incomplete bool) {
		if t != nil {
			all = append(all, counted{t.rows, t.end, incomplete})
		}
	}
	switch r.q.Count {
	case Users:
		take(r.best(in, 0, len(r.rows), false))
	case Sessions:
		for i := range p.Sessions {
			lo := slices.IndexFunc(r.rows, func(row behaviour.Row) bool { return row.Session == uint32(i+1) })
			hi := lo
			for hi >= 0 && hi < len(r.rows) && r.rows[hi].Session == uint32(i+1) {
				hi++
			}
			if lo >= 0 {
				take(r.best(in, lo, hi, p.Sessions[i].Over(r.q.AsOf)))
			}
		}
	case Totals:
		if r.q.Choice == First {
			r.follow(in, 0, len(r.rows), -1, take)
		} else {
			r.conversions(in, take)
		}
	}
	return all
}

func (r *reference) isOpen(t *trial) bool {
	return t.end == timedOut && r.q.AsOf != NoAsOf && r.q.AsOf <= r.at(t.rows[0])+r.q.Window
}

// follow takes attempts that follow one another.
func (r *reference) follow(in query.Range, from, end, until int, take func(*trial, bool)) {
	floor := from
	for entry := from; entry < end; entry++ {
		if entry < floor || !r.isEntry(entry, in) {
			continue
		}
		t := r.attempt(entry, floor, len(r.rows))
		limit := r.at(entry) + r.q.Window
		if until >= 0 {
			over := limit < r.at(until)
			if t.end == interrupted {
				over = t.endedBy <= until
			} else if t.end != timedOut {
				over = t.endedBy < until
			}
			if !over {
				return
			}
		}
		take(t, r.isOpen(t))
		switch t.end {
		case interrupted:
			floor = t.endedBy
		case timedOut:
			for floor < len(r.rows) && r.at(floor) <= limit {
				floor++
			}
		default:
			floor = max(t.endedBy, entry) + 1
		}
	}
}

// conversions takes the earliest conversion, with the latest entry for it, goes on after it, and takes the rest as
// they follow.
func (r *reference) conversions(in query.Range, take func(*trial, bool)) {
	for floor := 0; ; {
		var won *trial
		for entry := floor; entry < len(r.rows); entry++ {
			if !r.isEntry(entry, in) {
				continue
			}
			t := r.attempt(entry, floor, len(r.rows))
			if t.end == converted && (won == nil || r.lastOf(t) <= r.lastOf(won)) {
				won = t
			}
		}
		if won == nil {
			r.follow(in, floor, len(r.rows), -1, take)
			return
		}
		r.follow(in, floor, won.rows[0], won.rows[0], take)
		take(won, false)
		floor = max(won.endedBy, won.rows[0]) + 1
	}
}

func (r *reference) lastOf(t *trial) int64 {
	_, _, last := r.done(t)
	return last
}
