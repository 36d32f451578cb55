package quota_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events/quota"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// node is a Keeper as a node has it.
type node struct {
	*quota.Keeper
	now  time.Time
	free uint64
}

func newNode(pool *pgxpool.Pool, limits quota.Limits) *node {
	n := &node{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), free: 100}
	n.Keeper = quota.New(pool, quota.Config{Defaults: limits, Now: func() time.Time { return n.now }, MinFree: 50,
		Free: func() (uint64, error) { return n.free, nil }}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	return n
}

func newProject(t *testing.T, pool *pgxpool.Pool) uuid.UUID {
	t.Helper()
	id := uuid.New()
	execute(t, pool, `INSERT INTO projects (id, name) VALUES ($1, 'p')`, id)
	return id
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// store is a request of events that are stored; the code of the refusal when they may not be.
func (n *node) store(t *testing.T, project uuid.UUID, events int, names ...string) (asOther int, refused problem.Code) {
	t.Helper()
	may, err := n.Admit(t.Context(), project, events, int64(100*events))
	var p *problem.Error
	if errors.As(err, &p) {
		if p.RetryAfter <= 0 {
			t.Errorf("%s has no Retry-After", p.Code)
		}
		return 0, p.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if may.CountedAsOther(name) {
			asOther++
		}
	}
	may.Stored(events, asOther, int64(100*events))
	return asOther, ""
}

func (n *node) sync(t *testing.T) {
	t.Helper()
	if err := n.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEventsADayAreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	a, b := newNode(pool, quota.Limits{EventsPerDay: 10}), newNode(pool, quota.Limits{EventsPerDay: 10})
	project, other := newProject(t, pool), newProject(t, pool)
	want := func(n *node, id uuid.UUID, events int, code problem.Code) {
		t.Helper()
		if _, got := n.store(t, id, events); got != code {
			t.Errorf("%d events: %q, want %q", events, got, code)
		}
	}
	want(a, project, 6, "")
	want(a, project, 5, problem.CodeQuotaExceeded)
	want(b, project, 1, "")
	a.sync(t)
	b.sync(t)
	a.sync(t)
	want(a, project, 4, problem.CodeQuotaExceeded)
	want(b, project, 4, problem.CodeQuotaExceeded)
	want(b, project, 3, "")
	want(b, other, 10, "")
	a.now, b.now = a.now.Add(11*time.Hour+59*time.Minute), b.now.Add(11*time.Hour+59*time.Minute)
	want(b, project, 1, problem.CodeQuotaExceeded)
	a.now, b.now = a.now.Add(time.Minute), b.now.Add(time.Minute)
	want(a, project, 10, "") // what b has not written down yet counts for the day on which it does
	want(a, project, 1, problem.CodeQuotaExceeded)
}

func TestWhatIsWrittenDownIsWhatWasStored(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{}), newProject(t, pool)
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 50 {
				n.store(t, project, 2)
				n.sync(t)
			}
		})
	}
	work.Wait()
	n.sync(t)
	var events, bytes int
	if err := pool.QueryRow(t.Context(), `SELECT events, bytes FROM project_usage WHERE project_id = $1`, project).Scan(&events, &bytes); err != nil {
		t.Fatal(err)
	}
	if events != 400 || bytes != 40_000 {
		t.Errorf("%d events of %d bytes, want 400 of 40000", events, bytes)
	}
}

func TestANameTooManyIsCountedAsOther(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{EventNames: 3}), newProject(t, pool)
	execute(t, pool, `INSERT INTO event_counts VALUES ($1, 86400, 'old', '2026-01-01Z', 1), ($1, 86400, '', '2026-01-01Z', 1)`, project)
	if other, code := n.store(t, project, 6, "old", "a", "b", "c", "c", "a"); other != 2 || code != "" {
		t.Errorf("%d counted as other, %q; want 2", other, code)
	}
	four := int32(4)
	if ok, err := n.SetLimits(t.Context(), nil, project, quota.Overrides{EventNames: &four}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// Nothing of a and b was stored in this test, so they are not there any more.
	if other, _ := n.store(t, project, 5, "c", "d", "a", "b", "old"); other != 1 {
		t.Errorf("%d counted as other with a higher limit, want the last new one", other)
	}
	none := int32(0)
	if ok, err := n.SetLimits(t.Context(), nil, project, quota.Overrides{EventNames: &none}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if other, _ := n.store(t, project, 2, "x", "y"); other != 0 {
		t.Errorf("%d counted as other without a limit", other)
	}
	if ok, err := n.SetLimits(t.Context(), nil, uuid.New(), quota.Overrides{}); ok || err != nil {
		t.Errorf("limits of no project: %v, %v", ok, err)
	}
}

// More than the limit may be there already: who had more names before there were limits keeps them.
func TestNamesThatAreCountedStayCounted(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{EventNames: 3}), newProject(t, pool)
	execute(t, pool, `INSERT INTO event_counts SELECT $1, 86400, 'n' || i, '2026-01-01Z', 1 FROM generate_series(1, 10) i`, project)
	if other, _ := n.store(t, project, 3, "n1", "n10", "n11"); other != 1 {
		t.Errorf("%d counted as other, want the new one", other)
	}
}

