package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func writeAt(project uuid.UUID, key string, ts time.Time) *write {
	i := identity{projectID: project, ts: ts, name: "e", key: key}
	return &write{Event: Event{ProjectID: project, ID: i.id(), TS: ts, ReceivedAt: ts, Name: "e", Props: []byte("{}")}}
}

func TestPartitionsAreMadeOnDemandAndAgainAfterADrop(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewStore(pool)
	project := uuid.New()
	at := time.Date(2011, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	if err := s.Write(t.Context(), []*write{writeAt(project, "a", at), writeAt(project, "b", at.Add(time.Microsecond))}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "DROP TABLE events_201102"); err != nil {
		t.Fatal(err)
	}
	// This process still believes in the partition.
	w := writeAt(project, "a", at)
	if err := s.Write(t.Context(), []*write{w}); err != nil || w.state != stored {
		t.Fatalf("state %d, %v", w.state, err)
	}
}

func TestPrepareMakesPartitionsForOneRequestAtATime(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewStore(pool)
	months := func(from, to int) (writes []write) {
		for y := from; y <= to; y++ {
			writes = append(writes, *writeAt(uuid.New(), "k", time.Date(y, 1, 15, 0, 0, 0, 0, time.UTC)))
		}
		return writes
	}
	made := func() int {
		return count(t, pool, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass`)
	}
	if err := s.Prepare(t.Context(), months(1971, 1973)); err != nil || made() != 3 {
		t.Fatalf("%d partitions, %v; want 3", made(), err)
	}
	s.preparing <- struct{}{} // another request
	if err := s.Prepare(t.Context(), months(1971, 1973)); err != nil {
		t.Errorf("what needs nothing: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Prepare(gone, months(1973, 1974)); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever goes away while it waits: %v", err)
	}
	<-s.preparing
	if err := s.Prepare(t.Context(), months(1973, 1974)); err != nil || made() != 4 {
		t.Errorf("%d partitions, %v; want 4", made(), err)
	}
}

func TestManyProcessesMakeTheSamePartition(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := uuid.New()
	errs := make(chan error, 6)
	for k := range cap(errs) {
		go func() {
			errs <- NewStore(pool).Write(t.Context(), []*write{writeAt(project, fmt.Sprint(k), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))})
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestMonthBounds(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"1971-01-01T00:00:00Z": "1971-01-01", "2024-02-29T23:59:59Z": "2024-02-01", "2025-12-31T23:59:59.999999999Z": "2025-12-01",
		"2026-01-01T00:30:00+01:00": "2025-12-01",
	} {
		ts, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := monthOf(ts).start().Format("2006-01-02"); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

// The floor in SQL decides the partition and the one in Go the range of a query: they must be the same.
func TestTheFloorOfIDsIsTheSameInSQL(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for _, ts := range []time.Time{minTS, time.Date(2026, 1, 15, 10, 30, 0, 1_000_000, time.UTC), time.Date(2261, 6, 1, 0, 0, 0, 0, time.UTC)} {
		var got uuid.UUID
		if err := pool.QueryRow(t.Context(), "SELECT event_id_floor($1)", ts).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := idFloor(ts); !bytes.Equal(got[:], want[:]) {
			t.Errorf("%s: %s in SQL, %s in Go", ts, got, want)
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
		without.keyHash = hash
		both := []*write{withTime, without}
		if err := s.Write(t.Context(), []*write{both[order[0]], both[order[1]]}); err != nil {
			t.Fatal(err)
		}
		again := writeAt(project, "k", at.Add(time.Second))
		again.keyHash = hash
		if err := s.Write(t.Context(), []*write{again}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, project); n != 1 || again.state != duplicate {
			t.Errorf("%d events, state %d; want 1 and a duplicate", n, again.state)
		}
		// Another time is another event, also beside one that has lost its key.
		otherTime, late := writeAt(project, "k", at.Add(time.Minute)), writeAt(project, "k", at.Add(time.Minute))
		late.keyHash = hash
		if err := s.Write(t.Context(), []*write{late, otherTime}); err != nil || otherTime.state != stored || late.state != duplicate {
			t.Errorf("states %d and %d, %v", otherTime.state, late.state, err)
		}
	}
}

// A mark that is set before the write turns the retry after a failure into a "duplicate", and the event is lost. Each way
// of storing has its own way of noticing duplicates, so each is made to fail and tried again.
func TestDedupeMarkIsNotSetBeforeTheWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	for name, make := range map[string]func(project uuid.UUID) []*write{
		"one, by its id": func(project uuid.UUID) []*write { return []*write{writeAt(project, "k", at)} },
		"one, by its key": func(project uuid.UUID) []*write {
			w := writeAt(project, "k", at)
			w.keyHash = uuid.New()
			return []*write{w}
		},
		"many, by COPY": func(project uuid.UUID) (out []*write) {
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
				if err := s.Write(t.Context(), writes); err == nil || writes[0].state != waiting {
					t.Fatalf("state %d, %v", writes[0].state, err)
				}
			}
			if _, err := pool.Exec(t.Context(), "ALTER TABLE away RENAME TO event_counts"); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			for k, w := range writes {
				if w.state != stored {
					t.Errorf("event %d of the retry: state %d, want %d", k, w.state, stored)
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
			writes := make([]*write, keys)
			for k := range writes {
				// Every other sender has them the other way round.
				ts := at.Add(time.Duration(sender)*time.Second + time.Duration(k)*time.Millisecond)
				if sender%2 == 1 {
					ts = at.Add(time.Duration(sender)*time.Second - time.Duration(k)*time.Millisecond)
				}
				writes[k] = writeAt(project, fmt.Sprintf("%d-%d", round, k), ts)
				writes[k].keyHash = hashes[k]
			}
			go func() {
				err := s.Write(t.Context(), writes)
				for _, w := range writes {
					if w.state == stored {
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
	make := func(n int) (out []*write) {
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
	for _, writes := range [][]*write{few, many} {
		if err := s.Write(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
	}
	s.cautious.Store(1)
	if err := s.Write(t.Context(), mixed); err != nil {
		t.Fatal(err)
	}
	for name, writes := range map[string][]*write{"few": few, "many": many, "expecting duplicates": mixed} {
		project := writes[0].ProjectID
		page, err := NewReader(replica.Without(pool), time.Minute).List(t.Context(), &Filter{ProjectID: project, Limit: len(writes), Ascending: true})
		if err != nil || len(page.Events) != len(writes) {
			t.Fatalf("%s: %d events, %v", name, len(page.Events), err)
		}
		for k, got := range page.Events {
			want := writes[k].Event
			if writes[k].state != stored || got.ID != want.ID || !got.TS.Equal(want.TS) || !got.ReceivedAt.Equal(want.ReceivedAt) ||
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

// Whoever assumes that all is new must find out when it is not, store the rest, and count nothing twice.
func TestADuplicateBySurpriseIsFoundAndTheRestIsStored(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	at := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	for _, size := range []int{2, copyRows - 1, copyRows, 3 * copyRows} {
		s, project := NewStore(pool), uuid.New()
		var writes []*write
		for k := range size {
			writes = append(writes, writeAt(project, fmt.Sprint(k), at))
		}
		if err := s.Write(t.Context(), writes[:size/2]); err != nil {
			t.Fatal(err)
		}
		for _, w := range writes {
			w.state = waiting
		}
		// Then once more: this time it expects duplicates, and all of them are.
		for round, want := range []int{size - size/2, 0} {
			if err := s.Write(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			accepted := 0
			for _, w := range writes {
				if w.state == stored {
					accepted++
				}
				w.state = waiting
			}
			if accepted != want {
				t.Errorf("%d events, round %d: %d accepted, want %d", size, round, accepted, want)
			}
			wantCounts(t, pool, project, size)
		}
	}
}

// Citus gives no reason for what a worker refuses of a COPY. The trigger does as it does.
func TestARefusalWithoutAReasonIsTriedTheCarefulWay(t *testing.T) {
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
		var writes []*write
		for k := range size {
			writes = append(writes, writeAt(project, fmt.Sprint(k), time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)))
		}
		if err := s.Write(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, pool, project, size)
	}
}

func TestReadingAcrossPartitionsKeepsTheOrder(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := NewStore(pool), uuid.New()
	var writes []*write
	for k := range 30 {
		writes = append(writes, writeAt(project, fmt.Sprint(k), time.Date(2025, time.Month(1+k%12), 1+k, 0, 0, 0, 0, time.UTC)))
	}
	if err := s.Write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	f := &Filter{ProjectID: project, Limit: 7, Ascending: true}
	var last time.Time
	total := 0
	for {
		page, err := NewReader(replica.Without(pool), time.Minute).List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.TS.Before(last) {
				t.Errorf("%s after %s", e.TS, last)
			}
			last = e.TS
			total++
		}
		if page.Next == nil {
			break
		}
		f.After = page.Next
	}
	if total != 30 {
		t.Errorf("%d events, want 30", total)
	}
}
