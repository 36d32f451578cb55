package nimbus

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Tracker sends events in the background. It is safe for concurrent use; make one with [New] and [Tracker.Close] it
// at the end of the program.
//
// An event for which Track returned nil is delivered or reported to Config.OnDrop. If the program dies first, the
// event is lost with it, unless there is a spool. No event is stored twice, however often it is sent. Events are sent
// in the order of the calls, one request at a time.
type Tracker struct {
	Calls
	cfg     Config
	super   register
	run     string // makes idempotency keys unique among all runs of all programs
	spool   *spool // nil without one
	stop    context.CancelCauseFunc
	stopped chan struct{}  // closed when the sender has ended
	ended   chan struct{}  // closed when Close has
	reports sync.WaitGroup // of calls of Track that have yet to report what they dropped

	mu       sync.Mutex
	queue    []item        // oldest first
	bytes    int           // of the queue
	inFlight []item        // being sent; older than the queue
	last     uint64        // number of the newest event
	flushTo  uint64        // events up to this number are due now
	full     bool          // the queue was full since the sender last made room
	closed   bool          // to new events
	stats    Stats         // without Waiting
	wake     chan struct{} // one token: the sender should look again
	changed  chan struct{} // closed and renewed when events leave
}

// item is an event that waits.
type item struct {
	json   []byte
	number uint64
	queued time.Time
	at     position // in the spool
}

// isOperation tells an operation from an event.
func (i *item) isOperation() bool { return bytes.HasPrefix(i.json, []byte(operationHead)) }

// report tells the program that an item will not be stored.
func (t *Tracker) report(i *item, why error) {
	if i.isOperation() {
		var o Operation
		_ = json.Unmarshal(i.json, &o) // it was encoded by us
		t.cfg.OnDropOperation(o, why)
		return
	}
	var e Event
	_ = json.Unmarshal(i.json, &e) // as above
	t.cfg.OnDrop(e, why)
}

// Stats counts events and operations together. At every moment Tracked = Delivered + Rejected + Dropped + Waiting.
type Stats struct {
	Tracked   uint64 // accepted by Track, or found in the spool
	Delivered uint64 // the server has committed them
	Rejected  uint64 // the server refused them for what they are
	Dropped   uint64 // will not be delivered: no room, a final error, or closed
	Waiting   uint64

	Refused    uint64 // not accepted by Track: invalid, no room, or closed
	Duplicates uint64 // of the delivered: were there already
	Requests   uint64 // sent
	Retries    uint64 // of the requests: repetitions
}

// New returns a running Tracker, or an error that names every mistake in the configuration. With Config.SpoolDir it
// goes on with the events that an earlier run left there.
func New(c Config) (*Tracker, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	t := &Tracker{
		cfg: c, run: rand.Text(),
		stopped: make(chan struct{}), ended: make(chan struct{}),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	if c.SpoolDir != "" {
		found, err := t.openSpool()
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			t.last++
			i.number, i.queued = t.last, time.Now()
			t.queue = append(t.queue, i)
			t.bytes += len(i.json)
			t.stats.Tracked++
		}
	}
	t.Calls = Calls{event: t.track, operation: t.change, register: &t.super, refuse: t.refuse}
	ctx, stop := context.WithCancelCause(context.Background())
	t.stop = stop
	go t.send(ctx)
	return t, nil
}

// Enqueue is Track for an [Event]. It sets TS and IdempotencyKey when they are zero.
func (t *Tracker) Enqueue(ctx context.Context, e Event) error {
	now := time.Now()
	if e.TS.IsZero() {
		e.TS = now
	}
	return t.track(ctx, now, &e, nil)
}

