package history

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/events"
)

// span is a range of ids without its end.
type span struct{ from, to uuid.UUID }

func (s span) empty() bool { return bytes.Compare(s.from[:], s.to[:]) >= 0 }

func (s span) within(o span) span {
	if bytes.Compare(s.from[:], o.from[:]) < 0 {
		s.from = o.from
	}
	if bytes.Compare(s.to[:], o.to[:]) > 0 {
		s.to = o.to
	}
	return s
}

// span is the ids that the filter leaves to be read.
func (f *Filter) span() span {
	ids := span{events.FirstID(f.Since), events.FirstID(ceilMilli(f.Until))}
	switch {
	case f.After == nil:
	case f.Ascending:
		ids.from = events.NextID(*f.After)
	default:
		ids.to = *f.After
	}
	return ids
}

// personSettings are those of a transaction that reads a timeline. Each piece is planned for its own ids, because they
// decide which index there is; and by an ordinary index, because what the planner believes of the newest events is what
// ANALYZE saw of older ones.
var personSettings = []string{
	"plan_cache_mode = force_custom_plan", "enable_seqscan = off", "enable_bitmapscan = off",
	"max_parallel_workers_per_gather = 0",
}

const (
	// newestFirst is how many events of a project are simply looked through before its blocks are: the whole of a small
	// project, or a page of somebody who is in everything.
	newestFirst = 1_000
	// wider is by how much each further step goes back in time when a person was in the one before it, and widest what
	// it is at most made of.
	wider  = 8
	widest = 10 * 365 * 24 * time.Hour
)

// timeline returns the first events of one person, in the order of the filter, piece by piece until there are enough.
// The pieces only decide how events are found: together they are all ids, whatever indexes there are, so that an index
// which is late, or missing, makes an answer slow and never wrong.
func (s *Store) timeline(ctx context.Context, tx pgx.Tx, f *Filter, all []piece) ([]events.Event, error) {
	if !f.Ascending {
		slices.Reverse(all)
	}
	var out []events.Event
	var err error
	for _, p := range all {
		ids := p.span.within(f.span())
		if ids.empty() {
			continue
		}
		var found []events.Event
		if p.indexed {
			found, err = s.page(ctx, tx, f, ids, f.Limit+1-len(out))
		} else {
			found, err = s.recent(ctx, tx, f, ids, f.Limit+1-len(out))
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, found...); len(out) > f.Limit {
			break
		}
	}
	return out, nil
}

// recent is page for one person in a span without a B-tree by person. The newest events are looked through; what is
// older is read by blocks, in steps that grow as long as the person is found, since somebody who is in most blocks
// fills a page with few of them.
func (s *Store) recent(ctx context.Context, tx pgx.Tx, f *Filter, ids span, limit int) ([]events.Event, error) {
	if f.Ascending {
		return s.byBlocks(ctx, tx, f, ids, limit)
	}
	newest, err := s.newest(ctx, tx, f.ProjectID, ids, newestFirst)
	if err != nil {
		return nil, err
	}
	if len(newest) < 2 {
		return s.page(ctx, tx, f, ids, limit)
	}
	step := span{newest[1], ids.to}
	out, err := s.page(ctx, tx, f, step, limit)
	since, took := events.TimeOf(newest[1]), events.TimeOf(newest[0]).Sub(events.TimeOf(newest[1]))
	for found := len(out); err == nil && len(out) < limit && !ids.within(span{ids.from, step.from}).empty(); {
		step.to = step.from
		took = min(took, widest) * wider
		since = since.Add(-took)
		if step.from = events.FirstID(since); found == 0 || since.Before(events.Beginning) {
			step.from = ids.from
		}
		step = step.within(ids)
		var more []events.Event
		more, err = s.byBlocks(ctx, tx, f, step, limit-len(out))
		out, found = append(out, more...), len(more)
	}
	return out, err
}

// piece is a span of ids and whether there is a B-tree by person for it.
type piece struct {
	span
	indexed bool
}

// pieces divides all ids, in their order. Everything before the first month of which only weeks are indexed counts as
// indexed: those months are over, and where a B-tree is missing it is being made.
func pieces(valid map[string]bool) []piece {
	var have []personIndex
	for name, ok := range valid {
		if i, known := parsePersonIndex(name); known && ok && !i.recent() {
			have = append(have, i)
		}
	}
	slices.SortFunc(have, func(a, b personIndex) int { return cmp.Or(a.from.Compare(b.from), b.to.Compare(a.to)) })
	done := events.Beginning
	for _, i := range have {
		if !i.whole() && !valid[newPersonIndex(i.of, 0).name()] {
			done = i.of.From
			break
		}
		if i.whole() {
			done = i.to
		}
	}
	out := []piece{{span{events.FirstID(events.Beginning), events.FirstID(done)}, true}}
	for _, i := range have {
		if i.from.Before(done) {
			continue
		}
		if i.from.After(done) {
			out = append(out, piece{span{events.FirstID(done), events.FirstID(i.from)}, false})
		}
		out = append(out, piece{span{events.FirstID(i.from), events.FirstID(i.to)}, true})
		done = i.to
	}
	return append(out, piece{span{events.FirstID(done), events.FirstID(events.End)}, false})
}
