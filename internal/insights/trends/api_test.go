package trends_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/trends"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

var (
	now     = time.Date(2026, 1, 15, 10, 30, 15, 0, time.UTC)
	project = uuid.MustParse("018f0000-0000-7000-8000-000000000001")
	other   = uuid.MustParse("018f0000-0000-7000-8000-000000000002")
)

// limits are far from what a test asks for.
var limits = query.Limits{Timeout: time.Minute, MaxEvents: 1_000_000}

// home is a project that says nothing.
func home(context.Context, uuid.UUID) (query.Home, error) { return query.Home{}, nil }

type bench struct {
	pool *pgxpool.Pool
	api  *trends.API
}

func setup(t testing.TB) *bench {
	t.Helper()
	b := &bench{pool: nimbustest.DB(t)}
	b.api = trends.NewAPI(trends.New(trends.Options{Reads: replica.Without(b.pool), Limits: limits, Home: home, Now: func() time.Time { return now }}))
	return b
}

// refused reports whether the error is the caller's to mend.
func refused(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) && problem.KindOf(p.Code).Status < 500
}

// store counts n events of a name at each of the times.
func (b *bench) store(t testing.TB, projectID uuid.UUID, name string, n int, times ...time.Time) {
	t.Helper()
	var counts rollups.Counts
	for _, ts := range times {
		for range n {
			counts.Add(projectID, name, ts)
		}
	}
	b.apply(t, &counts)
}

func (b *bench) apply(t testing.TB, counts *rollups.Counts) {
	t.Helper()
	err := postgres.InTx(t.Context(), b.pool, func(tx pgx.Tx) error { return rollups.Apply(t.Context(), tx, counts) })
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) query(t testing.TB, p api.QueryMetricsParams) api.MetricsResult {
	t.Helper()
	if p.ProjectID == uuid.Nil {
		p.ProjectID = project
	}
	reply, err := b.api.QueryMetrics(t.Context(), api.QueryMetricsRequestObject{Params: p})
	if err != nil {
		t.Fatal(err)
	}
	result := api.MetricsResult(reply.(api.QueryMetrics200JSONResponse))
	checkReply(t, result)
	return result
}

// checkReply holds every reply to what is true of all of them.
func checkReply(t testing.TB, r api.MetricsResult) {
	t.Helper()
	if r.Metric != "events.count" || !r.Meta.Exact || r.Meta.Source != api.SourceRollup || r.Meta.Definition != trends.Count.Definition("") {
		t.Errorf("metric %q, meta %+v", r.Metric, r.Meta)
	}
	if total(r.Series) != *r.Total || !r.Series[0].TS.Equal(r.From) || !r.Series[len(r.Series)-1].TS.Before(r.To) {
		t.Errorf("total %v, from %v, to %v do not fit the series %v", r.Total, r.From, r.To, r.Series)
	}
	if len(r.Groups) == 0 {
		return
	}
	rest := slices.Clone(r.Series)
	for i, g := range r.Groups {
		if total(g.Series) != *g.Total || *g.Total == 0 || g.Other != (g.Value == nil) || g.Other && i != len(r.Groups)-1 {
			t.Errorf("group %d: %+v", i, g)
		}
		for j, p := range g.Series {
			if !p.TS.Equal(rest[j].TS) {
				t.Fatalf("group %d: point %d is at %v, not %v", i, j, p.TS, rest[j].TS)
			}
			left := *rest[j].Value - *p.Value
			rest[j].Value = &left
		}
	}
	for _, p := range rest {
		if *p.Value != 0 {
			t.Errorf("the groups lack %v of the total at %v", *p.Value, p.TS)
		}
	}
}

func total(series []api.Point) (sum float64) {
	for _, p := range series {
		sum += *p.Value
	}
	return sum
}

func values(series []api.Point) (v []float64) {
	for _, p := range series {
		v = append(v, *p.Value)
	}
	return v
}

func ptr[T any](v T) *T { return &v }

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// every returns the times from one to another, at distance step.
func every(from, to time.Time, step time.Duration) (times []time.Time) {
	for at := from; at.Before(to); at = at.Add(step) {
		times = append(times, at)
	}
	return times
}

