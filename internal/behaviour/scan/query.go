package scan

import (
	"slices"
	"sync"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Query says which events a question considers and what it needs of them.
type Query struct {
	From int64 // microseconds since 1970, inclusive
	To   int64 // exclusive
	// AsOf leaves out what happened or was received at or after it, in microseconds since 1970; 0 leaves out nothing.
	AsOf int64
	// Names are the events considered; all when there are none.
	Names []string
	// Filter is what they must fit; nil is anything.
	Filter *Filter
	// Matchers are the conditions of Row.Marks, at most behaviour.MaxMatchers.
	Matchers []Matcher
	// OnlyMarked leaves out events that fit none of the matchers.
	OnlyMarked bool
	// Values are those of Row.Values, at most behaviour.MaxValues.
	Values []*Dictionary
	// Sessions counts each person's sessions over all events of the range, whatever their name and filter. SessionProp, if
	// not empty, is the prop with the client's session id.
	Sessions    bool
	SessionProp string

	Identity *behaviour.Identity // nil: every number is a person of its own
	// Only are the people considered, after links and merges; everybody, and what nobody did, when it is nil. Others take no
	// memory and little time. Presence considers everybody.
	Only *behaviour.Set
	// Groups are handed on and counted in place of people, if not nil; Only says of which people the events are then.
	// Presence does not know them.
	Groups *Groups
	// Memory bounds what the scan holds, in bytes; 0 is DefaultMemory.
	Memory int64
}

// DefaultMemory is what a question may hold.
const DefaultMemory = 64 << 20

// Matcher is a condition on an event: one of some names, all when there are none, that fits a filter, nil being any.
type Matcher struct {
	Names  []string
	Filter *Filter
}

// Dictionary gives the values of a prop, or the names of events, codes within a question. It is safe for concurrent
// use.
type Dictionary struct {
	Prop   string // of the value
	ByName bool   // the name of the event, instead
	// ByPerson is a value of the person, instead, which all of his events have: see Give.
	ByPerson bool
	// Edges, ascending, give codes to ranges of numbers instead of to values: see Range. What is no number has none.
	Edges []float64
	// As makes of a value the one that stands for it; nil: each value stands for itself.
	As func(parts.Value) parts.Value

	mu     sync.Mutex
	codes  map[parts.Value]uint32
	values []parts.Value
	stood  map[parts.Value]uint32 // codes of values that As makes others of
	people []uint32               // codes by the numbers of people
}

// NewDictionary is of a prop that takes codes as they come.
func NewDictionary(prop string) *Dictionary { return &Dictionary{Prop: prop} }

// codesOf appends the codes of some values.
func (d *Dictionary) codesOf(values []parts.Value, codes []uint32) []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.codes == nil {
		d.codes = make(map[parts.Value]uint32)
		d.values = append(d.values, parts.Value{}, parts.Value{})
	}
	for _, v := range values {
		codes = append(codes, d.codeOf(v))
	}
	return codes
}

// codeOf returns the code of a value. What stands for a value is found once.
func (d *Dictionary) codeOf(v parts.Value) uint32 {
	if v.None() {
		return 0
	}
	if d.As == nil {
		return d.own(v)
	}
	code, ok := d.stood[v]
	if !ok {
		code = d.own(d.As(v))
		if d.stood == nil {
			d.stood = make(map[parts.Value]uint32)
		}
		d.stood[v] = code
	}
	return code
}

// own returns the code of a value that stands for itself.
func (d *Dictionary) own(v parts.Value) uint32 {
	if v.None() {
		return 0
	}
	code, ok := d.codes[v]
	if !ok {
		code = uint32(len(d.values))
		d.codes[v] = code
		d.values = append(d.values, v)
	}
	return code
}

// encode returns the codes of a prop's rows, in memory that is used again.
func (d *Dictionary) encode(p *parts.Prop, codes, table []uint32) (newCodes, newTable []uint32) {
	local, table := d.local(p, codes, table[:0])
	codes = sizedTo(codes, len(local))
	for i, code := range local {
		codes[i] = table[code]
	}
	return codes, table
}

