package scan

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// People calls the workers with every person who has a considered event, each worker from a goroutine of its own, with
// different people by ascending number. A person and his rows are only valid during the call. The parts must be all of
// every day that the range meets, each of one day, and belong to the source.
//
// Errors: ErrTooLarge, *ErrNoColumn, *DamagedPart, those of the source and the workers.
func People(
	ctx context.Context, q *Query, all []*parts.Header, source Source, workers ...func(*behaviour.Person) error,
) error {
	p := q.plan(all)
	refs := p.refs()
	if err := p.number(ctx, source, refs); err != nil {
		return err
	}
	share := p.memory / int64(len(workers))
	ranges := p.ranges(refs, len(workers), share/p.rowBytes())
	if len(refs) == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan people, len(ranges))
	for _, r := range ranges {
		queue <- r
	}
	close(queue)
	var wg sync.WaitGroup
	for _, yield := range workers {
		wg.Go(func() {
			w := newGatherer(p, source, share, yield)
			for r := range queue {
				if err := w.run(ctx, refs, r); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// rowBytes is about how much of the memory a row takes.
func (p *plan) rowBytes() int64 {
	n := int64(4 + 8 + 1)
	for _, m := range p.Matchers {
		if m.Filter != nil {
			n += 8
			break
		}
	}
	n += int64(len(p.Values)) * 4
	if p.SessionProp != "" {
		n += 4
	}
	if len(p.crowded) > 0 {
		n += 16
	}
	return n
}

// personBytes is what a row of the person takes who is handed on.
func (p *plan) personBytes() int64 {
	if p.Sessions {
		return rowBytes + sessionBytes
	}
	return rowBytes
}

// block is the rows of a chunk that are needed of a range of people.
type block struct {
	crowded  bool
	name     string
	persons  []uint32 // ascending; of rows that are somebody else's by a link or a merge, behind own, as they were
	own      int
	times    []int64
	ranked   []uint32 // the rows with a rank above 0, ascending
	ranks    []uint32 // of those
	received []int64  // crowded only
	ties     []uint64 // crowded only
	mark     uint64   // of every row
	marks    []uint64 // of each row; nil: mark
	hidden   rowSet   // rows that are there for the sessions only; nil: none
	value    [behaviour.MaxValues]uint32
	values   [behaviour.MaxValues][]uint32 // nil: value
	sessions []uint32                      // codes of client session ids; nil: none has one
}

// stray is a row that is somebody's by a link or a merge.
type stray struct {
	person uint32
	block  uint32
	row    uint32
}

// entry is a row of a person who is being put together.
type entry struct {
	ts    int64
	block uint32
	row   uint32
}

// What they take of the memory.
const (
	strayBytes = 12
	entryBytes = 16
	rowBytes   = 40
	// sessionBytes is what a session of a person takes; of a row, because there are not more sessions than rows.
	sessionBytes = 24
)

// gatherer puts people together for one worker.
type gatherer struct {
	plan     *plan
	reader   reader
	limit    int64
	yield    func(*behaviour.Person) error
	sessions *Dictionary

	used   int64
	blocks []block
	strays []stray
	last   uint32 // the highest number with a row

	selected []uint32 // rows of the chunk at hand
	adjacent bool     // selected is one run of rows
	moved    []uint32
	ranks    []uint32
	ties     []uint64
	received []int64
	codes    []uint32
	table    []uint32
	counts   []uint32
	sorted   []uint32 // selected, while it is put in order
	entries  []entry
	person   behaviour.Person
	cut      behaviour.Sessionizer
}

func newGatherer(p *plan, source Source, limit int64, yield func(*behaviour.Person) error) *gatherer {
	g := &gatherer{plan: p, limit: limit, yield: yield}
	g.reader = reader{plan: p, source: source, columns: p.personColumns}
	if p.SessionProp != "" {
		g.sessions = NewDictionary(p.SessionProp)
	}
	return g
}

// personColumns are the columns that are needed of a chunk to put people together.
func (p *plan) personColumns(columns []int, h *parts.Header, c *parts.Chunk) ([]int, error) {
	columns = append(columns, parts.ColPerson, parts.ColTS)
	crowded := p.crowded[dayOf(c.MinTS)]
	if crowded {
		columns = append(columns, parts.ColReceived, parts.ColTie)
	} else {
		columns = append(columns, parts.ColRank)
		if p.dated(h) || p.splits(c) {
			columns = append(columns, parts.ColReceived)
		}
		if p.splits(c) {
			columns = append(columns, parts.ColTie)
		}
	}
	return propColumns(columns, h, p.chunkProps(c)), nil
}

// splits says whether an anonymous number of the chunk may become somebody else's.
func (p *plan) splits(c *parts.Chunk) bool {
	for no := range p.identity.Splits {
		if no >= c.FirstPerson && no <= c.LastPerson {
			return true
		}
	}
	return false
}

const dayMicros = 86_400_000_000

func dayOf(ts int64) int32 {
	day := ts / dayMicros
	if ts%dayMicros < 0 {
		day--
	}
	return int32(day)
}

// chunkProps are the props that are read of a chunk.
func (p *plan) chunkProps(c *parts.Chunk) []string {
	var props []string
	if p.considers(c.Name) {
		props = p.Filter.props(props)
		for i := range p.Matchers {
			if p.matchers[i].has(c.Name) {
				props = p.Matchers[i].Filter.props(props)
			}
		}
		for _, d := range p.Values {
			if d.ofEvents() && !slices.Contains(props, d.Prop) {
				props = append(props, d.Prop)
			}
		}
	}
	if p.SessionProp != "" && !slices.Contains(props, p.SessionProp) {
		props = append(props, p.SessionProp)
	}
	return p.Groups.props(props)
}

// run hands on the people of a range. What takes more memory than was foreseen is cut in two, and what is left of a range
// whose next people there is no room to put together is read again without those before them.
func (g *gatherer) run(ctx context.Context, all []ref, r people) error {
	clear(g.blocks) // what they hold can go before the next ones come
	g.blocks, g.strays, g.last = g.blocks[:0], g.strays[:0], 0
	held := int64(cap(g.entries)) * entryBytes
	g.used = held + int64(cap(g.person.Rows))*g.plan.personBytes() + int64(cap(g.strays))*strayBytes
	room := max(0, min(stepRows*2*entryBytes, g.limit/2)-held)
	g.used += room
	err := g.reader.each(ctx, g.plan.within(all, r), func(c *chunk) error { return g.load(c, r) })
	g.used -= room
	left := r.lo
	if err == nil {
		g.resolve(r)
		left, err = g.emit(ctx, r)
	}
	switch {
	case !errors.Is(err, ErrTooLarge):
		return err
	case left > r.lo && left < r.hi:
		return g.run(ctx, all, people{left, r.hi})
	case left == r.hi || r.hi-r.lo < 2:
		return err
	}
	half := r.lo + (r.hi-r.lo)/2
	if err := g.run(ctx, all, people{r.lo, half}); err != nil {
		return err
	}
	return g.run(ctx, all, people{half, r.hi})
}
