// Package turns is a fair semaphore: it shares a bounded number of slots among callers.
//
// An expensive step needs a bound, but a bound alone invites starvation: one caller who keeps the queue full makes
// everybody else wait. A Pool guarantees, for each key (a network, an account, a project):
//
//   - a key has at most its share of the slots, and a bounded number of its requests wait; further ones are refused
//     at once;
//   - a free slot goes to the keys in round-robin order, so a request behind a flood of another key waits for one
//     request of the flood and not for all of it;
//   - urgent requests come before others, whichever key they have.
//
// A request that gets no slot within the patience ends with [ErrBusy]; one whose context ends, with the context's
// error. The state is that of this process: the protected step runs in this process.
package turns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The reasons why a request gets no slot.
var (
	// ErrShare says that the key has its share of slots, and of waiting requests, already.
	ErrShare = errors.New("too many of this key already")
	// ErrBusy says that no slot became free in time.
	ErrBusy = errors.New("no slot became free in time")
)

// Config bounds a Pool.
type Config struct {
	Slots    int           // in use at once
	Share    int           // of these, for one key
	Waiting  int           // requests of one key that may wait at once
	Patience time.Duration // how long a request waits
}

// Pool hands out slots.
type Pool struct {
	cfg Config

	mu      sync.Mutex
	free    int
	used    map[string]int // slots by key
	waiting map[string]int // requests by key
	queues  [2]ring        // urgent requests first
}

// ring is the waiting requests: a queue for each first key, and the round-robin order of the keys.
type ring struct {
	order  []string
	queues map[string][]*waiter
}

type waiter struct {
	keys    []string
	granted chan struct{} // closed when it gets its slot
}

// New returns a pool with all slots free.
func New(c Config) *Pool {
	p := &Pool{cfg: c, free: c.Slots, used: make(map[string]int), waiting: make(map[string]int)}
	for i := range p.queues {
		p.queues[i].queues = make(map[string][]*waiter)
	}
	return p
}

// Take waits for a slot for all of the keys, each of which must have room for one more. The keys take turns by the
// first. leave gives the slot back and must be called once.
//
// Errors: ErrShare, ErrBusy, or that of the context.
func (p *Pool) Take(ctx context.Context, urgent bool, keys ...string) (leave func(), err error) {
	w := &waiter{keys: keys, granted: make(chan struct{})}
	class := 1
	if urgent {
		class = 0
	}
	p.mu.Lock()
	if slices.ContainsFunc(keys, func(k string) bool { return p.waiting[k] >= p.cfg.Waiting && !p.room(k) }) {
		p.mu.Unlock()
		return nil, ErrShare
	}
	p.queues[class].push(w)
	p.count(p.waiting, w, 1)
	p.dispatch()
	p.mu.Unlock()

	timer := time.NewTimer(p.cfg.Patience)
	defer timer.Stop()
	select {
	case <-w.granted:
		return func() { p.leave(w) }, nil
	case <-timer.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	return p.giveUp(class, w, err)
}

// giveUp takes a request out of the queue, unless it was granted in the meantime.
func (p *Pool) giveUp(class int, w *waiter, err error) (leave func(), _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.granted:
		return func() { p.leave(w) }, nil
	default:
	}
	p.queues[class].remove(w)
	p.count(p.waiting, w, -1)
	if errors.Is(err, ErrBusy) && slices.ContainsFunc(w.keys, func(k string) bool { return !p.room(k) }) {
		err = ErrShare // it waited for slots of its own key
	}
	return nil, err
}

func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	p.count(p.used, w, -1)
	p.dispatch()
}

// dispatch gives free slots to waiting requests. p.mu is held.
func (p *Pool) dispatch() {
	for class := range p.queues {
		for p.free > 0 {
			w := p.queues[class].next(p.fits)
			if w == nil {
				break
			}
			p.free--
			p.count(p.waiting, w, -1)
			p.count(p.used, w, 1)
			close(w.granted)
		}
	}
}

func (p *Pool) fits(w *waiter) bool {
	return !slices.ContainsFunc(w.keys, func(k string) bool { return !p.room(k) })
}

// room reports whether a key may have one more slot.
func (p *Pool) room(key string) bool { return p.used[key] < p.cfg.Share }

// count adds n to each key of w, and deletes keys that reach 0, so that the map does not grow.
func (p *Pool) count(of map[string]int, w *waiter, n int) {
	for _, k := range w.keys {
		if of[k] += n; of[k] == 0 {
			delete(of, k)
		}
	}
}

func (r *ring) push(w *waiter) {
	key := w.keys[0]
	if len(r.queues[key]) == 0 {
		r.order = append(r.order, key)
	}
	r.queues[key] = append(r.queues[key], w)
}

// next takes out the first request that fits, of the key whose turn it is; the key then goes to the end.
func (r *ring) next(fits func(*waiter) bool) *waiter {
	for i, key := range r.order {
		queue := r.queues[key]
		k := slices.IndexFunc(queue, fits)
		if k < 0 {
			continue
		}
		w := queue[k]
		r.order = slices.Delete(r.order, i, i+1)
		if queue = slices.Delete(queue, k, k+1); len(queue) > 0 {
			r.queues[key] = queue
			r.order = append(r.order, key)
		} else {
			delete(r.queues, key)
		}
		return w
	}
	return nil
}

func (r *ring) remove(w *waiter) {
	key := w.keys[0]
	queue := r.queues[key]
	k := slices.Index(queue, w)
	if k < 0 {
		return
	}
	if queue = slices.Delete(queue, k, k+1); len(queue) > 0 {
		r.queues[key] = queue
		return
	}
	delete(r.queues, key)
	r.order = slices.DeleteFunc(r.order, func(k string) bool { return k == key })
}
