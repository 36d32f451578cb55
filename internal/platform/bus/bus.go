package bus

import (
	"context"
	"sync"
)

// Bus carries messages to the subscribers of a channel, on this node and on the others.
type Bus interface {
	// Publish hands the message to every subscription of the channel. It waits for none of them. After an error the
	// subscriptions of this node have the message, and the other nodes will be told that they lost something. Nobody may
	// change the message afterwards.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe calls receive for each message published from now on, one after the other and in the order of each
	// publisher; and lost when messages may be missing: after a connection was away, or when receive was too slow. A call
	// that has begun may still be running when stop returns; no other begins.
	Subscribe(channel string, receive func(message []byte), lost func()) (stop func())
}

// queued is how many messages may wait for a subscriber before it is told that it lost some.
const queued = 1024

// Hub hands messages to the subscriptions of this process: the bus of one node, and the near half of any other. Its zero
// value is ready to use.
type Hub struct {
	mu            sync.RWMutex
	subscriptions map[string]map[*subscription]struct{}
}

type subscription struct {
	queue chan []byte
	lost  chan struct{} // holds one
	done  chan struct{}
}

// Subscribe is that of Bus.
func (h *Hub) Subscribe(channel string, receive func(message []byte), lost func()) (stop func()) {
	s := &subscription{queue: make(chan []byte, queued), lost: make(chan struct{}, 1), done: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subscriptions == nil {
		h.subscriptions = make(map[string]map[*subscription]struct{})
	}
	if h.subscriptions[channel] == nil {
		h.subscriptions[channel] = make(map[*subscription]struct{})
	}
	h.subscriptions[channel][s] = struct{}{}
	go s.run(receive, lost)
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(s.done)
		if delete(h.subscriptions[channel], s); len(h.subscriptions[channel]) == 0 {
			delete(h.subscriptions, channel)
		}
	})
}

func (s *subscription) run(receive func([]byte), lost func()) {
	for {
		select {
		case <-s.done:
			return
		case m := <-s.queue:
			if s.open() {
				receive(m)
			}
		case <-s.lost:
			if s.open() {
				lost()
			}
		}
	}
}

func (s *subscription) open() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Deliver hands a message to the subscriptions of the channel.
func (h *Hub) Deliver(channel string, message []byte) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.subscriptions[channel] {
		select {
		case s.queue <- message:
		default:
			s.tellLost()
		}
	}
}

// Lost tells the subscriptions of the channel that messages may be missing.
func (h *Hub) Lost(channel string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.subscriptions[channel] {
		s.tellLost()
	}
}

func (s *subscription) tellLost() {
	select {
	case s.lost <- struct{}{}:
	default: // a notice is waiting already, and one is enough
	}
}

// Channels returns the channels that have a subscription.
func (h *Hub) Channels() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]string, 0, len(h.subscriptions))
	for c := range h.subscriptions {
		out = append(out, c)
	}
	return out
}

// Publish implements Bus, where there is no other node. It has no error.
func (h *Hub) Publish(_ context.Context, channel string, message []byte) error {
	h.Deliver(channel, message)
	return nil
}
