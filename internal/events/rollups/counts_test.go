package rollups_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events/rollups"
)

// rowKey is the primary key of event_counts.
type rowKey struct {
	projectID   uuid.UUID
	granularity int32
	name        string
	bucket      int64
}

// reference counts by the definition, one event at a time.
type reference map[rowKey]int64

func (r reference) add(projectID uuid.UUID, name string, ts time.Time) {
	for _, seconds := range []int64{60, 3600, 86400} {
		bucket := ts.Unix()
		for bucket%seconds != 0 {
			bucket-- // towards the past on either side of 1970
		}
		r[rowKey{projectID, int32(seconds), name, bucket}]++
		r[rowKey{projectID, int32(seconds), "", bucket}]++
	}
}

func compareRows(a, b rollups.Row) int {
	return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), cmp.Compare(a.Granularity, b.Granularity),
		cmp.Compare(a.Name, b.Name), a.Bucket.Compare(b.Bucket))
}

func TestRowsAreThoseOfABruteForceCount(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var counts rollups.Counts
		projects := make([]uuid.UUID, 1+random.IntN(3))
		for i := range projects {
			projects[i] = randomID(random)
		}
		names := []string{"a", "b", "page_view", "page", "é", "a\x1f60", "Z"}[:1+random.IntN(7)]
		span := []int64{1, 90, 4000, 200_000, 4_000_000}[random.IntN(5)]
		origin := []int64{0, -span / 2, 31536000, 1_767_225_600}[random.IntN(4)]
		want := reference{}
		for range random.IntN(400) {
			projectID := projects[random.IntN(len(projects))]
			name := names[random.IntN(len(names))]
			ts := time.Unix(origin+random.Int64N(span), random.Int64N(1e9))
			for range 1 + random.IntN(3) { // runs of the same group take the short path
				counts.Add(projectID, name, ts)
				want.add(projectID, name, ts)
			}
		}

		rows := counts.Rows()
		if counts.Empty() != (len(want) == 0) {
			t.Fatalf("round %d: Empty() = %v with %d rows expected", round, counts.Empty(), len(want))
		}
		if len(rows) != len(want) {
			t.Fatalf("round %d: %d rows, want %d", round, len(rows), len(want))
		}
		for i, r := range rows {
			key := rowKey{r.ProjectID, r.Granularity, r.Name, r.Bucket.Unix()}
			if r.Count != want[key] {
				t.Fatalf("round %d: %+v, want count %d", round, r, want[key])
			}
			if r.Bucket.Location() != time.UTC || r.Bucket.Nanosecond() != 0 {
				t.Fatalf("round %d: bucket %v is not a whole second of UTC", round, r.Bucket)
			}
			if i > 0 && compareRows(rows[i-1], r) >= 0 {
				t.Fatalf("round %d: row %d is not after the one before: %+v, %+v", round, i, rows[i-1], r)
			}
		}
	}
}

func TestAnEventIsCountedByNameAndInTotalAtEachGranularity(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("018f0000-0000-7000-8000-000000000001")
	var counts rollups.Counts
	counts.Add(id, "signup", time.Date(2026, 3, 29, 3, 4, 5, 6, time.FixedZone("CEST", 7200)))
	day := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	hour, minute := day.Add(time.Hour), day.Add(time.Hour+4*time.Minute)
	want := []rollups.Row{
		{id, 60, "", minute, 1}, {id, 60, "signup", minute, 1},
		{id, 3600, "", hour, 1}, {id, 3600, "signup", hour, 1},
		{id, 86400, "", day, 1}, {id, 86400, "signup", day, 1},
	}
	if got := counts.Rows(); !slices.Equal(got, want) {
		t.Errorf("Rows() = %v, want %v", got, want)
	}
}

func TestAddAllocatesNothingForWhatItHasCountedBefore(t *testing.T) {
	var counts rollups.Counts
	events := workload(1000)
	fill := func() {
		for _, e := range events {
			counts.Add(e.projectID, e.name, e.ts)
		}
	}
	fill()
	if n := testing.AllocsPerRun(20, fill); n != 0 {
		t.Errorf("%v allocations per 1000 events, want none", n)
	}
}

func randomID(random *rand.Rand) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(random.IntN(256))
	}
	return id
}

type event struct {
	projectID uuid.UUID
	name      string
	ts        time.Time
}

// workload is what a flush sees: two projects, 20 names, the last three minutes.
func workload(n int) []event {
	random := rand.New(rand.NewPCG(3, 4))
	projects := []uuid.UUID{randomID(random), randomID(random)}
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	events := make([]event, n)
	for i := range events {
		events[i] = event{projects[random.IntN(2)], fmt.Sprintf("event_name_%02d", random.IntN(20)),
			now.Add(-time.Duration(random.Int64N(int64(3 * time.Minute))))}
	}
	return events
}

// BenchmarkAdd is the cost of one event whose group is known, in an order without any runs.
func BenchmarkAdd(b *testing.B) {
	events := workload(4096)
	var counts rollups.Counts
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := &events[i&4095]
		counts.Add(e.projectID, e.name, e.ts)
	}
}

// BenchmarkRows is what one flush of 1000 and the worst flush (an import: each event its own minute) cost.
func BenchmarkRows(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("live/%d", n), func(b *testing.B) { benchmarkRows(b, workload(n)) })
		spread := workload(n)
		for i := range spread {
			spread[i].ts = spread[i].ts.Add(-time.Duration(i) * time.Minute)
		}
		b.Run(fmt.Sprintf("import/%d", n), func(b *testing.B) { benchmarkRows(b, spread) })
	}
}

func benchmarkRows(b *testing.B, events []event) {
	var counts rollups.Counts
	for _, e := range events {
		counts.Add(e.projectID, e.name, e.ts)
	}
	b.ReportAllocs()
	for b.Loop() {
		counts.Rows()
	}
}
