package paths

import (
	"slices"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Node is what stands at a step, and what became of those who came to it.
type Node struct {
	Node    uint32
	Count   int
	DropOff int // whose path ended here, before the depth
}

// Step is the nodes that are shown at a step, most frequent first. Other are those who went to none of them.
type Step struct {
	Nodes []Node
	Other int
}

// Link says how many went from a node at a step to a node at the next; with Other to none of those shown.
type Link struct {
	Step     int // from 1, of From
	From, To uint32
	Other    bool
	Count    int
}

// Answer is what was asked for.
type Answer struct {
	Paths     int
	Longer    int // than the depth; they are in no step
	Backwards bool
	Steps     []Step
	Links     []Link
}

// followed says which nodes of the trie are shown, and at which step.
type followed struct {
	answer Answer
	step   []int  // by node of the trie, 0 for those that are not shown
	other  []bool // it is in the rest of its step
}

// Answer returns what was counted.
func (p *Paths) Answer() Answer { return p.follow().answer }

// follow walks the trie step by step: from each node that is shown to the nodes that most went to.
func (p *Paths) follow() *followed {
	f := &followed{
		answer: Answer{Paths: p.count, Longer: p.longer, Backwards: p.q.Backwards()},
		step:   make([]int, len(p.trie.nodes)),
		other:  make([]bool, len(p.trie.nodes)),
	}
	children := p.trie.children()
	level := map[uint32][]int32{0: children.of(0)} // by the node before: the nodes of the trie that come after it
	for step := 1; len(level) > 0; step++ {
		level = p.show(f, step, level, children)
	}
	return f
}

// show adds a step and returns the nodes that come after those shown.
func (p *Paths) show(f *followed, step int, level map[uint32][]int32, children children) map[uint32][]int32 {
	var shown Step
	counts := map[uint32]*Node{}
	next := map[uint32][]int32{}
	for from, candidates := range level {
		top, rest := p.top(candidates)
		for _, g := range top {
			if step > 1 {
				f.answer.Links = append(f.answer.Links, Link{Step: step - 1, From: from, To: g.Value, Count: g.Size})
			}
			if counts[g.Value] == nil {
				counts[g.Value] = &Node{Node: g.Value}
			}
			counts[g.Value].Count += g.Size
		}
		if rest > 0 {
			shown.Other += rest
			if step > 1 {
				f.answer.Links = append(f.answer.Links, Link{Step: step - 1, From: from, Other: true, Count: rest})
			}
		}
		for _, at := range candidates {
			n := &p.trie.nodes[at]
			f.step[at] = step
			f.other[at] = !slices.ContainsFunc(top, func(g query.Group) bool { return g.Value == n.code })
			if !f.other[at] {
				counts[n.code].DropOff += n.ended
				if below := children.of(at); len(below) > 0 {
					next[n.code] = append(next[n.code], below...)
				}
			}
		}
	}
	for _, n := range counts {
		shown.Nodes = append(shown.Nodes, *n)
	}
	if len(shown.Nodes) == 0 {
		return nil
	}
	p.sort(&shown, f.answer.Links)
	f.answer.Steps = append(f.answer.Steps, shown)
	return next
}

// top returns the most frequent nodes among those of the trie, and how many went to another.
func (p *Paths) top(candidates []int32) (top []query.Group, rest int) {
	sizes := map[uint32]int{}
	for _, at := range candidates {
		sizes[p.trie.nodes[at].code] += p.trie.nodes[at].count
	}
	top, others := query.Top(sizes, func(size int) int { return size }, p.q.Top, p.q.Compare)
	for _, g := range others {
		rest += g.Size
	}
	return top, rest
}

// sort puts nodes most frequent first, links by step, by the node that they
// come from, most frequent first, the rest last.
func (p *Paths) sort(shown *Step, links []Link) {
	slices.SortFunc(shown.Nodes, func(a, b Node) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return p.q.Compare(a.Node, b.Node)
	})
	slices.SortFunc(links, func(a, b Link) int {
		switch {
		case a.Step != b.Step:
			return a.Step - b.Step
		case a.From != b.From:
			return p.q.Compare(a.From, b.From)
		case a.Other != b.Other:
			if a.Other {
				return 1
			}
			return -1
		case a.Count != b.Count:
			return b.Count - a.Count
		default:
			return p.q.Compare(a.To, b.To)
		}
	})
}

// children are the nodes of a trie by their parents.
type children struct {
	first []int32 // by parent: where its children begin
	list  []int32
}

func (t *trie) children() children {
	c := children{first: make([]int32, len(t.nodes)+1), list: make([]int32, max(0, len(t.nodes)-1))}
	for _, n := range t.nodes[1:] {
		c.first[n.parent+1]++
	}
	for i := 1; i < len(c.first); i++ {
		c.first[i] += c.first[i-1]
	}
	at := slices.Clone(c.first)
	for i := 1; i < len(t.nodes); i++ {
		parent := t.nodes[i].parent
		c.list[at[parent]] = int32(i)
		at[parent]++
	}
	return c
}

func (c children) of(parent int32) []int32 { return c.list[c.first[parent]:c.first[parent+1]] }
