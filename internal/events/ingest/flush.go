package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// flush stores the batches and answers each.
func (b *Batcher) flush(batches []*batch) {
	start := b.now()
	live := batches[:0:0]
	for _, x := range batches {
		if start.Sub(x.enqueued) > b.cfg.WaitTime {
			b.answer(&problem.Error{Code: problem.CodeQueueFull, RetryAfter: time.Second,
				Detail: "The request waited too long for its turn. Nothing of it was stored; try again."}, x)
			continue
		}
		live = append(live, x)
	}
	ctx, span := traceFlush(live, start)
	b.commitBatches(ctx, live)
	span.End()
	took := b.now().Sub(start)
	b.flushTime.Add(int64(took))
	b.metrics.flushes.Observe(took.Seconds())
}

// commitBatches stores the batches in one transaction and answers each. When the database refuses the rows themselves,
// the halves are tried each on its own, so that a poisoned request does not fail the others that share its transaction.
func (b *Batcher) commitBatches(ctx context.Context, batches []*batch) {
	if len(batches) == 0 {
		return
	}
	rows, operations := rowsOf(batches)
	err := b.commit(ctx, rows, operations, b.store.Append)
	switch {
	case err == nil:
	case postgres.IsData(err) && len(batches) > 1:
		half := len(batches) / 2
		b.commitBatches(ctx, batches[:half])
		b.commitBatches(ctx, batches[half:])
		return
	case postgres.IsData(err):
		err = b.commit(ctx, rows, operations, func(ctx context.Context, rows []*Row, operations ...*OperationRow) error {
			return b.salvage(ctx, rows, operations, batches[0].source)
		})
	}
	b.answer(err, batches...)
}

// answer tells the requests how it went. They wait no longer from then on, so that readiness does not count them.
func (b *Batcher) answer(err error, batches ...*batch) {
	b.mu.Lock()
	for _, x := range batches {
		delete(b.inFlight, x)
	}
	b.mu.Unlock()
	for _, x := range batches {
		x.done <- err
	}
}

func rowsOf(batches []*batch) (rows []*Row, operations []*OperationRow) {
	n := 0
	for _, x := range batches {
		n += len(x.rows)
	}
	rows = make([]*Row, 0, n)
	for _, x := range batches {
		for k := range x.rows {
			rows = append(rows, &x.rows[k])
		}
		for k := range x.operations {
			operations = append(operations, &x.operations[k])
		}
	}
	return rows, operations
}

// salvage stores what of one request that the database takes. The rules should have caught the others; that
// they did not is logged, and the request is answered like any other with refused events.
func (b *Batcher) salvage(ctx context.Context, rows []*Row, operations []*OperationRow, from Source) error {
	refused, err := b.store.Salvage(ctx, rows, operations...)
	for _, r := range refused {
		b.log.Error("the database refuses what passed validation",
			"project_id", r.project, "id", r.id, "source", from.Kind, "key_id", from.KeyID, "error", r.cause)
	}
	return err
}

// commit runs one transaction, again when another one got in its way.
func (b *Batcher) commit(ctx context.Context, rows []*Row, operations []*OperationRow,
	transaction func(context.Context, []*Row, ...*OperationRow) error) (err error) {
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
		err = transaction(ctx, rows, operations...)
		if err == nil || !postgres.IsRetryable(err) {
			break
		}
	}
	b.noteFlush(err)
	tracing.Fail(ctx, err)
	b.metrics.flushRows.Observe(float64(len(rows) + len(operations)))
	switch {
	case err == nil:
		b.publish(rows)
		return nil
	case postgres.IsData(err):
		return err
	case databaseAway(err):
		b.log.Warn("flush failed, its requests are answered with 503", "rows", len(rows)+len(operations), "error", err)
		return unavailable(err)
	default:
		b.log.Error("flush failed", "rows", len(rows)+len(operations), "error", err)
		return err
	}
}

// publish tells of what was stored, project by project. It comes before the requests are answered, because the events
// alias their bodies. Whatever goes wrong there, the events are stored, and their senders must be told so.
func (b *Batcher) publish(rows []*Row) {
	if b.cfg.Publisher == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("panic in the publisher of stored events", "panic", r)
		}
	}()
	for len(rows) > 0 {
		project, n := rows[0].ProjectID, 1
		for n < len(rows) && rows[n].ProjectID == project {
			n++
		}
		run := rows[:n]
		rows = rows[n:]
		b.cfg.Publisher.Stored(project, func(yield func(*events.Event) bool) {
			for _, row := range run {
				if row.outcome == Stored && !yield(&row.Event) {
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
		e.Detail = "The database did not confirm that it stored this. Send it again: " +
			"what has an idempotency_key, and the same signed request, is stored once."
	}
	return e
}

// databaseAway says that the database did not do its work, whatever was to be stored.
func databaseAway(err error) bool {
	return postgres.IsUnavailable(err) || postgres.IsRetryable(err) || postgres.IsCanceled(err) ||
		errors.Is(err, context.DeadlineExceeded)
}

func shuttingDown() error {
	return &problem.Error{Code: problem.CodeShuttingDown, RetryAfter: time.Second,
		Detail: "The server is shutting down. Nothing of this request was stored; try again."}
}
