package httpapi

import (
	"net/netip"
	"sync"
)

// memory counts the bytes that bodies hold. One client address may hold half of them: a sender that starts large
// bodies and stalls must leave room for the others.
type memory struct {
	each int64

	mu   sync.Mutex
	left int64
	held map[netip.Prefix]int64
}

func newMemory(size int64) *memory {
	return &memory{each: size / 2, left: size, held: make(map[netip.Prefix]int64)}
}

func (m *memory) take(sender netip.Prefix, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.left || m.held[sender]+n > m.each {
		return false
	}
	m.left -= n
	m.held[sender] += n
	return true
}

func (m *memory) give(sender netip.Prefix, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left += n
	if m.held[sender] -= n; m.held[sender] == 0 {
		delete(m.held, sender)
	}
}
