package paths

// trie is all paths, those with the same beginning sharing its nodes. Nodes are numbers; 0 is the root.
type trie struct {
	nodes []node
	table []int32 // open addressing by (parent, code): numbers of nodes, 0 where free
}

type node struct {
	parent int32
	code   uint32
	count  int // paths that pass or end here
	ended  int // paths that dropped off here
}

func newTrie() *trie {
	return &trie{nodes: make([]node, 1, 64), table: make([]int32, 128)}
}

func (t *trie) slot(parent int32, code uint32) uint64 {
	h := (uint64(uint32(parent))<<32 | uint64(code)) * 0x9E3779B97F4A7C15
	return (h ^ h>>29) & uint64(len(t.table)-1)
}

// child returns the node of a code under a parent; it makes one where there is none.
func (t *trie) child(parent int32, code uint32) int32 {
	mask := uint64(len(t.table) - 1)
	for i := t.slot(parent, code); ; i = (i + 1) & mask {
		switch at := t.table[i]; {
		case at == 0:
			number := int32(len(t.nodes))
			t.nodes = append(t.nodes, node{parent: parent, code: code})
			t.table[i] = number
			if 2*len(t.nodes) > len(t.table) {
				t.grow()
			}
			return number
		case t.nodes[at].parent == parent && t.nodes[at].code == code:
			return at
		}
	}
}

func (t *trie) grow() {
	t.table = make([]int32, 2*len(t.table))
	mask := uint64(len(t.table) - 1)
	for number := 1; number < len(t.nodes); number++ {
		i := t.slot(t.nodes[number].parent, t.nodes[number].code)
		for t.table[i] != 0 {
			i = (i + 1) & mask
		}
		t.table[i] = int32(number)
	}
}

// merge adds the paths of another trie and returns the number that each of its nodes has here.
func (t *trie) merge(other *trie) []int32 {
	numbers := make([]int32, len(other.nodes))
	for i := 1; i < len(other.nodes); i++ { // a parent comes before its children
		o := &other.nodes[i]
		numbers[i] = t.child(numbers[o.parent], o.code)
		n := &t.nodes[numbers[i]]
		n.count += o.count
		n.ended += o.ended
	}
	return numbers
}
