package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time      { return time.Unix(1_800_000_000, c.offset.Load()) }
func (c *clock) add(d time.Duration) { c.offset.Add(int64(d)) }

// node is a runner with its own pool and metrics, like one of several processes.
type node struct {
	*jobs.Runner
	pool  *pgxpool.Pool
	clock *clock
	log   *syncBuffer
	reg   *prometheus.Registry
}

func newNode(t *testing.T, dsn string, table ...jobs.Job) *node {
	t.Helper()
	pool, err := postgres.Open(t.Context(), dsn, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	n := &node{pool: pool, clock: &clock{}, log: &syncBuffer{}, reg: prometheus.NewRegistry()}
	n.Runner = jobs.New(pool, table, n.reg, n.clock.now, slog.New(slog.NewTextHandler(n.log, nil)))
	t.Cleanup(n.Stop)
	return n
}

// metric is the value of one job's metric; 0 when it has none.
func (n *node) metric(t *testing.T, name, job string) float64 {
	t.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == job {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func (n *node) wantCounts(t *testing.T, job string, runs, failures float64) {
	t.Helper()
	if r, f := n.metric(t, "nimbus_job_runs_total", job), n.metric(t, "nimbus_job_failures_total", job); r != runs || f != failures {
		t.Errorf("%s: %v runs and %v failures are counted, want %v and %v", job, r, f, runs, failures)
	}
}

// wantNoLocks waits until no advisory lock is held in the database of the pool: the server notices a moment later
// that a connection has ended.
func wantNoLocks(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	nimbustest.Eventually(t, "no lock is held any more", func() bool {
		var n int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

func TestAJobRunsAgainAndAgainOnceStarted(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{})
	n := newNode(t, nimbustest.DSN(t), jobs.Job{Name: "often", Every: time.Millisecond, Limit: time.Minute, Run: func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a job may take for ever")
		}
		select {
		case ran <- struct{}{}:
		case <-ctx.Done():
		}
		return nil
	}})
	n.Start()
	for range 3 {
		nimbustest.Await(t, "a run", ran)
	}
	n.Stop()
	if runs := n.metric(t, "nimbus_job_runs_total", "often"); runs < 3 {
		t.Errorf("%v runs are counted", runs)
	}
	wantNoLocks(t, n.pool)
	select {
	case <-ran:
		t.Error("a run after Stop")
	default:
	}
}

func TestManyNodesNeverRunAJobAtTheSameTime(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	var running, together, runs, other atomic.Int64
	enough := make(chan struct{})
	once := sync.OnceFunc(func() { close(enough) })
	table := []jobs.Job{
		{Name: "alone", Every: time.Millisecond, Limit: time.Minute, Run: func(ctx context.Context) error {
			if running.Add(1) > 1 {
				together.Add(1)
			}
			defer running.Add(-1)
			if runs.Add(1) >= 100 && other.Load() > 0 {
				once()
			}
			return nil
		}},
		{Name: "another", Every: time.Millisecond, Limit: time.Minute, Run: func(context.Context) error { other.Add(1); return nil }},
	}
	var nodes []*node
	for range 4 {
		n := newNode(t, dsn, table...)
		n.Start()
		nodes = append(nodes, n)
	}
	nimbustest.Await(t, "the hundredth run", enough)
	counted := 0.0
	for _, n := range nodes {
		n.Stop()
		counted += n.metric(t, "nimbus_job_runs_total", "alone")
		if failures := n.metric(t, "nimbus_job_failures_total", "alone"); failures != 0 {
			t.Errorf("%v failures: %s", failures, n.log)
		}
	}
	if n := together.Load(); n != 0 {
		t.Errorf("%d runs began while another was at it", n)
	}
	if counted != float64(runs.Load()) || other.Load() == 0 {
		t.Errorf("%d runs, %v counted; the other job ran %d times", runs.Load(), counted, other.Load())
	}
}

func TestATurnIsLeftToTheNodeThatIsAtItAndTakenOverWhenThatDies(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]func(t *testing.T, n *node, pid uint32){
		"its connection is cut": func(t *testing.T, n *node, pid uint32) {
			// Citus has another function of this name, for pids of all nodes.
			if _, err := n.pool.Exec(t.Context(), "SELECT pg_terminate_backend($1::int)", pid); err != nil {
				t.Fatal(err)
			}
		},
		"it stops": func(_ *testing.T, n *node, _ uint32) { n.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := nimbustest.DSN(t)
			begun, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			stuck := jobs.Job{Name: "purge", Every: time.Millisecond, Limit: time.Hour, Run: func(ctx context.Context) error {
				close(begun)
				select {
				case <-release:
				case <-ctx.Done():
				}
				close(done)
				return nil
			}}
			a := newNode(t, dsn, stuck)
			a.Start()
			nimbustest.Await(t, "the first node's run", begun)

			ran := false
			same := jobs.Job{Name: "purge", Every: time.Hour, Run: func(context.Context) error { ran = true; return nil }}
			b := newNode(t, dsn, same)
			b.Turn(t.Context(), same)
			if ran {
				t.Fatal("two nodes do the same work")
			}
			b.wantCounts(t, "purge", 0, 0)

			var pid uint32
			if err := b.pool.QueryRow(t.Context(), "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&pid); err != nil {
				t.Fatal(err)
			}
			die(t, a, pid)
			for deadline := time.Now().Add(nimbustest.Patience); !ran; {
				if time.Now().After(deadline) {
					t.Fatal("nobody takes over")
				}
				b.Turn(t.Context(), same) // the server notices the end of a connection a moment later
			}
			b.wantCounts(t, "purge", 1, 0)
			close(release)
			nimbustest.Await(t, "the end of the first node's run", done)
		})
	}
}

// Three nodes whose turns come at different times do the work once in each interval, and a failure is made good by the
// next of them.
func TestAJobRunsOncePerIntervalOnWhicheverNode(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	var runs atomic.Int64
	fail := true
	job := jobs.Job{Name: "purge", Every: time.Hour, Run: func(context.Context) error {
		runs.Add(1)
		if fail {
			return errors.New("not this time")
		}
		return nil
	}}
	nodes := []*node{newNode(t, dsn, job), newNode(t, dsn, job), newNode(t, dsn, job)}
	nodes[0].Turn(t.Context(), job)
	fail = false
	for range 2 {
		for _, n := range nodes {
			n.Turn(t.Context(), job)
		}
	}
	if n := runs.Load(); n != 2 {
		t.Errorf("%d runs, want the one that failed and one more", n)
	}
	nodes[0].wantCounts(t, "purge", 2, 1)
	nodes[2].wantCounts(t, "purge", 0, 0)
	if err := nodes[2].Run(t.Context(), "purge"); err != nil || runs.Load() != 3 {
		t.Errorf("run at once: %v, %d runs", err, runs.Load())
	}
	if _, err := nodes[0].pool.Exec(t.Context(), "UPDATE job_turns SET ended_at = ended_at - interval '55 minutes'"); err != nil {
		t.Fatal(err)
	}
	nodes[1].Turn(t.Context(), job)
	nodes[2].Turn(t.Context(), job)
	nodes[1].wantCounts(t, "purge", 1, 0)
	nodes[2].wantCounts(t, "purge", 1, 0) // the requested job
	for _, n := range nodes {
		if err := n.Health(); err != nil {
			t.Errorf("a node that left its turns to others is not well: %v", err)
		}
	}
}

func TestARunThatEndedInTheFutureHoldsUpNobody(t *testing.T) {
	t.Parallel()
	job := jobs.Job{Name: "purge", Every: time.Hour, Run: func(context.Context) error { return nil }}
	n := newNode(t, nimbustest.DSN(t), job)
	n.Turn(t.Context(), job)
	if _, err := n.pool.Exec(t.Context(), "UPDATE job_turns SET ended_at = ended_at + interval '1 day'"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n.Turn(t.Context(), job) // the first corrects the recorded time, and the second is skipped
	}
	n.wantCounts(t, "purge", 2, 0)
}

// The connection that holds the lock is killed in the middle of a run, and the node does not stop for that.
func TestAJobWhoseConnectionIsCutRunsAgain(t *testing.T) {
	t.Parallel()
	var n *node
	runs := 0
	job := jobs.Job{Name: "purge", Every: time.Microsecond, Limit: time.Minute, Run: func(ctx context.Context) error {
		runs++
		_, err := n.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks
			WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		return err
	}}
	n = newNode(t, nimbustest.DSN(t), job)
	const turns = 10
	for deadline := time.Now().Add(nimbustest.Patience); runs < turns && time.Now().Before(deadline); {
		n.Turn(t.Context(), job) // one that comes before the server has noticed finds the lock still held
	}
	if runs != turns {
		t.Fatalf("%d runs, want %d", runs, turns)
	}
	n.wantCounts(t, "purge", turns, 0)
	n.clock.add(time.Second)
	if age := n.metric(t, "nimbus_job_age_seconds", "purge"); age != 1 {
		t.Errorf("the age is %v s, want 1", age)
	}
}

func TestAPanicIsSurvivedCountedAndLogged(t *testing.T) {
	t.Parallel()
	again := make(chan struct{})
	var runs int
	n := newNode(t, nimbustest.DSN(t), jobs.Job{Name: "shaky", Every: time.Millisecond, Limit: time.Minute, Run: func(context.Context) error {
		if runs++; runs == 2 {
			close(again)
		}
		if runs == 1 {
			panic("out of cheese")
		}
		return nil
	}})
	n.Start()
	nimbustest.Await(t, "the run after the panic", again)
	n.Stop()
	if f := n.metric(t, "nimbus_job_failures_total", "shaky"); f != 1 {
		t.Errorf("%v failures are counted", f)
	}
	if r := n.metric(t, "nimbus_job_runs_total", "shaky"); r != float64(runs) {
		t.Errorf("%v of %d runs are counted", r, runs)
	}
	for _, want := range []string{"job=shaky", "panic: out of cheese", "jobs_test.go"} {
		if !strings.Contains(n.log.String(), want) {
			t.Errorf("%q is not in the log: %s", want, n.log)
		}
	}
	wantNoLocks(t, n.pool)
}

func TestAnErrorIsCountedAndLoggedAndTheLockGivenBack(t *testing.T) {
	t.Parallel()
	job := jobs.Job{Name: "prune", Every: time.Hour, Run: func(context.Context) error { return errors.New("no such table") }}
	n := newNode(t, nimbustest.DSN(t), job)
	n.Turn(t.Context(), job)
	n.Turn(t.Context(), job)
	n.wantCounts(t, "prune", 2, 2)
	if !strings.Contains(n.log.String(), "no such table") || !strings.Contains(n.log.String(), "job=prune") {
		t.Errorf("%s", n.log)
	}
	wantNoLocks(t, n.pool)
}

func TestAJobCanBeRunAtOnceAndWaitsForWhoeverIsAtIt(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	begun, release := make(chan struct{}), make(chan struct{})
	first := newNode(t, dsn, jobs.Job{Name: "prune", Every: time.Hour, Run: func(context.Context) error {
		close(begun)
		<-release
		return nil
	}})
	second := newNode(t, dsn, jobs.Job{Name: "prune", Every: time.Hour, Run: func(context.Context) error {
		select {
		case <-release:
			return errors.New("no such table")
		default:
			return errors.New("two nodes do the same work")
		}
	}})
	ended := make(chan error, 2)
	go func() { ended <- first.Run(t.Context(), "prune") }()
	nimbustest.Await(t, "the first run", begun)
	go func() { ended <- second.Run(t.Context(), "prune") }()
	close(release)
	var got []string
	for range 2 {
		if err := <-ended; err != nil {
			got = append(got, err.Error())
		}
	}
	if len(got) != 1 || got[0] != "no such table" {
		t.Errorf("errors %q, want what the second run returned", got)
	}
	second.wantCounts(t, "prune", 1, 1)
	if err := second.Run(t.Context(), "purge"); err == nil || !strings.Contains(err.Error(), `"purge"`) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestARunThatTakesTooLongIsInterruptedAndFails(t *testing.T) {
	t.Parallel()
	job := jobs.Job{Name: "slow", Every: time.Hour, Limit: time.Millisecond, Run: func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("gave up: %w", ctx.Err())
	}}
	n := newNode(t, nimbustest.DSN(t), job)
	// The limit also covers the wait for the lock, so on a busy machine the run may not start.
	n.Turn(t.Context(), job)
	if f := n.metric(t, "nimbus_job_failures_total", "slow"); f != 1 {
		t.Errorf("%v failures: %s", f, n.log)
	}
}

func TestADatabaseThatIsAwayIsAFailureAndNotTheEnd(t *testing.T) {
	t.Parallel()
	job := jobs.Job{Name: "prune", Every: time.Hour, Run: func(context.Context) error { return nil }}
	n := newNode(t, nimbustest.DSN(t), job)
	n.pool.Close()
	n.Turn(t.Context(), job)
	n.wantCounts(t, "prune", 0, 1)
	if !strings.Contains(n.log.String(), "acquire a connection") {
		t.Errorf("%s", n.log)
	}
}

func TestStopInterruptsARunAndWaitsForIt(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	ended := false
	n := newNode(t, nimbustest.DSN(t), jobs.Job{Name: "long", Every: time.Millisecond, Limit: time.Hour, Run: func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended = true // the race detector sees it when Stop does not wait
		return ctx.Err()
	}}, jobs.Job{Name: "far away", Every: time.Hour, Run: func(context.Context) error { return nil }})
	n.Start()
	nimbustest.Await(t, "the run", begun)
	n.Stop()
	if !ended {
		t.Error("Stop did not wait")
	}
	n.wantCounts(t, "long", 1, 0) // a stop is no failure
	if strings.Contains(n.log.String(), "job failed") {
		t.Errorf("%s", n.log)
	}
	wantNoLocks(t, n.pool)
	n.Stop() // again: nothing happens
}

