package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events/partitions"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// A partition that has just been made for a write is dropped before the write gets to it, and again.
func TestAWriteSurvivesThatItsPartitionIsDropped(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := NewStore(pool), uuid.New()
	random := rand.New(rand.NewPCG(11, 12))
	dropped, met := 0, 0
	for m := range 300 {
		if met == 10 {
			break
		}
		at := time.Date(2001, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC)
		if err := s.partitions.Ensure(t.Context(), at, 1, func(int) time.Time { return at }); err != nil {
			t.Fatal(err)
		}
		done := make(chan int)
		wait := time.Duration(random.IntN(3000)) * time.Microsecond
		go func() {
			drops := 0
			<-time.After(wait)
			for range appendTries - 1 {
				ok, err := s.q.EventPartitionDropEmpty(context.Background(), pool, partitions.Month(at).Name())
				if err != nil && !postgres.IsRetryable(err) {
					t.Errorf("drop: %v", err)
				}
				if ok {
					drops++
				}
			}
			done <- drops
		}()
		rows := make([]*Row, 1+random.IntN(2*copyRows))
		for k := range rows {
			rows[k] = writeAt(project, fmt.Sprint(k), at)
		}
		err := s.Append(t.Context(), rows)
		if drops := <-done; drops > 0 {
			dropped += drops
			met++
		}
		if err != nil {
			t.Fatalf("%s: %v", at.Format("2006-01"), err)
		}
		if n := count(t, pool, `SELECT count(*) FROM events WHERE ts = $1`, at); n != len(rows) {
			t.Fatalf("%s: %d events are stored, want %d", at.Format("2006-01"), n, len(rows))
		}
	}
	if met == 0 {
		t.Error("no partition was dropped beside a write: nothing was tested")
	}
	t.Logf("%d drops beside %d rows", dropped, met)
	wantCounted(t, pool, "at the end")
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// wantCounted fails the test unless event_counts has the total of the days of all events.
func wantCounted(t *testing.T, pool *pgxpool.Pool, when string) {
	t.Helper()
	n := count(t, pool, `
		SELECT count(*) FROM (SELECT project_id, date_trunc('day', ts, 'UTC') AS bucket, count(*) AS count FROM events GROUP BY 1, 2) AS e
		FULL JOIN (SELECT project_id, bucket, count FROM event_counts WHERE name = '' AND granularity = 86400) AS c USING (project_id, bucket)
		WHERE e.count IS DISTINCT FROM c.count`)
	if n != 0 {
		t.Fatalf("%s: %d days are not counted as their events say", when, n)
	}
}
