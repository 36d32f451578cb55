package live

import (
	"context"
	"slices"
	"sync"
)

// Bus carries messages between nodes. A message may be lost, and nothing waits for it: what depends on messages counts
// them. Messages of one publisher on one channel come in their order.
type Bus interface {
	// Publish sends a message to every subscriber of the channel, on all nodes. It may block until ctx ends.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe calls receive with each message, one after the other, and lost when some may have been missed, as after
	// a broken connection. receive must not block and must not change the message. Neither is called before Subscribe has
	// returned, which it does without waiting for others, nor after stop, which may wait for a call that runs.
	Subscribe(channel string, receive func(message []byte), lost func()) (stop func())
}

// LocalBus is a Bus within one process, where nothing is lost.
type LocalBus struct {
	mu          sync.RWMutex
	subscribers map[string][]*localSubscriber
}

type localSubscriber struct {
	mu      sync.Mutex
	stopped bool
	receive func([]byte)
}

// NewLocalBus returns a bus for the nodes of one process: nearly always the one.
func NewLocalBus() *LocalBus { return &LocalBus{subscribers: make(map[string][]*localSubscriber)} }

// Publish calls every subscriber.
func (b *LocalBus) Publish(_ context.Context, channel string, message []byte) error {
	b.mu.RLock()
	subscribers := b.subscribers[channel]
	b.mu.RUnlock()
	for _, s := range subscribers {
		s.mu.Lock()
		if !s.stopped {
			s.receive(message)
		}
		s.mu.Unlock()
	}
	return nil
}

// Subscribe registers receive; lost is never called.
func (b *LocalBus) Subscribe(channel string, receive func([]byte), _ func()) (stop func()) {
	s := &localSubscriber{receive: receive}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers[channel] = append(slices.Clone(b.subscribers[channel]), s) // a Publish that runs keeps the old list
	return func() {
		b.mu.Lock()
		left := slices.DeleteFunc(slices.Clone(b.subscribers[channel]), func(x *localSubscriber) bool { return x == s })
		if len(left) == 0 {
			delete(b.subscribers, channel)
		} else {
			b.subscribers[channel] = left
		}
		b.mu.Unlock()
		s.mu.Lock()
		s.stopped = true
		s.mu.Unlock()
	}
}
