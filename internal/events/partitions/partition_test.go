package partitions

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func TestPrepareMakesPartitionsForOneRequestAtATime(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewSet(pool)
	prepare := func(ctx context.Context, from, to int) error {
		return s.Prepare(ctx, time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC), to-from+1, func(k int) time.Time { return time.Date(from+k, 1, 15, 0, 0, 0, 0, time.UTC) })
	}
	made := func() int { return len(list(t, s)) }
	if err := prepare(t.Context(), 1971, 1973); err != nil || made() != 3 {
		t.Fatalf("%d partitions, %v; want 3", made(), err)
	}
	s.making <- struct{}{} // another request
	if err := prepare(t.Context(), 1971, 1973); err != nil {
		t.Errorf("what needs nothing: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := prepare(gone, 1973, 1974); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that goes away while it waits: %v", err)
	}
	<-s.making
	if err := prepare(t.Context(), 1973, 1974); err != nil || made() != 4 {
		t.Errorf("%d partitions, %v; want 4", made(), err)
	}
}

// The floor in SQL decides the partition and the one in Go the range of a query: they must be the same.
func TestTheFloorOfIDsIsTheSameInSQL(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for _, ts := range []time.Time{events.Beginning, time.Date(2026, 1, 15, 10, 30, 0, 1_000_000, time.UTC), time.Date(2261, 6, 1, 0, 0, 0, 0, time.UTC)} {
		var got uuid.UUID
		if err := pool.QueryRow(t.Context(), "SELECT event_id_floor($1)", ts).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := events.FirstID(ts); !bytes.Equal(got[:], want[:]) {
			t.Errorf("%s: %s in SQL, %s in Go", ts, got, want)
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
		if got := Month(ts).From.Format("2006-01-02"); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

func list(t *testing.T, s *Set) []Partition {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"events_202402":        "2024-02-01 2024-03-01",
		"events_202412":        "2024-12-01 2025-01-01",
		"events_202401_202501": "2024-01-01 2025-01-01",
		"events_197001_201601": "1970-01-01 2016-01-01",
		// None of a partition.
		"events_202402_202403": "", "events_202402_202402": "", "events_202402_202401": "", "events_202413": "", "events_20240": "",
		"events_202401_2025": "", "events_202402_people": "", "202402": "", "event_counts": "", "": "",
	} {
		p, ok := Parse(name)
		if ok != (want != "") {
			t.Errorf("%q is a partition: %v", name, ok)
			continue
		}
		if got := p.From.Format(time.DateOnly) + " " + p.Until.Format(time.DateOnly); ok && (got != want || p.Name() != name) {
			t.Errorf("%s: %s, named %s; want %s", name, got, p.Name(), want)
		}
	}
}

// What a stranger sends decides which partitions there are, and not how many.
func TestEventsOfHundredsOfMonthsMakeFewPartitions(t *testing.T) {
	t.Parallel()
	s := NewSet(nimbustest.DB(t))
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	first := time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	months := 12 * (2026 - 1971)
	at := func(k int) time.Time { return first.AddDate(0, (k*7919)%months, 14) } // in no order
	if err := s.EnsureAhead(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(t.Context(), now, months, at); err != nil {
		t.Fatal(err)
	}
	if missing := s.missing(months, at); len(missing) > 0 {
		t.Errorf("%d months have no partition: %v", len(missing), missing)
	}
	all := list(t, s)
	if len(all) > 3+12+12+10+1 {
		t.Errorf("%d partitions: %v", len(all), all)
	}
	for name, want := range map[string]time.Time{"events_202611": now, "events_202501": now.AddDate(-1, -10, 0),
		"events_202401_202501": now.AddDate(-2, 0, 0), "events_201501_201601": now.AddDate(-11, 0, 0), "events_197001_201501": now.AddDate(-12, 0, 0)} {
		if p, ok := Parse(name); !ok || !p.Holds(want) || !slices.Contains(all, p) {
			t.Errorf("%s is not there for %s: %v", name, want, all)
		}
	}
}

// Clocks differ between nodes and versions between releases: whatever was made before, each time has one partition.
func TestPartitionsFitTogetherInAnyOrder(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewSet(pool)
	random := rand.New(rand.NewPCG(1, 2))
	for step := range 60 {
		at := time.Date(1971+random.IntN(55), time.Month(1+random.IntN(12)), 1+random.IntN(28), random.IntN(24), 0, 0, 0, time.UTC)
		var err error
		switch random.IntN(4) {
		case 0: // a node of the version before
			_, err = pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", at)
		case 1:
			now := at.AddDate(random.IntN(4), 0, 0)
			err = s.Ensure(t.Context(), now, 1, func(int) time.Time { return at })
		default:
			s.Forget()
			err = s.Ensure(t.Context(), time.Date(1985+random.IntN(42), 6, 1, 0, 0, 0, 0, time.UTC), 1, func(int) time.Time { return at })
		}
		if err != nil {
			t.Fatalf("step %d, %s: %v", step, at, err)
		}
		all := list(t, s)
		of := 0
		for k, p := range all {
			if k > 0 && p.From.Before(all[k-1].Until) {
				t.Fatalf("step %d: %v and %v hold the same time", step, all[k-1], p)
			}
			if p.Holds(at) {
				of++
			}
		}
		if of != 1 {
			t.Fatalf("step %d: %d partitions hold %s: %v", step, of, at, all)
		}
		// What PostgreSQL does with an event is what the names say.
		var table string
		if err := pool.QueryRow(t.Context(), `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
			VALUES (gen_random_uuid(), $1, $2, now(), 0, 'e', '{}') RETURNING tableoid::regclass::text`, events.FirstID(at), at).Scan(&table); err != nil {
			t.Fatalf("step %d, an event of %s: %v", step, at, err)
		}
		if p, ok := Parse(table); !ok || !p.Holds(at) {
			t.Fatalf("step %d: an event of %s is in %s", step, at, table)
		}
	}
}

// Versions before made a partition of each month: they become few, no event is lost, and writing goes on meanwhile.
func TestOldPartitionsOfFewEventsAreMerged(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	const months = 12*4 + 12*2 // four old years and two of late
	month := func(m int) time.Time {
		if m < 48 {
			return time.Date(1971, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC)
		}
		return time.Date(2023, time.Month(1+m-48), 1, 0, 0, 0, 0, time.UTC)
	}
	for m := range months {
		at := month(m).AddDate(0, 0, 19)
		if _, err := pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", at); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
			VALUES (gen_random_uuid(), $1, $2, now(), 0, 'e', '{}')`, events.FirstID(at), at); err != nil {
			t.Fatal(err)
		}
	}
	stop, written := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { written <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			at := month(n % months).Add(time.Duration(n) * time.Millisecond)
			if _, err := pool.Exec(context.Background(), `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
				VALUES (gen_random_uuid(), $1, $2, now(), 0, 'e', '{}')`, events.FirstID(at), at); err != nil {
				t.Errorf("an event of %s while partitions are merged: %v", at, err)
				return
			}
		}
	}()
	s := NewSet(pool)
	nimbustest.Eventually(t, "the partitions are merged", func() bool {
		if err := s.Tidy(t.Context(), now); err != nil {
			t.Error(err)
			return true
		}
		return len(list(t, s)) == 1+2
	})
	close(stop)
	want := months + <-written
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&n); err != nil || n != want {
		t.Errorf("%d events, %v; want %d", n, err, want)
	}
}

func TestWhatIsMerged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		all  string // names, each with a size in MiB
		want string
	}{
		"nothing":                           {"", ""},
		"one of a kind":                     {"events_197001_201501:1 events_202401_202501:1", ""},
		"months of a year":                  {"events_202403:1 events_202404:1 events_202409:1", "events_202403_202410"},
		"months of two years":               {"events_202311:1 events_202312:1 events_202401:1 events_202402:1", "events_202311_202401 events_202401_202403"},
		"old years":                         {"events_197001_201401:1 events_201401_201501:1 events_201501_201601:1", "events_197001_201501"},
		"months that are new":               {"events_202501:0 events_202502:0 events_202610:0", ""},
		"one that holds the end of a year":  {"events_202301:0 events_202302_202403:0 events_202403:0", ""},
		"no more than four MiB":             {"events_202401:2 events_202402:2 events_202403:2 events_202404:9", "events_202401_202403"},
		"what is large stands by itself":    {"events_202401:9 events_202402:1 events_202403:1", "events_202402_202404"},
		"small ones on both sides of a gap": {"events_199001:0 events_200512:0", "events_199001_200601"},
	} {
		var all []sized
		for _, f := range strings.Fields(c.all) {
			table, size, _ := strings.Cut(f, ":")
			p, ok := Parse(table)
			if !ok {
				t.Fatal(table)
			}
			all = append(all, sized{p, int64(size[0]-'0') << 20})
		}
		var got []string
		for _, p := range mergeable(all, now) {
			got = append(got, p.Name())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
