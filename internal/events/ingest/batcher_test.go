package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// fakeWriter is a database that does what a test says. The real one is tested in store_test.go and over HTTP.
type fakeWriter struct {
	mu      sync.Mutex
	flushes [][]string // the names of each flush that was committed
	started chan struct{}
	gate    chan struct{} // a flush waits for it, when set
	fail    func(names []string) error
	prepare func(ctx context.Context, name string) error // of the first event
}

func (f *fakeWriter) Prepare(ctx context.Context, writes []Row) error {
	if f.prepare == nil {
		return nil
	}
	return f.prepare(ctx, writes[0].Name)
}

func (f *fakeWriter) Append(ctx context.Context, writes []*Row, _ ...*OperationRow) error {
	names := make([]string, len(writes))
	for k, w := range writes {
		names[k] = w.Name
	}
	if f.started != nil {
		f.started <- struct{}{}
	}
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.fail != nil {
		if err := f.fail(names); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes = append(f.flushes, names)
	for _, w := range writes {
		w.outcome = Stored
	}
	return nil
}

func (f *fakeWriter) Salvage(ctx context.Context, writes []*Row, _ ...*OperationRow) (refusals []RefusedRow, err error) {
	var good []*Row
	for _, w := range writes {
		if err := f.fail([]string{w.Name}); postgres.IsData(err) {
			w.outcome = Refused
			refusals = append(refusals, RefusedRow{w.ProjectID, w.ID, err})
		} else {
			good = append(good, w)
		}
	}
	return refusals, f.Append(ctx, good)
}

func (f *fakeWriter) committed() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushes
}

type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func setup(t *testing.T, w *fakeWriter, change func(*BatcherConfig)) (*Batcher, *testClock) {
	t.Helper()
	cfg := DefaultBatcherConfig()
	cfg.Flushers, cfg.FlushTime = 1, nimbustest.Patience
	if change != nil {
		change(&cfg)
	}
	clock := &testClock{t: time.Unix(1_700_000_000, 0)}
	b := startBatcher(w, cfg, NewMetrics(prometheus.NewRegistry()), clock.now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = b.Close(ctx) // a test that has closed it already gets nil
	})
	return b, clock
}

func batchOf(names ...string) *batch {
	b := newBatch(len(names), Source{Kind: "test"})
	for k, n := range names {
		b.add(events.Event{Name: n}, k)
	}
	return b
}

// submit hands the batch over and returns a channel with the answer; it returns once the batch is queued or answered.
func submit(t *testing.T, b *Batcher, x *batch) <-chan error {
	t.Helper()
	out := make(chan error, 1)
	go func() { out <- b.Submit(context.Background(), x) }()
	nimbustest.Eventually(t, "the batch is queued or answered", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return !x.enqueued.IsZero() || b.closed || len(out) > 0
	})
	return out
}

func TestRequestsThatWaitTogetherShareATransaction(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{})}
	b, _ := setup(t, w, nil)
	answers := []<-chan error{submit(t, b, batchOf("first"))}
	<-w.started // it is being written; the others queue up behind it
	for k := range 5 {
		answers = append(answers, submit(t, b, batchOf(fmt.Sprint(k))))
	}
	close(w.gate)
	for _, a := range answers {
		if err := <-a; err != nil {
			t.Error(err)
		}
	}
	if got := w.committed(); len(got) != 2 || len(got[0]) != 1 || len(got[1]) != 5 {
		t.Errorf("flushes %v: want one event alone and then five together", got)
	}
}

func TestAFullQueueRefusesAndStoresNothing(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{})}
	b, _ := setup(t, w, func(c *BatcherConfig) { c.QueueRows = 3 })
	first := submit(t, b, batchOf("first"))
	<-w.started
	second := submit(t, b, batchOf("a", "b"))
	err := b.Submit(t.Context(), batchOf("c", "d"))
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.CodeQueueFull || p.RetryAfter < time.Second {
		t.Errorf("got %v, want queue_full with Retry-After", err)
	}
	close(w.gate)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
	if n := len(w.committed()); n != 2 {
		t.Errorf("%d flushes", n)
	}
}

func TestWhatMustBePreparedKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	preparing, prepared := make(chan struct{}), make(chan error)
	w := &fakeWriter{prepare: func(_ context.Context, name string) error {
		if name != "slow" {
			return nil
		}
		close(preparing)
		return <-prepared
	}}
	b, _ := setup(t, w, nil)
	slow := make(chan error, 1)
	go func() { slow <- b.Submit(context.Background(), batchOf("slow")) }()
	<-preparing
	if err := b.Submit(t.Context(), batchOf("other")); err != nil {
		t.Error(err)
	}
	prepared <- context.DeadlineExceeded
	if err := <-slow; !problem.Is(err, problem.CodeDatabaseUnavailable) {
		t.Errorf("what was not prepared in time: %v", err)
	}
	if got := w.committed(); len(got) != 1 || got[0][0] != "other" {
		t.Errorf("flushes %v", got)
	}
}

func TestAPoisonedEventHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 99), gate: make(chan struct{}), fail: func(names []string) error {
		for _, n := range names {
			if n == "poison" {
				return &pgconn.PgError{Code: "22P05", Message: "refused"}
			}
		}
		return nil
	}}
	b, _ := setup(t, w, nil)
	first := submit(t, b, batchOf("first"))
	<-w.started
	good, bad := batchOf("a", "b"), batchOf("c", "poison", "d", "e")
	answers := []<-chan error{submit(t, b, good), submit(t, b, bad), submit(t, b, batchOf("f"))}
	close(w.gate)
	for _, a := range append(answers, first) {
		if err := <-a; err != nil {
			t.Error(err)
		}
	}
	for k, want := range []Outcome{Stored, Refused, Stored, Stored} {
		if got := bad.rows[k].outcome; got != want {
			t.Errorf("event %d of the poisoned request: outcome %d, want %d", k, got, want)
		}
	}
}

func TestAPanicInAFlushIsAnsweredAndSurvived(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{fail: func(names []string) error {
		if names[0] == "panic" {
			panic("in the driver")
		}
		return nil
	}}
	b, _ := setup(t, w, nil)
	if err := b.Submit(t.Context(), batchOf("panic")); err == nil {
		t.Error("a flush that panicked was acknowledged")
	}
	if err := b.Submit(t.Context(), batchOf("next")); err != nil {
		t.Error(err)
	}
	if err := b.Health(); err != nil {
		t.Error(err)
	}
}

func TestATransactionThatGotInTheWayIsTriedAgain(t *testing.T) {
	t.Parallel()
	tries := 0
	w := &fakeWriter{fail: func([]string) error {
		if tries++; tries < 3 {
			return &pgconn.PgError{Code: "40P01", Message: "deadlock"}
		}
		return nil
	}}
	b, _ := setup(t, w, nil)
	if err := b.Submit(t.Context(), batchOf("e")); err != nil {
		t.Error(err)
	}
}

func TestCloseStoresWhatWaits(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{})}
	b, _ := setup(t, w, nil)
	first := submit(t, b, batchOf("first"))
	<-w.started
	second := submit(t, b, batchOf("second"))
	closed := make(chan error, 1)
	go func() { closed <- b.Close(context.Background()) }()
	nimbustest.Eventually(t, "it is closing", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.closed
	})
	if err := b.Submit(t.Context(), batchOf("late")); !problem.Is(err, problem.CodeShuttingDown) {
		t.Errorf("after Close: %v", err)
	}
	close(w.gate)
	if err := errors.Join(<-first, <-second, <-closed); err != nil {
		t.Error(err)
	}
	if got := w.committed(); len(got) != 2 {
		t.Errorf("flushes %v", got)
	}
}