func TestStopWithoutStartReturns(t *testing.T) {
	t.Parallel()
	newNode(t, nimbustest.DSN(t), jobs.Job{Name: "x", Every: time.Hour}).Stop()
}

func TestHealthNamesAJobThatIsOverdue(t *testing.T) {
	t.Parallel()
	table := []jobs.Job{
		{Name: "quick", Every: time.Hour, Run: func(context.Context) error { return nil }},
		{Name: "patient", Every: time.Hour, Limit: 10 * time.Hour, Run: func(context.Context) error { return errors.New("still a turn") }},
	}
	n := newNode(t, nimbustest.DSN(t), table...)
	healthy := func(want string) {
		t.Helper()
		switch err := n.Health(); {
		case want == "" && err != nil:
			t.Errorf("overdue: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %s", err, want)
		}
	}
	n.clock.add(1000 * time.Hour)
	healthy("") // nothing was started, so nothing is late
	n.Start()
	healthy("")
	n.clock.add(4 * time.Hour) // three intervals and the limit, which is an interval where none is set
	healthy("")
	n.clock.add(time.Second)
	healthy(`the job "quick" has not ended a turn for 4h0m1s`)
	if age := n.metric(t, "nimbus_job_age_seconds", "quick"); age != 4*3600+1 {
		t.Errorf("an age of %v s", age)
	}
	n.Turn(t.Context(), table[0])
	healthy("")
	n.clock.add(9*time.Hour - time.Second)
	n.Turn(t.Context(), table[0])
	healthy("")
	n.clock.add(time.Second)
	healthy(`the job "patient" has not ended a turn for 13h0m1s`)
	n.Turn(t.Context(), table[1]) // a turn that failed is one that ended: failures are counted elsewhere
	healthy("")
}