// Change queues an [Operation]. It sets TS and IdempotencyKey when they are zero.
func (t *Tracker) Change(ctx context.Context, o Operation) error {
	now := time.Now()
	if o.TS.IsZero() {
		o.TS = now
	}
	return t.change(ctx, now, &o, nil)
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// track queues an event, with props in place of its own when they are not nil.
func (t *Tracker) track(ctx context.Context, now time.Time, e *Event, props any) error {
	if props == nil && len(e.Props) > 0 {
		props = e.Props
	}
	props = t.super.under(props)
	if t.cfg.BeforeSend != nil {
		var err error
		if e.Props, err = encoded(props); err != nil {
			return t.refuse(err)
		}
		if props = nil; !t.cfg.BeforeSend(e) {
			t.hide()
			t.cfg.OnDrop(*e, ErrBeforeSend)
			return nil
		}
	}
	return t.put(ctx, now, e.IdempotencyKey == "", func(dst []byte) ([]byte, error) { return appendEvent(dst, e, props) })
}

// change queues an operation, with props in place of its own when they are not nil.
func (t *Tracker) change(ctx context.Context, now time.Time, o *Operation, props any) error {
	if t.cfg.BeforeSendOperation != nil {
		if props != nil {
			var err error
			if o.Props, err = encoded(props); err != nil {
				return t.refuse(err)
			}
			props = nil
		}
		if !t.cfg.BeforeSendOperation(o) {
			t.hide()
			t.cfg.OnDropOperation(*o, ErrBeforeSend)
			return nil
		}
	}
	return t.put(ctx, now, o.IdempotencyKey == "", func(dst []byte) ([]byte, error) { return appendOperation(dst, o, props) })
}

// encoded returns props as JSON, nil when there are none.
func encoded(props any) (json.RawMessage, error) {
	var bad refusal
	const member = `,"props":`
	b := appendProps(nil, &bad, props)
	if len(b) < len(member) {
		return nil, bad.err()
	}
	return json.RawMessage(b[len(member):]), bad.err()
}

// hide counts what the program dropped before it was queued.
func (t *Tracker) hide() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Tracked++
	t.stats.Dropped++
}

// put queues what encode appends. Without a key of its own it gets one.
func (t *Tracker) put(ctx context.Context, now time.Time, keyless bool, encode func(dst []byte) ([]byte, error)) error {
	buf, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var err error
	if *buf, err = encode((*buf)[:0]); err != nil {
		return t.refuse(err)
	}
	i := item{queued: now}
	if keyless {
		*buf = (*buf)[:len(*buf)-1] // the brace: the key, which has the number of the item, comes before it
	}
	const number = 13 // digits of a uint64 in base 36
	size := len(*buf) + len(`,"idempotency_key":"-"}`) + len(t.run) + number

	dropped, filled, err := t.makeRoom(ctx, size)
	if err != nil {
		return t.refuse(err)
	}
	if len(dropped) > 0 {
		defer t.reports.Done()
	}
	if keyless {
		b := append(*buf, `,"idempotency_key":"`...)
		b = append(append(b, t.run...), '-')
		*buf = append(strconv.AppendUint(b, t.last+1, 36), `"}`...)
	}
	i.json = slices.Clone(*buf)
	if t.spool != nil {
		if i.at, err = t.spool.append(i.json); err != nil {
			t.mu.Unlock()
			t.reportDropped(dropped, ErrQueueFull)
			return t.refuse(err)
		}
	}
	t.last++
	i.number = t.last
	t.queue = append(t.queue, i)
	t.bytes += len(i.json)
	t.stats.Tracked++
	if n := len(t.queue); n == 1 || n == t.cfg.FlushEvents || t.bytes >= t.cfg.FlushBytes {
		t.wakeSender()
	}
	t.mu.Unlock()
	t.warn(filled)
	t.reportDropped(dropped, ErrQueueFull)
	if t.cfg.Debug {
		t.cfg.Logger.InfoContext(ctx, "nimbus: taken", "json", string(i.json))
	}
	return nil
}

// makeRoom makes or awaits room for an event of size bytes, as Config.WhenFull says. Without an error it returns holding mu,
// with the events that it dropped and whether the queue became full by this call. The caller reports the dropped events and
// then calls reports.Done.
func (t *Tracker) makeRoom(ctx context.Context, size int) (dropped []item, filled bool, err error) {
	t.mu.Lock()
	for {
		if t.closed {
			t.mu.Unlock()
			return nil, false, ErrClosed
		}
		if len(t.queue) < t.cfg.QueueEvents && t.bytes+size <= t.cfg.QueueBytes {
			return dropped, filled, nil
		}
		if len(t.queue) == 0 { // one that is larger than the queue
			t.mu.Unlock()
			return nil, false, ErrQueueFull
		}
		filled = filled || !t.full
		t.full = true
		switch t.cfg.WhenFull {
		case Refuse:
			t.mu.Unlock()
			t.warn(filled)
			return nil, false, ErrQueueFull
		case DropOldest:
			dropped = append(dropped, t.queue[0])
			t.bytes -= len(t.queue[0].json)
			t.queue[0] = item{}
			t.queue = t.queue[1:]
			t.stats.Dropped++
			if len(dropped) == 1 {
				t.reports.Add(1) // Close waits until the caller has reported them
			}
			t.broadcast()
			continue
		case Block:
		}
		changed := t.changed
		t.mu.Unlock()
		t.warn(filled)
		filled = false
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
		t.mu.Lock()
	}
}

