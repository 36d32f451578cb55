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
}

// New returns the paths of nobody.
func New(q Question) *Paths { return &Paths{q: q, trie: newTrie()} }

// Add counts a person.
func (p *Paths) Add(person *behaviour.Person) {
	p.load(person.Rows)
	if p.q.Backwards() {
		slices.Reverse(p.nodes)
	}
	switch p.q.Count {
	case Users:
		p.take(person.No, p.nodes)
	case Totals:
		for rest := p.nodes; len(rest) > 0; {
			rest = rest[p.take(person.No, rest):]
		}
	case Sessions:
		for lo, hi := 0, 0; lo < len(p.nodes); lo = hi {
			for hi = lo + 1; hi < len(p.nodes) && p.nodes[hi].Session == p.nodes[lo].Session; {
				hi++
			}
			p.take(person.No, p.nodes[lo:hi])
		}
	}
}

// load takes the nodes of a person. Of equal neighbours in a session, or with sessions of no account at all, the first is taken:
// whether an anchor fits is asked of that one.
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

// within says whether a node is in the window of a path.
func (p *Paths) within(first, r *behaviour.Row) bool {
	return max(r.TS-first.TS, first.TS-r.TS) <= p.q.Window
}

// take counts the first path among nodes and returns how many nodes it used up.
func (p *Paths) take(no uint32, nodes []behaviour.Row) int {
	first := 0
	for first < len(nodes) && !p.starts(&nodes[first]) {
		first++
	}
	if first == len(nodes) {
		return first
	}
	var path path
	path.add(first)
	next, ended := first+1, true
	for ; next < len(nodes) && p.within(&nodes[first], &nodes[next]); next++ {
		if path.length == p.q.Depth && !p.both() {
			ended = false
			break
		}
		path.add(next)
		if p.both() && nodes[next].Marks&p.q.End.Marks != 0 {
			p.put(no, nodes, &path, false)
			return next + 1
		}
	}
	if p.both() {
		return next // the end was not reached
	}
	p.put(no, nodes, &path, ended && path.length < p.q.Depth)
	return next
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
func (p *Paths) put(no uint32, nodes []behaviour.Row, t *path, dropped bool) {
	if t.length > p.q.Depth {
		p.longer++
		if p.wanted != nil && p.wanted.Longer {
			p.found = append(p.found, query.Found{Member: behaviour.Member{No: no, At: nodes[t.at[0]].TS}})
		}
		return
	}
	p.count++
	leaf := int32(0)
	for _, i := range t.at[:t.length] {
		leaf = p.trie.child(leaf, nodes[i].Values[p.q.Node])
		p.trie.nodes[leaf].count++
	}
	if dropped {
		p.trie.nodes[leaf].ended++
	}
	if c := p.wanted; c != nil && !c.Longer && c.Step <= t.length && (!c.DropOff || dropped && c.Step == t.length) {
		p.found = append(p.found, query.Found{Member: behaviour.Member{No: no, At: nodes[t.at[c.Step-1]].TS}, Value: uint32(leaf)})
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

// People returns those behind the number, by their numbers, with the moment of the node: one for each path that it counts.
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