// local returns the codes that a prop's rows have in the chunk, and appends those of the dictionary, by them, to table.
func (d *Dictionary) local(p *parts.Prop, memory, table []uint32) (codes, newTable []uint32) {
	if d.Edges != nil {
		return d.ranges(p, memory, table)
	}
	if p.Numbers == nil {
		return p.Codes, d.codesOf(p.Values, table)
	}
	own := make(map[int64]uint32)
	var values []parts.Value
	codes = sizedTo(memory, len(p.Numbers))
	for i, m := range p.Numbers {
		if p.Has != nil && p.Has[i] != parts.Number {
			m = noNumber
		}
		code, ok := own[m]
		if !ok {
			code = uint32(len(values))
			own[m] = code
			values = append(values, p.Value(i))
		}
		codes[i] = code
	}
	return codes, d.codesOf(values, table)
}

// Give says which value a person has, after links and merges. It is not to be called during a scan.
func (d *Dictionary) Give(person uint32, v parts.Value) {
	code := uint32(0)
	if d.Edges == nil {
		code = d.Code(v)
	} else if n, ok := decimalOf(v.Text); ok && v.Kind == parts.Number {
		code = rangeCode(rangeOf(d.decimals(), n))
	}
	if code == 0 {
		return
	}
	if missing := int(person) + 1 - len(d.people); missing > 0 {
		d.people = append(d.people, make([]uint32, missing)...)
	}
	d.people[person] = code
}

// Forget takes all people's values back. The codes stay.
func (d *Dictionary) Forget() { clear(d.people) }

// Of returns the code of the value that a person was given, 0 when there is none.
func (d *Dictionary) Of(person uint32) uint32 {
	if int(person) < len(d.people) {
		return d.people[person]
	}
	return 0
}

// ofEvents says whether the values are those of a prop of events.
func (d *Dictionary) ofEvents() bool { return !d.ByName && !d.ByPerson }

// noNumber is no mantissa that a part has.
const noNumber = -1 << 63

// Value returns what a code stands for; the absent value for 0 and Rest.
func (d *Dictionary) Value(code uint32) parts.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int(code) >= len(d.values) {
		return parts.Value{}
	}
	return d.values[code]
}

// Code returns the code of a value, giving it one when it has none.
func (d *Dictionary) Code(v parts.Value) uint32 { return d.codesOf([]parts.Value{v}, nil)[0] }

// Len is how many codes there are.
func (d *Dictionary) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(len(d.values), 2)
}

// set is some names, all when it is nil.
type set map[string]bool

