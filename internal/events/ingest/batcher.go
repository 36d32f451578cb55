package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// writer stores writes in one transaction and marks each with what became of it; on an error nothing is stored. Salvage is
// for writes of which some are refused. Prepare does before what would keep the others of a transaction waiting.
type writer interface {
	Prepare(ctx context.Context, writes []write) error
	Write(ctx context.Context, writes []*write) error
	Salvage(ctx context.Context, writes []*write) ([]Refusal, error)
}

// Publisher hears of events right after their commit.
type Publisher interface {
	// Stored is called with the events of one project that a transaction has stored, each as its name and its JSON, as
	// StoredEvent of the contract has it. Duplicates are not among them. The sequence encodes an event when it is asked for
	// it, so whoever wants none pays nothing; it is not valid after the call. Stored must not block: requests wait for it.
	Stored(projectID uuid.UUID, events iter.Seq2[string, []byte])
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

// Batcher lets requests that wait at the same time share a transaction (group commit): the cost of a commit is a
// write to disk, whether it holds one event or thousands.
//
// Nobody waits for company that is not coming. A flusher that is free takes what is there; while it writes, others
// queue up and are taken together. When the last flush had many requests, their senders are likely to be back in a
// moment, so the next one waits a moment for as many; one lonely event is stored at once.
type Batcher struct {
	cfg     BatcherConfig
	writer  writer
	log     *slog.Logger
	now     func() time.Time
	metrics *ingestMetrics

	mu       sync.Mutex
	arrived  *sync.Cond
	queue    []*batch
	rows     int
	bytes    int
	inFlight map[*batch]struct{}
	flushing int       // transactions that run
	expected int       // requests in the last flush
	gathered time.Time // when the next flush stops waiting for company; zero when nobody waits
	alive    int       // flushers that run
	closed   bool
	failing  failing
	stopped  chan struct{} // closed when the last flusher has ended
}

// NewBatcher returns a batcher whose flushers run until Close.
func NewBatcher(w *Store, cfg BatcherConfig, m *ingestMetrics, now func() time.Time, log *slog.Logger) *Batcher {
	return startBatcher(w, cfg, m, now, log)
}

func startBatcher(w writer, cfg BatcherConfig, m *ingestMetrics, now func() time.Time, log *slog.Logger) *Batcher {
	b := &Batcher{cfg: cfg, writer: w, log: log, now: now, metrics: m,
		inFlight: make(map[*batch]struct{}), stopped: make(chan struct{}), alive: cfg.Flushers}
	b.arrived = sync.NewCond(&b.mu)
	m.watch(b)
	for range cfg.Flushers {
		go b.run()
	}
	return b
}

// Submit waits until the batch is committed. It does not return early when the caller goes away: the batch aliases
// the request's body, which must stay until the flush is over, and the flush has a time limit of its own.
//
// Errors: a problem of status 503. Queue full, shutting down: nothing of the batch is stored. Database away: nothing, or
// it is not known.
func (b *Batcher) Submit(ctx context.Context, x *batch) error {
	x.span = tracing.Of(ctx)
	if err := b.writer.Prepare(ctx, x.writes); err != nil {
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
	case b.rows > 0 && (b.rows+len(x.writes) > b.cfg.QueueRows || b.bytes+x.bytes > b.cfg.QueueBytes):
		rows := b.rows
		b.mu.Unlock()
		b.metrics.queueFull.Inc()
		return &problem.Error{Code: problem.CodeQueueFull, RetryAfter: time.Second,
			Detail: fmt.Sprintf("%d events are waiting to be stored. Nothing of this request was stored; try again.", rows)}
	}
	x.enqueued = b.now()
	b.queue = append(b.queue, x)
	b.rows += len(x.writes)
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
		for _, x := range batches {
			delete(b.inFlight, x)
		}
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
	for n < len(b.queue) && (n == 0 || rows+len(b.queue[n].writes) <= b.cfg.FlushRows) {
		x := b.queue[n]
		rows += len(x.writes)
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
		return false // it is taken when that flush is over, with whoever else has come by then
	case len(b.queue) >= b.expected/2:
		return true
	default:
		return !b.gathered.IsZero() && !time.Now().Before(b.gathered)
	}
}

// flush stores the batches and answers each.
func (b *Batcher) flush(batches []*batch) {
	start := b.now()
	live := batches[:0:0]
	for _, x := range batches {
		if start.Sub(x.enqueued) > b.cfg.WaitTime {
			x.done <- &problem.Error{Code: problem.CodeQueueFull, RetryAfter: time.Second,
				Detail: "The request waited too long for its turn. Nothing of it was stored; try again."}
			continue
		}
		live = append(live, x)
	}
	ctx, span := traceFlush(live, start)
	b.store(ctx, live)
	span.End()
	b.metrics.flushes.Observe(b.now().Sub(start).Seconds())
}

// store writes the batches in one transaction. When the database refuses the rows themselves, the halves are tried
// each on its own, so that a poisoned request does not fail the others that share its transaction.
func (b *Batcher) store(ctx context.Context, batches []*batch) {
	if len(batches) == 0 {
		return
	}
	var writes []*write
	for _, x := range batches {
		for k := range x.writes {
			writes = append(writes, &x.writes[k])
		}
	}
	err := b.write(ctx, writes, b.writer.Write)
	switch {
	case err == nil:
	case postgres.IsData(err) && len(batches) > 1:
		half := len(batches) / 2
		b.store(ctx, batches[:half])
		b.store(ctx, batches[half:])
		return
	case postgres.IsData(err):
		err = b.write(ctx, writes, b.salvage)
	}
	for _, x := range batches {
		x.done <- err
	}
}

// salvage stores the events of one request that the database takes. Validation should have caught the others; that it did
// not is logged, and the request is answered like any other with rejected events.
func (b *Batcher) salvage(ctx context.Context, writes []*write) error {
	refused, err := b.writer.Salvage(ctx, writes)
	for _, r := range refused {
		b.log.Error("the database refuses an event that passed validation", "project_id", r.ProjectID, "event_id", r.ID, "error", r.cause)
	}
	return err
}

// write runs one transaction, again when another one got in its way.
func (b *Batcher) write(ctx context.Context, writes []*write, transaction func(context.Context, []*write) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.FlushTime)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a flush: %v", r)
			b.log.Error("panic in a flush", "panic", r)
		}
	}()
	const attempts = 3
	for range attempts {
		err = transaction(ctx, writes)
		if err == nil || !postgres.IsRetryable(err) {
			break
		}
	}
	b.noteFlush(err)
	tracing.Fail(ctx, err)
	b.metrics.flushRows.Observe(float64(len(writes)))
	switch {
	case err == nil:
		b.publish(writes)
		return nil
	case postgres.IsData(err):
		return err
	case databaseAway(err):
		b.log.Warn("flush failed, its requests are answered with 503", "rows", len(writes), "error", err)
		return unavailable(err)
	default:
		b.log.Error("flush failed", "rows", len(writes), "error", err)
		return err
	}
}