func TestCloseThatRunsOutOfTimeAnswersWhatWaits(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{})}
	b, _ := setup(t, w, nil)
	first := submit(t, b, batchOf("first"))
	<-w.started
	second := submit(t, b, batchOf("second"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Close(ctx); err == nil {
		t.Error("Close left requests behind and did not say so")
	}
	if err := <-second; !problem.Is(err, problem.CodeShuttingDown) {
		t.Errorf("what waited: %v", err)
	}
	close(w.gate)
	if err := <-first; err != nil {
		t.Errorf("what was being written: %v", err)
	}
}

// Nobody may be told that nothing was stored when nobody knows.
func TestAFlushThatIsNotConfirmedIsNotSaidToHaveFailed(t *testing.T) {
	t.Parallel()
	for want, cause := range map[string]error{
		"Nothing of this request was stored":          io.ErrUnexpectedEOF,
		"The database did not confirm that it stored": fmt.Errorf("commit: %w: %w", postgres.ErrUnconfirmed, io.ErrUnexpectedEOF),
	} {
		b, _ := setup(t, &fakeWriter{fail: func([]string) error { return cause }}, nil)
		err := <-submit(t, b, batchOf("e"))
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != problem.CodeDatabaseUnavailable || !strings.Contains(p.Detail, want) {
			t.Errorf("%v: %+v", cause, err)
		}
	}
}

// Red keeps senders away, and without them nothing would ever succeed again.
func TestHealthTurnsGreenWhenNothingWasTriedForAWhile(t *testing.T) {
	t.Parallel()
	broken := &pgconn.PgError{Code: "53100", Message: "No space left on device"}
	b, clock := setup(t, &fakeWriter{fail: func([]string) error { return broken }}, nil)
	for k := range failingFlushes {
		if err := b.Health(); err != nil {
			t.Fatalf("after %d failed flushes: %v", k, err)
		}
		if err := <-submit(t, b, batchOf("e")); !problem.Is(err, problem.CodeDatabaseUnavailable) {
			t.Fatal(err)
		}
	}
	if err := b.Health(); err == nil || !strings.Contains(err.Error(), "disk full: ") {
		t.Fatalf("after %d failed flushes: %v", failingFlushes, err)
	}
	clock.add(b.cfg.RetryTime)
	if err := b.Health(); err != nil {
		t.Errorf("nobody would try again: %v", err)
	}
	if err := <-submit(t, b, batchOf("e")); err == nil {
		t.Fatal("the writer no longer fails")
	}
	if err := b.Health(); err == nil {
		t.Error("one flush that fails again is enough")
	}
}

func TestIngestionIsBusyWhileTransactionsTakeMoreThanHalfOfTheTime(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{}, 9)}
	b, clock := setup(t, w, nil)
	busy := b.Busy()
	for _, tt := range []struct {
		flush, idle time.Duration
		want        bool
	}{{time.Second, 2 * time.Second, false}, {2 * time.Second, time.Second, true}, {0, time.Second, false}} {
		done := submit(t, b, batchOf("e"))
		<-w.started
		clock.add(tt.flush)
		w.gate <- struct{}{}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		nimbustest.Eventually(t, "the flush is over", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.flushing == 0 })
		clock.add(tt.idle)
		if busy() != tt.want {
			t.Errorf("%s of %s: busy is not %v", tt.flush, tt.flush+tt.idle, tt.want)
		}
	}
}

func TestHealthSeesAStalledFlushAndLateRequestsAreLetGo(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{started: make(chan struct{}, 9), gate: make(chan struct{})}
	b, clock := setup(t, w, nil)
	first := submit(t, b, batchOf("first"))
	<-w.started
	late := submit(t, b, batchOf("late"))
	if err := b.Health(); err != nil {
		t.Errorf("at once: %v", err)
	}
	clock.add(25 * time.Second)
	if err := b.Health(); err == nil {
		t.Error("a request waits for 25 s and readiness is green")
	}
	close(w.gate)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-late; !problem.Is(err, problem.CodeQueueFull) {
		t.Errorf("a request that waited longer than its caller does: %v", err)
	}
}

// heard is what a publisher was told, and what it does then.
type heard struct {
	mu    sync.Mutex
	names []string
	then  func()
}

func (h *heard) Stored(_ uuid.UUID, stored iter.Seq[*events.Event]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := range stored {
		h.names = append(h.names, e.Name)
	}
	if h.then != nil {
		h.then()
	}
}

func TestWhatWasStoredIsPublishedAfterTheCommitAndNothingElse(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	w := &fakeWriter{gate: make(chan struct{}, 9), started: make(chan struct{}, 9), fail: func(names []string) error {
		switch {
		case slices.Contains(names, "unlucky"):
			return gone
		case slices.Contains(names, "poison"):
			return &pgconn.PgError{Code: "22P02"}
		}
		return nil
	}}
	h := &heard{}
	b, _ := setup(t, w, func(c *BatcherConfig) { c.Publisher = h })
	answer := submit(t, b, batchOf("a", "b"))
	<-w.started
	h.mu.Lock()
	early := len(h.names)
	h.mu.Unlock()
	if early > 0 {
		t.Error("published before the commit")
	}
	close(w.gate)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	if err := <-submit(t, b, batchOf("unlucky")); !errors.Is(err, gone) {
		t.Errorf("%v, want %v", err, gone)
	}
	if err := <-submit(t, b, batchOf("c", "poison")); err != nil { // halved: c is stored, the other one is not
		t.Fatal(err)
	}
	if !slices.Equal(h.names, []string{"a", "b", "c"}) {
		t.Errorf("published %q", h.names)
	}

	h.then = func() { panic("a bug in the publisher") }
	if err := <-submit(t, b, batchOf("d")); err != nil {
		t.Errorf("stored, and answered with %v", err)
	}
}