func TestADayOfTheClockChangeHas23Or25Hours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		from, to string // of the local day, in UTC
		hours    int
		repeated string
	}{
		{"2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z", 23, ""},
		{"2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z", 25, "2025-10-26T02:00:00"},
	} {
		from, to := utc(c.from), utc(c.to)
		b.store(t, project, "tick", 1, every(from.Add(-26*time.Hour), to.Add(26*time.Hour), 20*time.Minute)...)

		days := b.query(t, api.QueryMetricsParams{Bucket: ptr(api.Bucket1D), Tz: ptr("Europe/Berlin"), From: &from, To: &to})
		if got := values(days.Series); !slices.Equal(got, []float64{float64(3 * c.hours)}) {
			t.Errorf("the day of %s counts %v, want %d", c.from, got, 3*c.hours)
		}
		hours := b.query(t, api.QueryMetricsParams{Bucket: ptr(api.Bucket1H), Tz: ptr("Europe/Berlin"), From: &from, To: &to})
		if len(hours.Series) != c.hours {
			t.Errorf("the day of %s has %d hours, want %d", c.from, len(hours.Series), c.hours)
		}
		var repeated []string
		for _, p := range hours.Series {
			if *p.Value != 3 {
				t.Errorf("%v counts %v, want 3", p.TS, *p.Value)
			}
			if s := p.TS.Format(time.RFC3339); c.repeated != "" && strings.HasPrefix(s, c.repeated) {
				repeated = append(repeated, s[len(c.repeated):])
			}
		}
		if c.repeated != "" && !slices.Equal(repeated, []string{"+02:00", "+01:00"}) {
			t.Errorf("the repeated hour is %v, want it twice", repeated)
		}
	}
}

func TestADayOfAQuarterHourZoneEndsAtItsOwnMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	midnight := utc("2026-01-09T18:15:00Z") // in Kathmandu
	b.store(t, project, "tick", 1, midnight.Add(-time.Minute), midnight, midnight.Add(24*time.Hour-time.Minute), midnight.Add(24*time.Hour))
	r := b.query(t, api.QueryMetricsParams{Bucket: ptr(api.Bucket1D), Tz: ptr("Asia/Kathmandu"),
		From: ptr(midnight.Add(-24 * time.Hour)), To: ptr(midnight.Add(48 * time.Hour))})
	if got := values(r.Series); !slices.Equal(got, []float64{1, 2, 1}) {
		t.Errorf("days: %v", got)
	}
	if got := r.Series[1].TS.Format(time.RFC3339); got != "2026-01-10T00:00:00+05:45" {
		t.Errorf("ts %s", got)
	}
	r = b.query(t, api.QueryMetricsParams{Bucket: ptr(api.Bucket1H), Tz: ptr("Asia/Kathmandu"),
		From: ptr(midnight.Add(-time.Hour)), To: ptr(midnight.Add(time.Hour))})
	if got := values(r.Series); !slices.Equal(got, []float64{1, 1}) {
		t.Errorf("hours: %v", got)
	}
}

func TestAMonthOfNewYorkEndsAtItsOwnMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	march, april := utc("2025-03-01T05:00:00Z"), utc("2025-04-01T04:00:00Z") // the clocks change in between
	b.store(t, project, "tick", 2, march.Add(-time.Second), march, april.Add(-time.Second), april)
	b.store(t, project, "tick", 1, every(march, april, time.Hour)...)
	r := b.query(t, api.QueryMetricsParams{Bucket: ptr(api.Bucket1Mo), Tz: ptr("America/New_York"),
		From: ptr(march.Add(-time.Hour)), To: ptr(april.Add(time.Hour))})
	if got := values(r.Series); !slices.Equal(got, []float64{2, 4 + 743, 2}) {
		t.Errorf("months: %v", got)
	}
}

func TestEveryBucketCountsTheSameEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	random := rand.New(rand.NewPCG(1, 1))
	from := now.Add(-40 * 24 * time.Hour)
	var counts rollups.Counts
	var events []time.Time
	for range 5000 {
		ts := from.Add(time.Duration(random.Int64N(int64(now.Sub(from)))))
		events = append(events, ts)
		counts.Add(project, fmt.Sprint("name", random.IntN(5)), ts)
		counts.Add(other, "name1", ts)
	}
	b.apply(t, &counts)
	for _, tz := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"} {
		for _, bucket := range []api.Bucket{api.Bucket1M, api.Bucket5M, api.Bucket15M, api.Bucket1H, api.Bucket1D, api.Bucket1W, api.Bucket1Mo} {
			start := from.Add(36 * time.Hour)
			if bucket == api.Bucket1M || bucket == api.Bucket5M { // 10,000 buckets at most
				start = now.Add(-99 * time.Hour)
			}
			r := b.query(t, api.QueryMetricsParams{Bucket: &bucket, Tz: &tz, From: &start})
			want := make([]float64, len(r.Series))
			for _, ts := range events {
				i, exact := slices.BinarySearchFunc(r.Series, ts, func(p api.Point, ts time.Time) int { return p.TS.Compare(ts) })
				if !exact {
					i--
				}
				if i >= 0 && ts.Before(r.To) {
					want[i]++
				}
			}
			if !slices.Equal(values(r.Series), want) {
				t.Errorf("%s in %s: %v, want %v", bucket, tz, values(r.Series), want)
			}
		}
	}
}

func TestNamesAreCountedTogetherAndOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hour := now.Truncate(time.Hour)
	b.store(t, project, "a", 1, hour, hour.Add(time.Minute))
	b.store(t, project, "b", 5, hour)
	b.store(t, project, "c", 7, hour.Add(-time.Hour))
	b.store(t, other, "a", 100, hour)
	for _, c := range []struct {
		names []string
		want  []float64
	}{
		{nil, []float64{0, 7, 7}},
		{[]string{}, []float64{0, 7, 7}},
		{[]string{"a"}, []float64{0, 0, 2}},
		{[]string{"b", "a", "b", "a"}, []float64{0, 0, 7}},
		{[]string{"c", "nothing"}, []float64{0, 7, 0}},
		{[]string{"nothing"}, []float64{0, 0, 0}},
		{[]string{"A", "%", "' OR true --"}, []float64{0, 0, 0}},
	} {
		r := b.query(t, api.QueryMetricsParams{Name: c.names, Limit: ptr(int32(3))})
		if got := values(r.Series); !slices.Equal(got, c.want) || len(r.Groups) != 0 {
			t.Errorf("%q: %v with %d groups, want %v", c.names, got, len(r.Groups), c.want)
		}
	}
}

func TestABreakdownShowsTheLargestAndTheRestTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hour := now.Truncate(time.Hour)
	b.store(t, project, "small", 1, hour)
	b.store(t, project, "tie_b", 3, hour)
	b.store(t, project, "tie_a", 1, hour, hour.Add(-time.Hour), hour.Add(-30*time.Minute))
	b.store(t, project, "large", 9, hour.Add(-time.Hour))
	b.store(t, project, "past", 99, hour.Add(-48*time.Hour))
	for _, c := range []struct {
		name  string
		top   *int32
		names []string
		want  []string // name, total and series of each group
	}{
		{"everything", nil, nil, []string{"large 9 [9 0]", "tie_a 3 [2 1]", "tie_b 3 [0 3]", "small 1 [0 1]"}},
		{"exactly as many", ptr(int32(4)), nil, []string{"large 9 [9 0]", "tie_a 3 [2 1]", "tie_b 3 [0 3]", "small 1 [0 1]"}},
		{"a rest", ptr(int32(2)), nil, []string{"large 9 [9 0]", "tie_a 3 [2 1]", "other 4 [0 4]"}},
		{"one", ptr(int32(1)), nil, []string{"large 9 [9 0]", "other 7 [2 5]"}},
		{"some names", nil, []string{"small", "tie_b", "small", "past", "none"}, []string{"tie_b 3 [0 3]", "small 1 [0 1]"}},
		{"a rest of some names", ptr(int32(1)), []string{"small", "tie_b"}, []string{"tie_b 3 [0 3]", "other 1 [0 1]"}},
		{"nothing", nil, []string{"none"}, nil},
	} {
		r := b.query(t, api.QueryMetricsParams{Breakdown: ptr(api.BreakdownName), Top: c.top, Name: c.names, Limit: ptr(int32(2))})
		var got []string
		for _, g := range r.Groups {
			name := "other"
			if g.Value != nil {
				name = *g.Value
			}
			got = append(got, fmt.Sprint(name, " ", *g.Total, " ", values(g.Series)))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestABreakdownOfManyNamesIsReadInParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var counts rollups.Counts
	for i := range 2500 {
		for range 1 + i%3 {
			counts.Add(project, fmt.Sprintf("name_%04d", i), now.Add(-time.Duration(i)*time.Minute))
		}
	}
	b.apply(t, &counts)
	from := now.Add(-2500 * time.Minute)
	r := b.query(t, api.QueryMetricsParams{Breakdown: ptr(api.BreakdownName), Top: ptr(int32(3)), From: &from})
	var names []string
	for _, g := range r.Groups[:3] {
		names = append(names, *g.Value)
	}
	if !slices.Equal(names, []string{"name_0002", "name_0005", "name_0008"}) || len(r.Groups) != 4 || *r.Total != 4999 {
		t.Errorf("%v, %d groups, total %v", names, len(r.Groups), *r.Total)
	}
}

func TestABucketThatIsNotOverIsMarked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, project, "signup", 2, now.Add(-time.Hour))
	b.store(t, project, "signup", 1, now)
	reply, err := b.api.QueryMetrics(t.Context(), api.QueryMetricsRequestObject{Params: api.QueryMetricsParams{
		ProjectID: project, Limit: ptr(int32(2)), Tz: ptr("Europe/Berlin"), Breakdown: ptr(api.BreakdownName)}})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	if err := reply.VisitQueryMetricsResponse(recorder); err != nil {
		t.Fatal(err)
	}
	want := `{"bucket":"1h","from":"2026-01-15T10:00:00+01:00",` +
		`"groups":[{"other":false,"series":[{"ts":"2026-01-15T10:00:00+01:00","value":2},{"ts":"2026-01-15T11:00:00+01:00","value":1}],"total":3,"value":"signup"}],` +
		`"meta":{"definition":"` + trends.Count.Definition("") + `","exact":true,"incomplete_from":"2026-01-15T11:00:00+01:00","source":"rollup","took_ms":0},` +
		`"metric":"events.count","series":[{"ts":"2026-01-15T10:00:00+01:00","value":2},{"ts":"2026-01-15T11:00:00+01:00","value":1}],` +
		`"to":"2026-01-15T12:00:00+01:00","total":3,"tz":"Europe/Berlin","week_start":"monday"}`
	if got := strings.TrimSpace(recorder.Body.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	over := b.query(t, api.QueryMetricsParams{From: ptr(now.Add(-3 * time.Hour)), To: ptr(now.Truncate(time.Hour))})
	if over.Meta.IncompleteFrom != nil {
		t.Errorf("everything is over, but incomplete from %v", over.Meta.IncompleteFrom)
	}
	future := b.query(t, api.QueryMetricsParams{From: ptr(now.Add(3 * time.Hour)), To: ptr(now.Add(5 * time.Hour))})
	if future.Meta.IncompleteFrom == nil || !future.Meta.IncompleteFrom.Equal(future.From) || *future.Total != 0 {
		t.Errorf("the future is incomplete from its start: %+v", future.Meta)
	}
}

func TestABadQuestionIsAProblemOfItsParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, p := range []api.QueryMetricsParams{
		{ProjectID: project, Tz: ptr("Local")},
		{ProjectID: project, Limit: ptr(int32(5)), To: &now},
		{ProjectID: project, To: &now},
		{ProjectID: project, Limit: ptr(int32(9000)), Breakdown: ptr(api.BreakdownName)},
	} {
		_, err := b.api.QueryMetrics(t.Context(), api.QueryMetricsRequestObject{Params: p})
		var bad *problem.Error
		if !errors.As(err, &bad) || bad.Code != problem.CodeValidation || len(bad.Fields) != 1 {
			t.Errorf("%+v: %v, want one bad field", p, err)
		}
	}
}

func TestADatabaseThatIsAwayIsAnErrorAndNotZeros(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	for _, p := range []api.QueryMetricsParams{{ProjectID: project}, {ProjectID: project, Breakdown: ptr(api.BreakdownName)}} {
		reply, err := b.api.QueryMetrics(t.Context(), api.QueryMetricsRequestObject{Params: p})
		if err == nil || reply != nil {
			t.Errorf("reply %v, error %v", reply, err)
		}
	}
}

// BenchmarkQuery is a whole question: 720 hours of one of three zones from a table of 60 days with an event in every minute.
func BenchmarkQuery(b *testing.B) {
	env := setup(b)
	var counts rollups.Counts
	for i, ts := range every(now.Add(-60*24*time.Hour), now, time.Minute) {
		counts.Add(project, fmt.Sprint("name", i%20), ts)
	}
	env.apply(b, &counts)
	for _, tz := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu"} {
		for name, breakdown := range map[string]*api.Breakdown{"total": nil, "by name": ptr(api.BreakdownName)} {
			b.Run(tz+"/"+name, func(b *testing.B) {
				for b.Loop() {
					env.query(b, api.QueryMetricsParams{Tz: &tz, Limit: ptr(int32(720)), Breakdown: breakdown})
				}
			})
		}
	}
}
