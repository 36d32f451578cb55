package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// testBundle is a primary with a table, its standby, and what chooses between the two.
type testBundle struct {
	primary *embedded.Server
	standby *nimbustest.StandbyServer
	pool    *pgxpool.Pool // of the primary
	reads   *replica.Reads
	reg     *prometheus.Registry
}

// The parts take turns at one standby: each leaves it running and replaying.
func TestStandby(t *testing.T) {
	t.Parallel()
	// What is committed is written at once, so that lag begins with the commit.
	primary := nimbustest.PrivateServer(t, false, func(c *embedded.Config) { c.Settings["synchronous_commit"] = "on" })
	b := &testBundle{primary: primary, pool: open(t, primary.DSN(embedded.Database))}
	b.exec(t, "CREATE TABLE numbers AS SELECT generate_series(1, 1000) AS n")
	// A standby gives way at once where it replays what a question still reads, instead of after half a minute.
	b.standby = nimbustest.Standby(t, primary, func(c *embedded.Config) { c.Settings["max_standby_streaming_delay"] = "0" })
	t.Run("one that is too far behind is not asked until it has caught up", b.tooFarBehind)
	t.Run("it may be as far behind as it likes where the operator says so", b.anyLag)
	t.Run("no question fails when it dies, and it comes back by itself", b.dies)
	t.Run("a question that replay cancels is answered by the primary from one snapshot", b.canceled)
	t.Run("an answer that is not welcome is not asked for again", b.unwelcome)
	t.Run("only a standby of the primary is asked", b.strangers)
	t.Run("a probe waits for what the primary has written", b.probe)
}

// on begins to watch a database for one part.
func (b *testBundle) on(t *testing.T, primary *pgxpool.Pool, url string, maxLag time.Duration) {
	t.Helper()
	b.reg = prometheus.NewRegistry()
	reads, err := replica.Open(t.Context(), primary, replica.Config{URL: url, PoolSize: 4, MaxLag: maxLag}, b.reg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reads.Close)
	b.reads = reads
}

// onStandby is on for the standby, from when it answers.
func (b *testBundle) onStandby(t *testing.T, maxLag time.Duration) {
	t.Helper()
	b.on(t, b.pool, b.standby.DSN(), maxLag)
	b.untilStandby(t, true)
}

func open(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), dsn, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (b *testBundle) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// who says who answers, and how many numbers it has.
func (b *testBundle) who(t *testing.T) (standby bool, numbers int) {
	t.Helper()
	err := b.reads.Ask(t.Context(), func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, "SELECT pg_is_in_recovery(), (SELECT count(*) FROM numbers)").Scan(&standby, &numbers)
	})
	if err != nil {
		t.Errorf("a question failed: %v", err)
	}
	return standby, numbers
}

func (b *testBundle) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("health: %v", b.reads.Health())
		}
	}()
	nimbustest.Eventually(t, what, done)
}

func (b *testBundle) untilStandby(t *testing.T, answers bool) {
	t.Helper()
	b.until(t, "the one who should answers", func() bool { standby, _ := b.who(t); return standby == answers })
}

func (b *testBundle) metric(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == label) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %s", name, label)
	return 0
}

func (b *testBundle) tooFarBehind(t *testing.T) {
	b.onStandby(t, time.Second)
	b.standby.Exec("SELECT pg_wal_replay_pause()")
	b.exec(t, "INSERT INTO numbers VALUES (0)")
	b.untilStandby(t, false)
	if _, n := b.who(t); n != 1001 {
		t.Errorf("the primary has %d numbers, want 1001", n)
	}
	b.until(t, "health says how far it is behind", func() bool {
		err := b.reads.Health()
		return err != nil && strings.Contains(err.Error(), "bytes behind")
	})
	b.until(t, "it is more than a second behind, and questions are asked elsewhere for that", func() bool {
		b.who(t)
		return b.metric(t, "nimbus_replica_lag_seconds", "") > 1 && b.metric(t, "nimbus_replica_fallbacks_total", "behind") > 0
	})
	b.standby.Exec("SELECT pg_wal_replay_resume()")
	b.standby.CatchUp(b.primary)
	b.untilStandby(t, true)
	if _, n := b.who(t); n != 1001 {
		t.Errorf("the standby has %d numbers, want 1001", n)
	}
	b.until(t, "health says that all is well", func() bool { return b.reads.Health() == nil })
}

func (b *testBundle) anyLag(t *testing.T) {
	b.onStandby(t, 0)
	b.standby.Exec("SELECT pg_wal_replay_pause()")
	b.exec(t, "INSERT INTO numbers VALUES (0)")
	b.until(t, "the lag is seen", func() bool { return b.metric(t, "nimbus_replica_lag_seconds", "") > 1 })
	b.until(t, "the standby answers with what it has, 1001 numbers", func() bool { standby, n := b.who(t); return standby && n == 1001 })
	b.standby.Exec("SELECT pg_wal_replay_resume()")
}

