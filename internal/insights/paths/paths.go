package paths

import (
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Paths counts paths. It is for one goroutine; several count parts of the people and are merged.
type Paths struct {
	q      Question
	trie   *trie
	count  int
	longer int
	wanted *Coordinate
	found  []query.Found // the value is the leaf of the path

	nodes []behaviour.Row // of the person at hand: those that are nodes, in the order of reading
	ends  []int           // the first end at or after each, where paths have both ends
}

// New returns the paths of nobody.
func New(q Question) *Paths { return &Paths{q: q, trie: newTrie()} }

// Add counts a person.
func (p *Paths) Add(person *behaviour.Person) {
	p.load(person.Rows)
	if p.q.Backwards() {
		slices.Reverse(p.nodes)
	}
	if p.both() {
		p.findEnds()
	}
	switch p.q.Count {
	case Users:
		p.take(person.No, 0, len(p.nodes))
	case Totals:
		for at := 0; at < len(p.nodes); {
			at = p.take(person.No, at, len(p.nodes))
		}
	case Sessions:
		for lo, hi := 0, 0; lo < len(p.nodes); lo = hi {
			for hi = lo + 1; hi < len(p.nodes) && p.nodes[hi].Session == p.nodes[lo].Session; {
				hi++
			}
			p.take(person.No, lo, hi)
		}
	}
}

// load takes the nodes of a person. Of equal neighbours (in a session where sessions are counted) the
// first is taken: whether an anchor fits is asked of that one.
func (p *Paths) load(rows []behaviour.Row) {
	p.nodes = p.nodes[:0]
	var name, session uint32
	for i := range rows {
		r := &rows[i]
		if r.Values[p.q.Node] == 0 {
			continue
		}
		if p.q.Collapse && r.Values[p.q.Node] == name && (p.q.Count != Sessions || r.Session == session) {
			continue
		}
		name, session = r.Values[p.q.Node], r.Session
		p.nodes = append(p.nodes, *r)
	}
}

// starts says whether a path can begin at a node.
func (p *Paths) starts(r *behaviour.Row) bool {
	anchor := p.q.Start
	if p.q.Backwards() {
		anchor = p.q.End
	}
	return p.q.Range.Has(r.TS) && (anchor == nil || r.Marks&anchor.Marks != 0)
}

// within says whether a node is in the window of the path that begins at another.
func (p *Paths) within(first, i int) bool {
	from, to := p.nodes[first].TS, p.nodes[i].TS
	return max(to-from, from-to) <= p.q.Window
}

// take counts the first path among the nodes from lo to before hi, and returns where the next can begin.
func (p *Paths) take(no uint32, lo, hi int) int {
	first := lo
	for first < hi && !p.starts(&p.nodes[first]) {
		first++
	}
	if first == hi {
		return hi
	}
	if p.both() {
		return p.takeToEnd(no, first, hi)
	}
	var path path
	next := first
	for next < hi && path.length < p.q.Depth && p.within(first, next) {
		path.add(next)
		next++
	}
	p.put(no, &path, path.length < p.q.Depth)
	return next
}

// takeToEnd counts the path from a start to the first end after it. Where that is not in the window there is no path.
func (p *Paths) takeToEnd(no uint32, first, hi int) int {
	end := hi
	if first+1 < hi {
		end = p.ends[first+1]
	}
	if end >= hi || !p.within(first, end) {
		return first + 1
	}
	var path path
	for i := first; i <= end; i++ {
		path.add(i)
	}
	p.put(no, &path, false)
	return end + 1
}

// findEnds finds the first end at or after each node.
func (p *Paths) findEnds() {
	p.ends = slices.Grow(p.ends[:0], len(p.nodes))[:len(p.nodes)]
	end := len(p.nodes)
	for i := len(p.nodes) - 1; i >= 0; i-- {
		if p.nodes[i].Marks&p.q.End.Marks != 0 {
			end = i
		}
		p.ends[i] = end
	}
}

func (p *Paths) both() bool { return p.q.Start != nil && p.q.End != nil }

// path is the nodes of a path, as many as are shown, and how many it has.
type path struct {
	at     [MaxDepth]int
	length int
}

func (t *path) add(i int) {
	if t.length < MaxDepth {
		t.at[t.length] = i
	}
	t.length++
}

// put counts a path.
func (p *Paths) put(no uint32, t *path, dropped bool) {
	if t.length > p.q.Depth {
		p.longer++
		if p.wanted != nil && p.wanted.Longer {
			p.found = append(p.found, query.Found{Member: behaviour.Member{No: no, At: p.nodes[t.at[0]].TS}})
		}
		return
	}
	p.count++
	leaf := int32(0)
	for _, i := range t.at[:t.length] {
		leaf = p.trie.child(leaf, p.nodes[i].Values[p.q.Node])
		p.trie.nodes[leaf].count++
	}
	if dropped {
		p.trie.nodes[leaf].ended++
	}
	if c := p.wanted; c != nil && !c.Longer && c.Step <= t.length && (!c.DropOff || dropped && c.Step == t.length) {
		member := behaviour.Member{No: no, At: p.nodes[t.at[c.Step-1]].TS}
		p.found = append(p.found, query.Found{Member: member, Value: uint32(leaf)})
	}
}

// Merge adds what other paths of the same question counted, of other people.
func (p *Paths) Merge(other *Paths) {
	numbers := p.trie.merge(other.trie)
	p.count += other.count
	p.longer += other.longer
	for _, f := range other.found {
		p.found = append(p.found, query.Found{Member: f.Member, Value: uint32(numbers[f.Value])})
	}
}

// Coordinate names a number of the answer.
type Coordinate struct {
	Step int // from 1
	// Node is the node at the step; with Other it is not looked at: the rest of the step.
	Node  uint32
	Other bool
	// From is the node at the step before, for a link; nil for the node itself.
	From *uint32
	// DropOff asks for those whose path ended at the node.
	DropOff bool
	// Longer asks for the paths that are only counted, and for nothing else.
	Longer bool
}

// Collect makes it find the people behind a number too. It is asked before the first person.
func (p *Paths) Collect(c Coordinate) { p.wanted = &c }

// People returns those behind the number, by their numbers, with the moment of the node: one for each path that it
// counts.
func (p *Paths) People() []behaviour.Member {
	followed := p.follow()
	behind := p.found[:0:0]
	for _, f := range p.found {
		if p.wanted.Longer || p.behind(followed, int32(f.Value)) {
			behind = append(behind, f)
		}
	}
	return query.Members(behind, nil)
}

// behind says whether a path with a leaf counts in the wanted number.
func (p *Paths) behind(followed *followed, leaf int32) bool {
	c := p.wanted
	at := leaf
	for followed.step[at] != c.Step {
		if at = p.trie.nodes[at].parent; at == 0 {
			return false
		}
	}
	n := &p.trie.nodes[at]
	if c.From != nil && (n.parent == 0 || p.trie.nodes[n.parent].code != *c.From) {
		return false
	}
	if c.Other {
		return followed.other[at]
	}
	return !followed.other[at] && n.code == c.Node
}
