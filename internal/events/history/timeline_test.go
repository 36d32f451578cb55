package history

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/events/partitions"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// seen stores n events of some people at random times between two, and returns them.
func seen(t *testing.T, s world, random *rand.Rand, project uuid.UUID, n, people int, from, to time.Time) []*ingest.Row {
	t.Helper()
	writes := make([]*ingest.Row, n)
	for k := range writes {
		at := from.Add(time.Duration(random.Int64N(int64(to.Sub(from))))).Truncate(time.Microsecond)
		w := rowAt(project, strconv.FormatUint(random.Uint64(), 36), at)
		w.Name = []string{"a", "b"}[random.IntN(2)]
		w.Props = fmt.Appendf(nil, `{"n": %d}`, random.IntN(2))
		if p := random.IntN(people + 1); p < people {
			w.UserID = fmt.Sprintf("user_%d", p)
		}
		writes[k] = w
	}
	if err := s.Append(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	return writes
}

// everything reads all pages of a filter.
func everything(t *testing.T, r *Reader, f Filter) []uuid.UUID {
	t.Helper()
	var ids []uuid.UUID
	for {
		page, err := r.List(t.Context(), &f)
		if err != nil {
			t.Fatal(err)
		}
		for k := range page.Events {
			ids = append(ids, page.Events[k].ID)
		}
		if page.Next == nil {
			return ids
		}
		f.After = page.Next
	}
}

// oracle is what everything must return, from a plain reading of all events.
func oracle(t *testing.T, pool *pgxpool.Pool, f *Filter) []uuid.UUID {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT id, ts, name, coalesce(user_id, ''), props @> coalesce($2::jsonb, '{}') FROM events WHERE project_id = $1`, f.ProjectID, f.Props)
	if err != nil {
		t.Fatal(err)
	}
	var ids []uuid.UUID
	var id uuid.UUID
	var ts time.Time
	var name, user string
	var contains bool
	_, err = pgx.ForEachRow(rows, []any{&id, &ts, &name, &user, &contains}, func() error {
		if user == *f.UserID && contains && (f.Names == nil || slices.Contains(f.Names, name)) && !ts.Before(f.Since) && (f.Until.IsZero() || ts.Before(f.Until)) {
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(b[:], a[:]) })
	if f.Ascending {
		slices.Reverse(ids)
	}
	return ids
}

// Whatever was stored, late or not, pruned, indexed or not yet, a timeline is what reading all events gives.
func TestATimelineIsThatOfAllEventsAtEveryStep(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, r := newWorld(pool), NewReader(replica.Without(pool), time.Minute)
	project, other := newLimited(t, pool, 0), newLimited(t, pool, 0)
	random := rand.New(rand.NewPCG(5, 6))
	at := time.Date(2026, 9, 20, 0, 0, 0, 0, time.UTC)
	start := at
	const people = 12
	indexed := map[string]bool{}
	for step := range 60 {
		at = at.Add(time.Duration(random.Int64N(int64(48 * time.Hour))))
		switch random.IntN(6) {
		case 0, 1, 2: // as it comes, and some of it much too late
			seen(t, s, random, project, 300, people, at.Add(-24*time.Hour), at)
			seen(t, s, random, project, 30, people, start.AddDate(0, -2, 0), at)
			seen(t, s, random, other, 30, people, at.Add(-24*time.Hour), at)
		case 3:
			if err := s.IndexPeople(t.Context(), at); err != nil {
				t.Fatal(err)
			}
		case 4:
			if err := s.SummarisePeople(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 5:
			execute(t, pool, `UPDATE projects SET data_retention_days = 30 WHERE id = $1`, project)
			if err := s.Prune(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			execute(t, pool, `UPDATE projects SET data_retention_days = 0`)
			execute(t, pool, `VACUUM events`) // so that what comes next is stored in blocks that are summarised already
		}
		valid, err := s.personIndexes(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		for name := range valid {
			indexed[name] = true
		}
		for range 4 {
			user := fmt.Sprintf("user_%d", random.IntN(people+1))
			f := Filter{ProjectID: project, UserID: &user, Limit: 1 + random.IntN(60), Ascending: random.IntN(3) == 0}
			if random.IntN(2) == 0 {
				f.Since = start.Add(time.Duration(random.Int64N(int64(at.Sub(start) + 1))))
				f.Until = f.Since.Add(time.Duration(1 + random.Int64N(int64(20*24*time.Hour))))
			}
			if random.IntN(3) == 0 {
				f.Names = []string{"a"}
			}
			if random.IntN(3) == 0 {
				f.Props = []byte(`{"n": 1}`)
			}
			if got, want := everything(t, r, f), oracle(t, pool, &f); !slices.Equal(got, want) {
				t.Fatalf("step %d, %+v: %d events, want %d", step, f, len(got), len(want))
			}
		}
	}
	for _, name := range []string{"events_202609_people", "events_202610_people_08", "events_202610_people", "events_202611_recent"} {
		if !indexed[name] {
			t.Errorf("%s was never there: too little was tested", name)
		}
	}
}

// An event whose storing was answered is in the timeline that is read after that, while the indexes are built.
func TestATimelineHasWhatWasStoredBeforeItWhileIndexesAreBuilt(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 0)
	from, now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	const writers, rounds, enough = 3, 25, 3
	var writing sync.WaitGroup
	var builds atomic.Int64 // beside the writes
	for writer := range writers {
		writing.Go(func() {
			s, r, random := newWorld(pool), NewReader(replica.Without(pool), time.Minute), rand.New(rand.NewPCG(7, uint64(writer)))
			user := fmt.Sprintf("writer_%d", writer)
			stored := map[uuid.UUID]bool{}
			for round := 0; round < rounds || builds.Load() < enough && !t.Failed(); round++ {
				writes := make([]*ingest.Row, 100)
				for k := range writes {
					writes[k] = rowAt(project, strconv.FormatUint(random.Uint64(), 36), from.Add(time.Duration(random.Int64N(int64(now.Sub(from))))))
					writes[k].UserID = user
				}
				if err := s.Append(t.Context(), writes); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				for _, w := range writes {
					stored[w.ID] = true
				}
				got := 0
				for _, id := range everything(t, r, Filter{ProjectID: project, UserID: &user, Limit: 1000}) {
					if stored[id] {
						got++
					}
				}
				if got != len(stored) {
					t.Errorf("%s: %d events of %d that are stored", user, got, len(stored))
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for {
		if err := s.IndexPeople(t.Context(), now); err != nil {
			t.Errorf("index: %v", err)
		}
		if err := s.SummarisePeople(t.Context()); err != nil {
			t.Errorf("summarise: %v", err)
		}
		builds.Add(1)
		select {
		case <-done:
			return
		default:
		}
		valid, err := s.personIndexes(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		for name := range valid {
			if _, err := pool.Exec(t.Context(), "DROP INDEX CONCURRENTLY IF EXISTS "+name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestABuildThatWasCutOffIsDroppedAndDoneAnew(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 0)
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	seen(t, s, rand.New(rand.NewPCG(1, 2)), project, 500, 3, now.AddDate(0, 0, -40), now)
	reader, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback(context.Background())
	if _, err := reader.Exec(t.Context(), "LOCK TABLE events_202611 IN ROW EXCLUSIVE MODE"); err != nil { // as a flush does
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cutOff := make(chan error, 1)
	go func() { cutOff <- s.IndexPeople(ctx, now) }()
	const invalid = `SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relname LIKE 'events\_2026%'`
	nimbustest.Eventually(t, "a build begins", func() bool { return count(t, pool, invalid) > 0 })
	cancel()
	if err := <-cutOff; err == nil {
		t.Fatal("a build that was cut off has no error")
	}
	user := "user_1"
	f := Filter{ProjectID: project, UserID: &user, Limit: 1000}
	if got, want := everything(t, NewReader(replica.Without(pool), time.Minute), f), oracle(t, pool, &f); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("beside half an index: %d events, want %d", len(got), len(want))
	}
	if err := reader.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.IndexPeople(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, invalid); n != 0 {
		t.Errorf("%d indexes that cannot be used", n)
	}
	if got, want := everything(t, NewReader(replica.Without(pool), time.Minute), f), oracle(t, pool, &f); !slices.Equal(got, want) {
		t.Errorf("at the end: %d events, want %d", len(got), len(want))
	}
}

func TestWeeksOfAMonthAreReplacedByTheMonth(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := newWorld(pool)
	execute(t, pool, `SELECT ensure_event_partition('2026-02-01Z')`)
	for _, c := range []struct{ now, want string }{
		{"2026-02-01T00:00:00Z", "events_202602_recent"},
		{"2026-02-08T00:59:59Z", "events_202602_recent"},
		{"2026-02-08T01:00:00Z", "events_202602_people_01 events_202602_recent"},
		{"2026-02-28T23:00:00Z", "events_202602_people_01 events_202602_people_08 events_202602_people_15 events_202602_recent"},
		{"2026-03-01T01:00:00Z", "events_202602_people"},
		{"2027-03-01T01:00:00Z", "events_202602_people"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.IndexPeople(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		valid, err := s.personIndexes(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for name, ok := range valid {
			if !ok {
				t.Errorf("%s: %s cannot be used", c.now, name)
			}
			have = append(have, name)
		}
		slices.Sort(have)
		if got := strings.Join(have, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.now, got, c.want)
		}
	}
}

// An end before 1970 has no id: taken for one, it would be greater than all others, and every event would be looked at.
func TestAListThatEndsBeforeThereAreIDsReadsNothing(t *testing.T) {
	t.Parallel()
	for _, until := range []time.Time{time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Unix(-1, 0), events.Beginning} {
		if f := (&Filter{Until: until}).bounded(); !f.span().empty() {
			t.Errorf("until %s the ids %v are read", until, f.span())
		}
	}
}

// The pieces follow each other without gap or overlap from the first id to the last, whichever indexes there are.
func TestPiecesAreAllIDs(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 500 {
		valid := map[string]bool{"events_202603_people_99": true, "events_2026_people": true}
		for m := range 6 {
			of := partitions.Month(first.AddDate(0, m, 0))
			for _, day := range append([]int{blocks, 0}, weekDays...) {
				if random.IntN(3) == 0 {
					valid[newPersonIndex(of, day).name()] = random.IntN(4) > 0
				}
			}
		}
		at := events.FirstID(events.Beginning)
		for _, p := range pieces(valid) {
			if p.from != at {
				t.Fatalf("%v: a piece begins at %v, want %v", valid, events.TimeOf(p.from), events.TimeOf(at))
			}
			at = p.to
		}
		if at != events.FirstID(events.End) {
			t.Fatalf("%v: the pieces end at %v", valid, events.TimeOf(at))
		}
	}
}

// statements records what is asked, settings included.
type statements struct {
	mu  sync.Mutex
	all []pgx.TraceQueryStartData
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	s.all = append(s.all, data)
	s.mu.Unlock()
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// explain runs what List asks for a filter again, in its own settings, and returns the plans.
func explain(t *testing.T, pool *pgxpool.Pool, f *Filter) string {
	t.Helper()
	asked := &statements{}
	config := pool.Config()
	config.ConnConfig.Tracer = asked
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	if _, err := NewReader(replica.Without(traced), time.Minute).List(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	var plans []string
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		// To PostgreSQL a setting like any other.
		if _, err := tx.Exec(t.Context(), "SET LOCAL citus.explain_all_tasks = on"); err != nil {
			return err
		}
		for _, q := range asked.all {
			if _, settings, ok := strings.Cut(q.SQL, "READ ONLY;"); ok {
				q.SQL = settings
			}
			if strings.HasPrefix(strings.TrimSpace(q.SQL), "SET LOCAL") {
				if _, err := tx.Exec(t.Context(), q.SQL); err != nil {
					return err
				}
			}
			if !strings.Contains(q.SQL, "FROM events e") {
				continue
			}
			rows, err := tx.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+q.SQL, q.Args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			plans = append(plans, strings.Join(lines, "\n"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plans, "\n\n")
}

var (
	removed = regexp.MustCompile(`Rows Removed by (?:Filter|Index Recheck): (\d+)`)
	// scanned is a table that was read from its events.Beginning and had something. One that has nothing may be read as it is.
	scanned = regexp.MustCompile(`Seq Scan on .*\(actual rows=[1-9]`)
)

func TestATimelineIsNotSearchedFor(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 0)
	random := rand.New(rand.NewPCG(8, 9))
	now := time.Date(2026, 11, 14, 0, 0, 0, 0, time.UTC)
	const days, perDay = 44, 1500
	for day := range days { // in the order of time, each hour other people, as they come
		for hour := range 24 {
			at := now.AddDate(0, 0, day-days).Add(time.Duration(hour) * time.Hour)
			writes := make([]*ingest.Row, perDay/24)
			for k := range writes {
				writes[k] = rowAt(project, strconv.FormatUint(random.Uint64(), 36), at.Add(time.Duration(random.Int64N(int64(time.Hour)))))
				writes[k].UserID = fmt.Sprintf("user_%d", (day*24+hour)%500)
			}
			if err := s.Append(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmp.Or(s.IndexPeople(t.Context(), now), s.SummarisePeople(t.Context())); err != nil {
		t.Fatal(err)
	}
	execute(t, pool, "ANALYZE events")
	user := "user_7"
	for _, ascending := range []bool{false, true} {
		plan := explain(t, pool, &Filter{ProjectID: project, UserID: &user, Limit: 1000, Ascending: ascending})
		for _, index := range []string{"events_202610_people", "events_202611_people_01", "events_202611_recent"} {
			if !strings.Contains(plan, " "+index) {
				t.Errorf("ascending %v: %s is not used\n%s", ascending, index, plan)
			}
		}
		searched := 0
		for _, m := range removed.FindAllStringSubmatch(plan, -1) {
			n, _ := strconv.Atoi(m[1])
			searched += n
		}
		if searched > 6*newestFirst || scanned.MatchString(plan) {
			t.Errorf("ascending %v: %d of %d events were searched\n%s", ascending, searched, days*perDay, plan)
		}
	}
}