func (b *testBundle) dies(t *testing.T) {
	b.onStandby(t, time.Minute)
	asked, ended := make(chan struct{}), make(chan error, 1)
	go func() { // a question that the standby never answers
		var err error
		for waits := false; !waits && err == nil; { // again, when the standby was not asked
			err = b.reads.Ask(context.WithoutCancel(t.Context()), func(ctx context.Context, pool *pgxpool.Pool) error {
				if pool == b.reads.Primary() {
					return nil
				}
				waits = true
				close(asked)
				<-ctx.Done()
				return ctx.Err()
			})
		}
		ended <- err
	}()
	nimbustest.Await(t, "the standby is asked", asked)
	b.standby.Kill()
	for range 100 {
		b.who(t)
	}
	b.until(t, "it is known to be away", func() bool { return b.metric(t, "nimbus_replica_up", "") == 0 })
	if err := <-ended; err != nil {
		t.Errorf("the question that waited failed: %v", err)
	}
	b.until(t, "health says that it does not answer", func() bool {
		err := b.reads.Health()
		return err != nil && err.Error() == "it does not answer"
	})
	b.standby.Start()
	b.untilStandby(t, true)
	b.until(t, "the metrics say that it is up", func() bool { return b.metric(t, "nimbus_replica_up", "") == 1 })
}

// The standby must replay the removal of rows that a question still reads, and cancels the question: it is asked anew, as
// a whole, of the primary.
func (b *testBundle) canceled(t *testing.T) {
	b.onStandby(t, time.Minute)
	var counts []int
	err := b.reads.Ask(t.Context(), func(ctx context.Context, pool *pgxpool.Pool) error {
		counts = nil
		return postgres.InSnapshot(ctx, pool, time.Minute, func(tx pgx.Tx) error {
			for range 2 {
				var n int
				if err := tx.QueryRow(ctx, "SELECT count(*) FROM numbers").Scan(&n); err != nil {
					return err
				}
				counts = append(counts, n)
				if pool != b.reads.Primary() && len(counts) == 1 {
					b.exec(t, "DELETE FROM numbers WHERE n NOT BETWEEN 401 AND 1000")
					b.exec(t, "VACUUM numbers")
					b.standby.CatchUp(b.primary)
				}
			}
			return nil
		})
	})
	if err != nil || len(counts) != 2 || counts[0] != 600 || counts[1] != 600 {
		t.Errorf("%v, %v, want the primary's 600 twice", counts, err)
	}
	if n := b.metric(t, "nimbus_replica_fallbacks_total", "failed"); n != 1 {
		t.Errorf("%v questions failed on the standby, want 1", n)
	}
	b.untilStandby(t, true)
}

func (b *testBundle) unwelcome(t *testing.T) {
	b.onStandby(t, time.Minute)
	for what, want := range map[string]error{"a refusal": problem.NotFound(), "a caller who went away": context.Canceled} {
		ctx, cancel := context.WithCancel(t.Context())
		times := 0
		err := b.reads.Ask(ctx, func(context.Context, *pgxpool.Pool) error {
			times++
			if errors.Is(want, context.Canceled) {
				cancel()
			}
			return want
		})
		cancel()
		if !errors.Is(err, want) || times != 1 {
			t.Errorf("%s: asked %d times, %v", what, times, err)
		}
	}
	times := 0
	err := b.reads.Ask(t.Context(), func(ctx context.Context, pool *pgxpool.Pool) error {
		times++
		return postgres.InSnapshot(ctx, pool, time.Millisecond, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT pg_sleep(60)")
			return err
		})
	})
	if !postgres.IsStatementTimeout(err) || times != 1 {
		t.Errorf("a question that is too heavy: asked %d times, %v", times, err)
	}
}

func (b *testBundle) strangers(t *testing.T) {
	stranger := nimbustest.DB(t)
	for _, tt := range []struct {
		primary *pgxpool.Pool
		url     string
		want    string
	}{
		{b.pool, b.primary.DSN(embedded.Database), "it is not a standby"},
		{stranger, b.standby.DSN(), "it is the standby of another database"},
	} {
		b.on(t, tt.primary, tt.url, 0)
		b.until(t, tt.want, func() bool { err := b.reads.Health(); return err != nil && err.Error() == tt.want })
		if err := b.reads.Ask(t.Context(), func(_ context.Context, pool *pgxpool.Pool) error {
			if pool != tt.primary {
				t.Errorf("%s: asked nevertheless", tt.want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

func (b *testBundle) probe(t *testing.T) {
	standby := open(t, b.standby.DSN())
	b.exec(t, "INSERT INTO numbers VALUES (0)")
	if _, err := replica.Probe(t.Context(), b.pool, standby); err != nil {
		t.Error(err)
	}
	b.standby.Exec("SELECT pg_wal_replay_pause()")
	b.exec(t, "INSERT INTO numbers VALUES (0)")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := replica.Probe(ended, b.pool, standby)
	var late *replica.LateError
	if !errors.As(err, &late) || late.Bytes <= 0 {
		t.Errorf("of a standby that stands still: %v", err)
	}
	b.standby.Exec("SELECT pg_wal_replay_resume()")
	if _, err := replica.Probe(t.Context(), b.pool, b.pool); err == nil || errors.As(err, &late) {
		t.Errorf("of the primary itself: %v", err)
	}
}

func TestWithoutAStandbyThePrimaryIsAsked(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	reads := replica.Without(pool)
	defer reads.Close()
	if err := reads.Ask(t.Context(), func(_ context.Context, p *pgxpool.Pool) error {
		if p != pool {
			t.Error("another pool")
		}
		return nil
	}); err != nil || reads.Configured() {
		t.Errorf("%v, configured: %v", err, reads.Configured())
	}
}