// publish tells of what was stored, project by project. Before the requests are answered, because the events are part of
// their bodies. Whatever goes wrong there, they are stored, and their senders must be told so.
func (b *Batcher) publish(writes []*write) {
	if b.cfg.Publisher == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("panic in the publisher of stored events", "panic", r)
		}
	}()
	for len(writes) > 0 {
		project, n := writes[0].ProjectID, 1
		for n < len(writes) && writes[n].ProjectID == project {
			n++
		}
		run := writes[:n]
		writes = writes[n:]
		b.cfg.Publisher.Stored(project, func(yield func(string, []byte) bool) {
			for _, w := range run {
				if w.state == stored && !yield(w.Name, eventJSON(&w.Event)) {
					return
				}
			}
		})
	}
}

// unavailable is the answer when nothing was stored, or, after a flush, when that is not known.
func unavailable(cause error) error {
	e := problem.Unavailable(cause)
	e.Detail = "The database cannot be reached. Nothing of this request was stored; try again."
	if errors.Is(cause, postgres.ErrUnconfirmed) {
		e.Detail = "The database did not confirm that it stored this. Send it again: events with an idempotency_key, and the same signed request, are stored once."
	}
	return e
}

// databaseAway says that the database did not do its work, whatever was to be stored.
func databaseAway(err error) bool {
	return postgres.IsUnavailable(err) || postgres.IsRetryable(err) || postgres.IsCanceled(err) || errors.Is(err, context.DeadlineExceeded)
}

func shuttingDown() error {
	return &problem.Error{Code: problem.CodeShuttingDown, RetryAfter: time.Second,
		Detail: "The server is shutting down. Nothing of this request was stored; try again."}
}