func TestStoredBytesAreMeasured(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{StoredBytes: 2_000}), newProject(t, pool)
	if _, code := n.store(t, project, 15); code != "" {
		t.Fatal(code)
	}
	if _, code := n.store(t, project, 10); code != problem.CodeQuotaExceeded {
		t.Errorf("beyond the limit: %q", code)
	}
	n.sync(t)
	execute(t, pool, `INSERT INTO event_counts VALUES ($1, 86400, '', '2026-03-01Z', 15), ($1, 86400, 'e', '2026-03-01Z', 15), ($1, 3600, 'e', '2026-03-01Z', 15)`, project)
	measure := func() (bytes, names int) {
		t.Helper()
		if err := n.Measure(t.Context(), n.now); err != nil {
			t.Fatal(err)
		}
		n.sync(t)
		if err := pool.QueryRow(t.Context(), `SELECT bytes, names FROM project_sizes WHERE project_id = $1`, project).Scan(&bytes, &names); err != nil {
			t.Fatal(err)
		}
		return bytes, names
	}
	if bytes, names := measure(); bytes != 15*100+3*150 || names != 1 {
		t.Errorf("%d bytes, %d names; want 1950, 1", bytes, names)
	}
	if _, code := n.store(t, project, 1); code != problem.CodeQuotaExceeded {
		t.Errorf("with the counts it is full: %q", code)
	}
	execute(t, pool, `DELETE FROM event_counts WHERE project_id = $1`, project) // as pruning does
	if bytes, _ := measure(); bytes != 0 {
		t.Errorf("%d bytes when all is gone", bytes)
	}
	if _, code := n.store(t, project, 15); code != "" {
		t.Errorf("after pruning: %q", code)
	}
}

func TestTheReserveOfTheDisk(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{}), newProject(t, pool)
	n.free = 49
	if _, code := n.store(t, project, 1); code != problem.CodeLowOnDisk {
		t.Errorf("%q, want %q", code, problem.CodeLowOnDisk)
	}
	if n.Health() == nil {
		t.Error("health does not say so")
	}
	n.free = 50
	nimbustest.Eventually(t, "it takes events again", func() bool {
		_, code := n.store(t, project, 1)
		return code == ""
	})
	if err := n.Health(); err != nil {
		t.Error(err)
	}
}

func TestWithoutTheDatabaseWhatWasStoredIsKeptForLater(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{EventsPerDay: 5}), newProject(t, pool)
	n.store(t, project, 2)
	execute(t, pool, `ALTER TABLE project_usage RENAME TO away`)
	if err := n.Sync(t.Context()); err == nil {
		t.Error("no error")
	}
	if _, code := n.store(t, project, 4); code != problem.CodeQuotaExceeded {
		t.Errorf("%q: what was not written down is forgotten", code)
	}
	execute(t, pool, `ALTER TABLE away RENAME TO project_usage`)
	n.sync(t)
	var events int
	if err := pool.QueryRow(t.Context(), `SELECT events FROM project_usage WHERE project_id = $1`, project).Scan(&events); err != nil || events != 2 {
		t.Errorf("%d events, %v", events, err)
	}
}

// What keeps the table of counts locked, as a migration may, keeps no event waiting for what its project may store.
func TestADatabaseThatDoesNotAnswerKeepsNoEventsWaiting(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	n, project := newNode(pool, quota.Limits{EventNames: 1}), newProject(t, pool)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE event_counts IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			if other, code := n.store(t, project, 2, "a", "b"); other != 0 || code != "" {
				t.Errorf("%d counted as other, %q; want all let in", other, code)
			}
		})
	}
	work.Wait() // without end, would they wait for the lock
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.sync(t)
	if other, _ := n.store(t, project, 2, "a", "b"); other != 1 {
		t.Errorf("%d counted as other once the names are known, want 1", other)
	}
}
