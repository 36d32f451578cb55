package ingest

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// appender stores rows in one transaction and gives each its outcome; on an error nothing is stored.
type appender interface {
	// Prepare does what takes long, before the rows wait in the queue: else the others of their transaction would
	// wait too.
	Prepare(ctx context.Context, rows []Row) error
	Append(ctx context.Context, rows []*Row, operations ...*OperationRow) error
	// Salvage is Append for rows of which the database refuses some; it returns those.
	Salvage(ctx context.Context, rows []*Row, operations ...*OperationRow) ([]RefusedRow, error)
}

// Publisher is told of events right after their commit.
type Publisher interface {
	// Stored is called with the events of one project that a transaction has stored. Duplicates are not among them. The
	// sequence, and what it yields, is not valid after the call. Stored must not block: requests wait for it.
	Stored(projectID uuid.UUID, stored iter.Seq[*events.Event])
}

// BatcherConfig bounds the batcher.
type BatcherConfig struct {
	Flushers    int           // transactions at a time; more than the database has cores to spare does not help
	FlushRows   int           // events in one transaction at most, unless one request has more
	SplitRows   int           // events that must be waiting before another transaction starts beside one that runs
	GatherTime  time.Duration // how long a flush waits at most for as many events as the last one had
	QueueRows   int           // events waiting at most; more are answered with 503
	QueueBytes  int           // bytes of events waiting at most
	FlushTime   time.Duration // how long one transaction may take
	WaitTime    time.Duration // how long a request may wait for its turn
	StalledTime time.Duration // when the oldest request has waited this long, readiness turns red
	Publisher   Publisher     // nil: nobody
	RetryTime   time.Duration // how long after the last flush that failed readiness stays red
}

// DefaultBatcherConfig suits a machine of two to eight cores.
func DefaultBatcherConfig() BatcherConfig {
	return BatcherConfig{
		Flushers: 2, FlushRows: 5_000, SplitRows: 256, GatherTime: 2 * time.Millisecond, QueueRows: 50_000, QueueBytes: 64 << 20,
		FlushTime: 15 * time.Second, WaitTime: 20 * time.Second, StalledTime: 10 * time.Second, RetryTime: 30 * time.Second,
	}
}

// Batcher lets requests that wait at the same time share a transaction (group commit): a commit costs one write to
// disk, whether it holds one event or thousands.
//
// A flusher that is free takes what is there; while it writes, other requests queue up and are taken together. When
// the last flush had many requests, their senders are likely to be back soon, so the next flush waits GatherTime at
// most for as many. A single event on an idle server is stored at once.
type Batcher struct {
	cfg     BatcherConfig
	store   appender
	log     *slog.Logger
	now     func() time.Time
	metrics *ingestMetrics

	flushTime atomic.Int64 // all transactions together, in nanoseconds

	mu       sync.Mutex
	arrived  *sync.Cond
	queue    []*batch
	rows     int
	bytes    int
	inFlight map[*batch]struct{}
	flushing int       // transactions that run
	expected int       // requests in the last flush
	gathered time.Time // when the next flush stops waiting for more requests; zero when none waits
	alive    int       // flushers that run
	closed   bool
	failing  failing
	stopped  chan struct{} // closed when the last flusher has ended
}

// NewBatcher returns a batcher whose flushers run until Close.
func NewBatcher(s *Store, cfg BatcherConfig, m *ingestMetrics, now func() time.Time, log *slog.Logger) *Batcher {
	return startBatcher(s, cfg, m, now, log)
}

func startBatcher(s appender, cfg BatcherConfig, m *ingestMetrics, now func() time.Time, log *slog.Logger) *Batcher {
	b := &Batcher{cfg: cfg, store: s, log: log, now: now, metrics: m,
		inFlight: make(map[*batch]struct{}), stopped: make(chan struct{}), alive: cfg.Flushers}
	b.arrived = sync.NewCond(&b.mu)
	m.watch(b)
	for range cfg.Flushers {
		go b.run()
	}
	return b
}