// warn logs that the queue is full, once each time it fills. No lock is held, because a logger may track. Under Block
// a full queue is what was asked for, so it is no warning.
func (t *Tracker) warn(filled bool) {
	level := slog.LevelWarn
	if t.cfg.WhenFull == Block {
		level = slog.LevelDebug
	}
	if filled {
		t.cfg.Logger.Log(context.Background(), level, "nimbus: the queue of events is full")
	}
}

// refuse counts an event that never got into the queue.
func (t *Tracker) refuse(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Refused++
	return err
}

// reportDropped reports events and removes them from the spool. The caller counts them.
func (t *Tracker) reportDropped(items []item, why error) {
	for k := range items {
		t.report(&items[k], why)
	}
	if t.spool != nil && len(items) > 0 {
		t.spool.settle(items)
	}
}

// wakeSender makes the sender look at the queue again. The caller holds mu.
func (t *Tracker) wakeSender() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// broadcast wakes all callers that wait for room or for delivery. The caller holds mu.
func (t *Tracker) broadcast() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Flush sends everything tracked before the call, without waiting for more, and returns when the server has answered
// for each of these events. Refused events were reported to OnDrop; they are no error here.
//
// When ctx ends first it returns an *[UndeliveredError]; the events stay queued, and the tracker goes on trying.
func (t *Tracker) Flush(ctx context.Context) error {
	t.mu.Lock()
	target := t.last
	t.flushTo = max(t.flushTo, target)
	t.wakeSender()
	t.mu.Unlock()
	return t.await(ctx, target)
}

// await waits until no event up to number waits any more. Its error counts what waits after ctx has ended: an answer
// may come as it ends.
func (t *Tracker) await(ctx context.Context, number uint64) error {
	for {
		over := ctx.Err() != nil
		t.mu.Lock()
		left := upTo(t.queue, number)
		for k := range t.inFlight { // which is sorted by kind first
			if t.inFlight[k].number <= number {
				left++
			}
		}
		changed := t.changed
		t.mu.Unlock()
		if left == 0 {
			return nil
		}
		if over {
			return &UndeliveredError{Count: left, Spooled: t.spool != nil, Cause: context.Cause(ctx)}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// upTo counts the items with at most this number; they are in order.
func upTo(items []item, number uint64) int {
	n, _ := slices.BinarySearchFunc(items, number+1, func(i item, number uint64) int {
		if i.number < number {
			return -1
		}
		return 1
	})
	return n
}

// Close refuses new events, delivers those that wait, and ends the tracker. When ctx ends first it gives up: it
// cancels the request in flight, reports each event left to OnDrop with [ErrNotDelivered], and returns an
// *[UndeliveredError] with their number. With a spool they are not dropped but stay in it, for the project's next
// tracker on the directory.
//
// Closing again returns nil, when the first Close has ended.
func (t *Tracker) Close(ctx context.Context) error {
	t.mu.Lock()
	again := t.closed
	t.closed = true
	t.flushTo = t.last
	t.wakeSender()
	t.broadcast() // callers that wait for room
	t.mu.Unlock()
	if again {
		<-t.ended
		return nil
	}
	defer close(t.ended)
	_ = t.await(ctx, t.last)
	t.stop(ErrClosed)
	<-t.stopped
	t.reports.Wait()
	// Counted only now: the answer may have come while the request was cancelled.
	err := t.await(ctx, t.last)
	t.mu.Lock()
	if t.spool != nil { // the events stay there
		t.mu.Unlock()
		return errors.Join(err, t.spool.close())
	}
	left := slices.Concat(t.inFlight, t.queue)
	slices.SortFunc(left, func(a, b item) int { return cmp.Compare(a.number, b.number) }) // a batch is in flight kind by kind
	t.inFlight, t.queue, t.bytes = nil, nil, 0
	t.stats.Dropped += uint64(len(left))
	t.mu.Unlock()
	t.reportDropped(left, ErrNotDelivered)
	return err
}

// Stats returns the counts up to now.
func (t *Tracker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Waiting = uint64(len(t.queue) + len(t.inFlight))
	return s
}
