package ratelimit

import (
	"hash/maphash"
	"sync"
)

const (
	shards       = 64
	keysPerShard = 2048
	// looks is how many entries are compared to find one to forget. Of a random sample of 8 the best is among the best
	// tenth or so of all, at no cost that grows with the table.
	looks = 8
)

// table is a map of bounded size. When it is full, an entry with little to remember makes room.
type table[V any] struct {
	worth func(*V) int64 // what is worth least is forgotten first
	seed  maphash.Seed
	shard [shards]struct {
		mu      sync.Mutex
		entries map[Key]*V
		_       [48]byte // each in a cache line of its own
	}
}

func newTable[V any](worth func(*V) int64) *table[V] {
	return &table[V]{worth: worth, seed: maphash.MakeSeed()}
}

// lock returns the entry of the key, new when there was none, and the lock that is held.
func (t *table[V]) lock(key Key) (*V, *sync.Mutex) {
	s := &t.shard[maphash.Comparable(t.seed, key)%shards]
	s.mu.Lock()
	v, ok := s.entries[key]
	if ok {
		return v, &s.mu
	}
	if s.entries == nil {
		s.entries = make(map[Key]*V)
	}
	if len(s.entries) >= keysPerShard {
		delete(s.entries, t.least(s.entries))
	}
	v = new(V)
	s.entries[key] = v
	return v, &s.mu
}

func (t *table[V]) least(entries map[Key]*V) (least Key) {
	var lowest int64
	n := 0
	for k, v := range entries { // in random order
		if w := t.worth(v); n == 0 || w < lowest {
			least, lowest = k, w
		}
		if n++; n == looks {
			break
		}
	}
	return least
}