// Submit waits until the batch, which is not empty, is committed. It does not return early when the caller goes away: the batch aliases
// the request's body, which must stay until the flush is over, and the flush has a time limit of its own.
//
// Errors: a problem of status 503. Queue full, shutting down: nothing of the batch is stored. Database away: nothing,
// or it is not known.
func (b *Batcher) Submit(ctx context.Context, x *batch) error {
	x.span = tracing.Of(ctx)
	if err := b.store.Prepare(ctx, x.rows); err != nil {
		if databaseAway(err) {
			return unavailable(err)
		}
		return err
	}
	b.mu.Lock()
	switch {
	case b.closed:
		b.mu.Unlock()
		return shuttingDown()
	case b.rows > 0 && (b.rows+x.size() > b.cfg.QueueRows || b.bytes+x.bytes > b.cfg.QueueBytes):
		rows := b.rows
		b.mu.Unlock()
		b.metrics.queueFull.Inc()
		return &problem.Error{Code: problem.CodeQueueFull, RetryAfter: time.Second,
			Detail: fmt.Sprintf("%d events are waiting to be stored. Nothing of this request was stored; try again.", rows)}
	}
	x.enqueued = b.now()
	b.queue = append(b.queue, x)
	b.rows += x.size()
	b.bytes += x.bytes
	// Waking a flusher that would go on waiting costs as much as storing an event.
	wake := len(b.queue) == 1 || b.readyLocked()
	b.mu.Unlock()
	if wake {
		b.arrived.Signal()
	}
	return <-x.done
}

// Close stops taking batches, stores what waits, and returns when that is done or the context ends; then what still
// waits is answered with 503.
func (b *Batcher) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.arrived.Broadcast()
	select {
	case <-b.stopped:
		return nil
	case <-ctx.Done():
		b.mu.Lock()
		left := b.queue
		b.queue, b.rows, b.bytes = nil, 0, 0
		b.mu.Unlock()
		for _, x := range left {
			x.done <- shuttingDown()
		}
		return fmt.Errorf("drain of the ingestion queue: %d requests were answered with 503: %w", len(left), ctx.Err())
	}
}

// run is a flusher. It outlives a panic: the requests of that flush are answered and the next one is served.
func (b *Batcher) run() {
	defer func() {
		b.mu.Lock()
		b.alive--
		last := b.alive == 0
		b.mu.Unlock()
		if last {
			close(b.stopped)
		}
	}()
	for {
		batches := b.take()
		if batches == nil {
			return
		}
		b.flush(batches)
		b.mu.Lock()
		b.flushing--
		b.expected = len(batches)
		b.mu.Unlock()
		b.arrived.Broadcast()
	}
}

// take waits for work and returns as many batches as one transaction holds; nil when the batcher is closed and empty.
func (b *Batcher) take() []*batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 || !b.readyLocked() {
		if b.closed && len(b.queue) == 0 {
			return nil
		}
		if len(b.queue) > 0 && b.flushing == 0 && b.gathered.IsZero() {
			b.gathered = time.Now().Add(b.cfg.GatherTime)
			time.AfterFunc(b.cfg.GatherTime, b.arrived.Broadcast)
		}
		b.arrived.Wait()
	}
	b.gathered = time.Time{}
	n, rows := 0, 0
	for n < len(b.queue) && (n == 0 || rows+b.queue[n].size() <= b.cfg.FlushRows) {
		x := b.queue[n]
		rows += x.size()
		b.bytes -= x.bytes
		b.inFlight[x] = struct{}{}
		n++
	}
	b.rows -= rows
	b.flushing++
	out := append([]*batch(nil), b.queue[:n]...)
	b.queue = append(b.queue[:0], b.queue[n:]...)
	clear(b.queue[len(b.queue):cap(b.queue)]) // let go of what was taken
	if len(b.queue) > 0 {
		b.arrived.Signal() // more than one transaction holds: wake the other flusher
	}
	return out
}

// readyLocked reports whether what waits should be written now.
func (b *Batcher) readyLocked() bool {
	switch {
	case b.closed, b.rows >= b.cfg.SplitRows:
		return true
	case b.flushing > 0:
		return false // it is taken when that flush is over, with all that has come by then
	case len(b.queue) >= b.expected/2:
		return true
	default:
		return !b.gathered.IsZero() && !time.Now().Before(b.gathered)
	}
}