func newSet(names []string) set {
	if len(names) == 0 {
		return nil
	}
	s := make(set, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

func (s set) has(name string) bool { return s == nil || s[name] }

// plan is a query made ready for the chunks.
type plan struct {
	*Query
	names    set
	matchers []set
	to       int64 // the end of the range, or AsOf when that is earlier
	identity *behaviour.Identity
	moved    []uint32
	memory   int64
	parts    []*parts.Header
	crowded  map[int32]bool // days of several parts: ranks do not order between them
}

func (q *Query) plan(all []*parts.Header) *plan {
	p := &plan{Query: q, names: newSet(
		q.Names,
	), to: q.To, identity: q.Identity, memory: q.Memory, parts: all, crowded: map[int32]bool{}}
	if q.AsOf != 0 {
		p.to = min(p.to, q.AsOf)
	}
	if p.identity == nil {
		p.identity = &behaviour.Identity{}
	}
	if p.memory == 0 {
		p.memory = DefaultMemory
	}
	p.moved = moved(p.identity)
	slices.Sort(p.moved)
	for _, m := range q.Matchers[:min(len(q.Matchers), behaviour.MaxMatchers)] {
		p.matchers = append(p.matchers, newSet(m.Names))
	}
	days := map[int32]int{}
	for _, h := range all {
		day := dayOf(h.MinTS)
		if days[day]++; days[day] > 1 || q.Groups != nil { // ranks order what one person did
			p.crowded[day] = true
		}
	}
	return p
}

// wants says whether rows of a chunk may be considered.
func (p *plan) wants(c *parts.Chunk) bool {
	if c.MaxTS < p.From || c.MinTS >= p.to {
		return false
	}
	return p.Sessions || p.considers(c.Name)
}

// considers says whether events of a name may be considered.
func (p *plan) considers(name string) bool {
	if !p.names.has(name) {
		return false
	}
	if !p.OnlyMarked {
		return true
	}
	for _, names := range p.matchers {
		if names.has(name) {
			return true
		}
	}
	return false
}

// ref is a chunk of a part.
type ref struct {
	part  int
	chunk int
}

func (p *plan) chunk(r ref) *parts.Chunk { return &p.parts[r.part].Chunks[r.chunk] }

// asks says whether somebody is considered.
func (p *plan) asks(no uint32) bool { return p.Only == nil || p.Only.Has(no) }

// refs returns the chunks that may be considered, in order of their days.
func (p *plan) refs() []ref {
	var all []ref
	for k := range p.parts {
		for i := range p.parts[k].Chunks {
			if p.wants(&p.parts[k].Chunks[i]) {
				all = append(all, ref{k, i})
			}
		}
	}
	slices.SortStableFunc(
		all, func(x, y ref) int { return int(dayOf(p.parts[x.part].MinTS) - dayOf(p.parts[y.part].MinTS)) },
	)
	return all
}

// people is a half-open range of numbers.
type people struct{ lo, hi uint64 }

func (r people) has(no uint32) bool { return uint64(no) >= r.lo && uint64(no) < r.hi }

// within returns the chunks that may have events of some people.
func (p *plan) within(all []ref, r people) []ref {
	if p.Groups != nil {
		return all
	}
	var some []ref
	for _, ref := range all {
		c := p.chunk(ref)
		if uint64(c.LastPerson) >= r.lo && uint64(c.FirstPerson) < r.hi || p.movedInto(c, r) {
			some = append(some, ref)
		}
	}
	return some
}

// movedInto says whether a number of the chunk belongs to somebody of the range by a link or a merge.
func (p *plan) movedInto(c *parts.Chunk, r people) bool {
	at, _ := slices.BinarySearch(p.moved, c.FirstPerson)
	for ; at < len(p.moved) && p.moved[at] <= c.LastPerson; at++ {
		no := p.moved[at]
		if r.has(p.identity.Canonical(no)) {
			return true
		}
		if s, ok := p.identity.Splits[no]; ok && r.has(s.To) {
			return true
		}
	}
	return false
}

// ranges cuts all people into at least so many ranges with about as many rows each, none with more than most where that
// can be foreseen.
func (p *plan) ranges(all []ref, least int, most int64) []people {
	const pieces = 4096
	last, rows := uint64(0), int64(0)
	for _, r := range all {
		last = max(last, uint64(p.chunk(r).LastPerson))
		rows += int64(p.chunk(r).Rows)
	}
	if p.Groups != nil {
		return p.groupRanges(rows, least, most)
	}
	for _, to := range p.identity.Canon {
		last = max(last, uint64(to))
	}
	for _, s := range p.identity.Splits {
		last = max(last, uint64(s.To))
	}
	width := last/pieces + 1
	weight := make([]int64, last/width+1)
	for _, r := range all {
		c := p.chunk(r)
		first, end := uint64(c.FirstPerson)/width, uint64(c.LastPerson)/width
		each := int64(c.Rows)<<10/int64(end-first+1) + 1
		for i := first; i <= end; i++ {
			weight[i] += each
		}
	}
	n := max(int64(least), rows/max(most, 1)+1)
	share := rows<<10/n + 1
	var out []people
	lo, sum := uint64(1), int64(0)
	for i, w := range weight {
		if sum > 0 && sum+w/2 > share {
			if at := uint64(i) * width; at > lo {
				out = append(out, people{lo, at})
				lo, sum = at, 0
			}
		}
		sum += w
	}
	return append(out, people{lo, max(last, lo) + 1})
}
