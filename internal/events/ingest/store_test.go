package ingest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/history"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func writeAt(project uuid.UUID, key string, ts time.Time) *Row {
	i := identity{projectID: project, ts: ts, name: "e", key: key}
	return &Row{Event: events.Event{ProjectID: project, ID: i.id(), TS: ts, ReceivedAt: ts, Name: "e", Props: []byte("{}")}}
}

func TestPartitionsAreMadeOnDemandAndAgainAfterADrop(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewStore(pool)
	project := uuid.New()
	at := time.Date(2011, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	if err := s.Append(t.Context(), []*Row{writeAt(project, "a", at), writeAt(project, "b", at.Add(time.Microsecond))}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "DROP TABLE events_201102"); err != nil {
		t.Fatal(err)
	}
	// This process still believes in the partition.
	w := writeAt(project, "a", at)
	if err := s.Append(t.Context(), []*Row{w}); err != nil || w.outcome != Stored {
		t.Fatalf("outcome %d, %v", w.outcome, err)
	}
}

func TestManyProcessesMakeTheSamePartition(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := uuid.New()
	errs := make(chan error, 6)
	for k := range cap(errs) {
		go func() {
			errs <- NewStore(pool).Append(t.Context(), []*Row{writeAt(project, fmt.Sprint(k), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))})
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// The ts that an event is given may be the one it came with the other time, in the same flush.
func TestAKeyIsClaimedWhetherOrNotTheEventAlsoCameWithItsTime(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewStore(pool)
	at := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		project, hash := uuid.New(), uuid.New()
		withTime, without := writeAt(project, "k", at), writeAt(project, "k", at)
		without.KeyHash = hash
		both := []*Row{withTime, without}
		if err := s.Append(t.Context(), []*Row{both[order[0]], both[order[1]]}); err != nil {
			t.Fatal(err)
		}
		again := writeAt(project, "k", at.Add(time.Second))
		again.KeyHash = hash
		if err := s.Append(t.Context(), []*Row{again}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, project); n != 1 || again.outcome != Duplicate {
			t.Errorf("%d events, outcome %d; want 1 and a duplicate", n, again.outcome)
		}
		// Another time is another event, also beside one that has lost its key.
		otherTime, late := writeAt(project, "k", at.Add(time.Minute)), writeAt(project, "k", at.Add(time.Minute))
		late.KeyHash = hash
		if err := s.Append(t.Context(), []*Row{late, otherTime}); err != nil || otherTime.outcome != Stored || late.outcome != Duplicate {
			t.Errorf("states %d and %d, %v", otherTime.outcome, late.outcome, err)
		}
	}
}

// A mark that is set before the write turns the retry after a failure into a "duplicate", and the event is lost. Each way
// of storing has its own way of noticing duplicates, so each is made to fail and tried again.
func TestDedupeMarkIsNotSetBeforeTheWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	for name, make := range map[string]func(project uuid.UUID) []*Row{
		"one, by its id": func(project uuid.UUID) []*Row { return []*Row{writeAt(project, "k", at)} },
		"one, by its key": func(project uuid.UUID) []*Row {
			w := writeAt(project, "k", at)
			w.KeyHash = uuid.New()
			return []*Row{w}
		},
		"many, by COPY": func(project uuid.UUID) (out []*Row) {
			for k := range 3 * copyRows {
				out = append(out, writeAt(project, fmt.Sprint(k), at))
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := nimbustest.DB(t)
			s := NewStore(pool)
			writes := make(uuid.New())
			if _, err := pool.Exec(t.Context(), "ALTER TABLE event_counts RENAME TO away"); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := s.Append(t.Context(), writes); err == nil || writes[0].outcome != waiting {
					t.Fatalf("outcome %d, %v", writes[0].outcome, err)
				}
			}
			if _, err := pool.Exec(t.Context(), "ALTER TABLE away RENAME TO event_counts"); err != nil {
				t.Fatal(err)
			}
			if err := s.Append(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			for k, w := range writes {
				if w.outcome != Stored {
					t.Errorf("event %d of the retry: outcome %d, want %d", k, w.outcome, Stored)
				}
			}
		})
	}
}

// The same keys come back with another ts each time, so that the order of the events says nothing about that of the keys.
func TestTheSameKeysInAnotherOrderDoNotDeadlock(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := NewStore(pool), uuid.New()
	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	const keys, senders = 40, 6
	hashes := make([]uuid.UUID, keys)
	for round := range 15 {
		for k := range hashes {
			hashes[k] = uuid.New()
		}
		errs := make(chan error, senders)
		var accepted atomic.Int32
		for sender := range senders {
			writes := make([]*Row, keys)
			for k := range writes {
				// Every other sender has them the other way round.
				ts := at.Add(time.Duration(sender)*time.Second + time.Duration(k)*time.Millisecond)
				if sender%2 == 1 {
					ts = at.Add(time.Duration(sender)*time.Second - time.Duration(k)*time.Millisecond)
				}
				writes[k] = writeAt(project, fmt.Sprintf("%d-%d", round, k), ts)
				writes[k].KeyHash = hashes[k]
			}
			go func() {
				err := s.Append(t.Context(), writes)
				for _, w := range writes {
					if w.outcome == Stored {
						accepted.Add(1)
					}
				}
				errs <- err
			}()
		}
		for range senders {
			if err := <-errs; err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if n := accepted.Load(); n != keys {
			t.Fatalf("round %d: %d events accepted, want %d", round, n, keys)
		}
	}
}

// An event is the same row whichever way it is stored, and each has the time at which its own request came.
func TestEveryWayOfStoringStoresTheSame(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	at := time.Date(2026, 1, 15, 23, 59, 59, 999_999_000, time.UTC)
	make := func(n int) (out []*Row) {
		project := uuid.New()
		for k := range n {
			w := writeAt(project, fmt.Sprint(k), at.Add(time.Duration(k)*time.Second))
			w.ReceivedAt, w.Seq = at.Add(time.Duration(k)*time.Hour), int64(-k)
			w.Props = fmt.Appendf(nil, `{"k": [%d, "ü"]}`, k)
			if k%2 == 0 {
				w.UserID = "user-é"
			} else {
				w.AnonymousID = "a"
			}
			out = append(out, w)
		}
		return out
	}
	few, many, mixed := make(3), make(copyRows), make(copyRows)
	s := NewStore(pool)
	for _, writes := range [][]*Row{few, many} {
		if err := s.Append(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
	}
	s.cautious.Store(1)
	if err := s.Append(t.Context(), mixed); err != nil {
		t.Fatal(err)
	}
	for name, writes := range map[string][]*Row{"few": few, "many": many, "expecting duplicates": mixed} {
		project := writes[0].ProjectID
		page, err := history.NewReader(replica.Without(pool), time.Minute).List(t.Context(), &history.Filter{ProjectID: project, Limit: len(writes), Ascending: true})
		if err != nil || len(page.Events) != len(writes) {
			t.Fatalf("%s: %d events, %v", name, len(page.Events), err)
		}
		for k, got := range page.Events {
			want := writes[k].Event
			if writes[k].outcome != Stored || got.ID != want.ID || !got.TS.Equal(want.TS) || !got.ReceivedAt.Equal(want.ReceivedAt) ||
				got.Seq != want.Seq || got.Name != want.Name || got.UserID != want.UserID || got.AnonymousID != want.AnonymousID ||
				string(got.Props) != string(want.Props) {
				t.Fatalf("%s, event %d:\n%+v, want\n%+v", name, k, got, want)
			}
		}
		wantCounts(t, pool, project, len(writes))
	}
}

// wantCounts checks that a project has so many events and that every granularity counts as many, by name and in total.
func wantCounts(t *testing.T, pool *pgxpool.Pool, project uuid.UUID, want int) {
	t.Helper()
	var events int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE project_id = $1", project).Scan(&events); err != nil {
		t.Fatal(err)
	}
	var sums []int64
	if err := pool.QueryRow(t.Context(), `SELECT array_agg(s) FROM (SELECT sum(count)::bigint AS s FROM event_counts
		WHERE project_id = $1 GROUP BY granularity, name = '') AS t`, project).Scan(&sums); err != nil {
		t.Fatal(err)
	}
	if n := int64(want); events != want || !slices.Equal(sums, []int64{n, n, n, n, n, n}) {
		t.Errorf("%d events and counts of %v, want %d of each", events, sums, want)
	}
}

// The fast transaction assumes that all is new: when it is not, the rest is stored, and nothing is counted twice.
func TestADuplicateBySurpriseIsFoundAndTheRestIsStored(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	for _, size := range []int{2, copyRows - 1, copyRows, 3 * copyRows} {
		s, project := NewStore(pool), uuid.New()
		var writes []*Row
		for k := range size {
			writes = append(writes, writeAt(project, fmt.Sprint(k), at))
		}
		if err := s.Append(t.Context(), writes[:size/2]); err != nil {
			t.Fatal(err)
		}
		for _, w := range writes {
			w.outcome = waiting
		}
		// Then once more: this time it expects duplicates, and all of them are.
		for round, want := range []int{size - size/2, 0} {
			if err := s.Append(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			accepted := 0
			for _, w := range writes {
				if w.outcome == Stored {
					accepted++
				}
				w.outcome = waiting
			}
			if accepted != want {
				t.Errorf("%d events, round %d: %d accepted, want %d", size, round, accepted, want)
			}
			wantCounts(t, pool, project, size)
		}
	}
}

// Citus gives no reason for what a worker refuses of a COPY. The trigger does as it does.
func TestARefusedRowWithoutAReasonIsTriedTheCarefulWay(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SET citus.enable_unsafe_triggers = on",
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_query() NOT LIKE '%ON CONFLICT%' THEN RAISE internal_error; END IF;
			RETURN NULL;
		END $$`,
		"CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	conn.Release()
	for _, size := range []int{2, copyRows} {
		s, project := NewStore(pool), uuid.New()
		var writes []*Row
		for k := range size {
			writes = append(writes, writeAt(project, fmt.Sprint(k), time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)))
		}
		if err := s.Append(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, pool, project, size)
	}
}
