package trends

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
)

var testNow = time.Date(2026, 1, 15, 10, 30, 15, 123456000, time.UTC)

func at(t testing.TB, s string) *time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return &parsed
}

func TestRangesAreWidenedToWholeBuckets(t *testing.T) {
	t.Parallel()
	ten := 10
	for _, c := range []struct {
		name     string
		ask      Ask
		from, to string
		buckets  int
	}{
		{"24 hours with the running one when nothing is said", Ask{}, "2026-01-14T11:00:00Z", "2026-01-15T11:00:00Z", 24},
		{"the last ten minutes", Ask{Bucket: query.Bucket1m, Limit: &ten}, "2026-01-15T10:21:00Z", "2026-01-15T10:31:00Z", 10},
		{"the last ten months", Ask{Bucket: query.Bucket1mo, Limit: &ten, TZ: "Europe/Berlin"}, "2025-04-01T00:00:00+02:00", "2026-02-01T00:00:00+01:00", 10},
		{"from back, to forward", Ask{From: at(t, "2026-01-01T00:59:59.9Z"), To: at(t, "2026-01-01T03:00:00.000001Z")},
			"2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z", 4},
		{"bounds stay where they are", Ask{From: at(t, "2026-01-01T01:00:00Z"), To: at(t, "2026-01-01T03:00:00Z")},
			"2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z", 2},
		{"within one bucket", Ask{Bucket: query.Bucket1d, From: at(t, "2026-01-01T01:00:00Z"), To: at(t, "2026-01-01T01:00:00.000000001Z")},
			"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 1},
		{"to is now when absent", Ask{From: at(t, "2026-01-15T09:10:00Z")}, "2026-01-15T09:00:00Z", "2026-01-15T11:00:00Z", 2},
		{"the future", Ask{Bucket: query.Bucket1d, From: at(t, "2026-01-20T00:00:00Z"), To: at(t, "2026-01-22T00:00:00Z")},
			"2026-01-20T00:00:00Z", "2026-01-22T00:00:00Z", 2},
		{"the first instant", Ask{Bucket: query.Bucket1w, From: at(t, "1971-01-01T00:00:00Z"), To: at(t, "1971-01-02T00:00:00Z")},
			"1970-12-28T00:00:00Z", "1971-01-04T00:00:00Z", 1},
		{"the last instant", Ask{Bucket: query.Bucket1mo, From: at(t, "2261-12-31T23:00:00Z"), To: at(t, "2262-01-01T00:00:00Z")},
			"2261-12-01T00:00:00Z", "2262-01-01T00:00:00Z", 1},
		{"Liberia since it has whole minutes", Ask{TZ: "Africa/Monrovia", From: at(t, "1972-01-08T00:00:00Z"), To: at(t, "1972-01-08T01:00:00Z")},
			"1972-01-08T00:00:00Z", "1972-01-08T01:00:00Z", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := Resolve(&c.ask, testNow)
			if err != nil {
				t.Fatal(err)
			}
			from, to := w.At(0).Format(time.RFC3339), w.At(w.Buckets()).Format(time.RFC3339)
			if from != c.from || to != c.to || w.Buckets() != c.buckets {
				t.Errorf("%d buckets from %s to %s, want %d from %s to %s", w.Buckets(), from, to, c.buckets, c.from, c.to)
			}
		})
	}
}

func TestUnreasonableQuestionsNameEveryBadParameter(t *testing.T) {
	t.Parallel()
	ten, many, none, most := 10, 10_001, 0, 10_000
	for _, c := range []struct {
		name string
		ask  Ask
		want []string // pointer, code, and a part of the detail
	}{
		{"an unknown zone", Ask{TZ: "Mars/Olympus"}, []string{"/tz time_zone IANA"}},
		{"the machine's zone", Ask{TZ: "Local"}, []string{"/tz time_zone IANA"}},
		{"the machine's zone by its file", Ask{TZ: "localtime"}, []string{"/tz time_zone IANA"}},
		{"a file that is no zone", Ask{TZ: "zone.tab"}, []string{"/tz time_zone IANA"}},
		{"a way out of the database", Ask{TZ: "../../../etc/passwd"}, []string{"/tz time_zone IANA"}},
		{"a detour", Ask{TZ: "Europe/./Berlin"}, []string{"/tz time_zone IANA"}},
		{"leap seconds", Ask{TZ: "right/UTC"}, []string{"/tz time_zone IANA"}},
		{"an offset", Ask{TZ: "+02:00"}, []string{"/tz time_zone IANA"}},
		{"a bucket of another width", Ask{Bucket: "2h"}, []string{"/bucket enum bucket"}},
		{"limit with from", Ask{Limit: &ten, From: at(t, "2026-01-01T00:00:00Z")}, []string{"/limit conflict combined"}},
		{"limit with to", Ask{Limit: &ten, To: at(t, "2026-01-01T00:00:00Z")}, []string{"/limit conflict combined"}},
		{"limit of none", Ask{Limit: &none}, []string{"/limit maximum 10000"}},
		{"limit of too many", Ask{Limit: &many}, []string{"/limit maximum 10000"}},
		{"limit into prehistory", Ask{Bucket: query.Bucket1mo, Limit: &most}, []string{"/limit maximum at most 661"}},
		{"to without from", Ask{To: at(t, "2026-01-01T00:00:00Z")}, []string{"/from required when to"}},
		{"from after to", Ask{From: at(t, "2026-01-02T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")}, []string{"/from order before to"}},
		{"an empty range", Ask{From: at(t, "2026-01-02T00:00:00Z"), To: at(t, "2026-01-02T00:00:00Z")}, []string{"/from order before to"}},
		{"from in the future without to", Ask{From: at(t, "2027-01-01T00:00:00Z")}, []string{"/from order before now"}},
		{"before there were events", Ask{From: at(t, "1970-12-31T23:59:59Z"), To: at(t, "1972-01-01T00:00:00Z")}, []string{"/from minimum 1971"}},
		{"after the end of time", Ask{From: at(t, "2026-01-01T00:00:00Z"), To: at(t, "2262-01-01T00:00:00.1Z")}, []string{"/to maximum 2262"}},
		{"a year of minutes", Ask{Bucket: query.Bucket1m, From: at(t, "2025-01-01T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")},
			[]string{"/from too_large about 525601 buckets of 1m up to the end of the range, and a reply has at most 10000: shorten the range or use buckets of 1h"}},
		{"one too many", Ask{From: at(t, "2024-01-01T00:00:00Z"), To: at(t, "2025-02-20T16:00:01Z")}, []string{"/from too_large buckets of 1h"}},
		{"a breakdown of too many points", Ask{Breakdown: ByName, From: at(t, "2025-01-01T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")},
			[]string{"/from too_large 8760 buckets in each of 12 series, 105120 points, and a breakdown has at most 50000: ask for at most 4166 buckets or a smaller top, or shorten the range or use buckets of 1d"}},
		{"a breakdown of too many points by limit", Ask{Breakdown: ByName, Top: 100, Limit: &most}, []string{"/limit too_large 102 series"}},
		{"Liberia before 1972", Ask{TZ: "Africa/Monrovia", From: at(t, "1971-05-01T00:00:00Z"), To: at(t, "1971-05-02T00:00:00Z")},
			[]string{"/tz time_zone whole minutes"}},
		{"a number of no prop", Ask{Measure: Sum}, []string{"/prop required when measure is sum"}},
		{"a prop to count", Ask{Prop: "x"}, []string{"/prop conflict count measures no prop"}},
		{"a prop of people", Ask{Measure: Users, Prop: "x"}, []string{"/prop conflict users measures no prop"}},
		{"a breakdown of no prop", Ask{Breakdown: ByProp}, []string{"/breakdown_prop required when breakdown is prop"}},
		{"a prop without a breakdown", Ask{BreakdownProp: "x"}, []string{"/breakdown_prop conflict only allowed"}},
		{"a prop of a breakdown by name", Ask{Breakdown: ByName, BreakdownProp: "x"}, []string{"/breakdown_prop conflict only allowed"}},
		{"a breakdown by prop of too many points", Ask{Breakdown: ByProp, BreakdownProp: "x", Names: []string{"a"}, Top: 100, Limit: &most},
			[]string{"/limit too_large 102 series"}},
		{"everything", Ask{Bucket: "1y", TZ: "x", Limit: &many, From: at(t, "1950-01-01T00:00:00Z"), To: at(t, "9999-01-01T00:00:00Z")},
			[]string{"/bucket enum bucket", "/tz time_zone IANA", "/limit conflict combined", "/limit maximum 10000", "/to maximum 2262", "/from minimum 1971"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Resolve(&c.ask, testNow)
			expectFields(t, err, c.want)
		})
	}
}

// expectFields checks the fields of a problem, each given as "pointer code part of the detail".
func expectFields(t *testing.T, err error, want []string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.CodeValidation {
		t.Fatalf("error %v, want a validation problem", err)
	}
	for i, f := range p.Fields {
		if i >= len(want) {
			t.Errorf("unexpected: %+v", f)
			continue
		}
		part := strings.SplitN(want[i], " ", 3)
		if f.Pointer != part[0] || f.Code != part[1] || !strings.Contains(f.Detail, part[2]) || f.In != contract.InQuery || f.Item != -1 {
			t.Errorf("field %d is %+v, want %q", i, f, want[i])
		}
	}
	if len(p.Fields) < len(want) {
		t.Errorf("%d fields, want %d: %v", len(p.Fields), len(want), p.Fields)
	}
}

func TestTheMostBucketsAreAnswered(t *testing.T) {
	t.Parallel()
	most := maxBuckets
	w, err := Resolve(&Ask{Limit: &most}, testNow)
	if err != nil || w.Buckets() != maxBuckets {
		t.Fatalf("limit: %v", err)
	}
	from := testNow.Truncate(time.Hour)
	to := from.Add(maxBuckets * time.Hour)
	w, err = Resolve(&Ask{From: &from, To: &to}, testNow)
	if err != nil || w.Buckets() != maxBuckets {
		t.Fatalf("range: %v", err)
	}
	// Names that are asked for bound the series of a breakdown: two and the total, 16,666 buckets and more.
	w, err = Resolve(&Ask{Limit: &most, Breakdown: ByName, Names: []string{"a", "b", "a"}}, testNow)
	if err != nil || w.Buckets() != maxBuckets {
		t.Fatalf("breakdown: %v", err)
	}
}

func TestTheFirstBucketThatIsNotOverIsFound(t *testing.T) {
	t.Parallel()
	w := &Window{Loc: time.UTC, Bounds: []int64{60, 120, 180}}
	for now, want := range map[int64]int{0: 0, 60: 0, 119: 0, 120: 1, 179: 1, 180: -1, 999: -1} {
		if got := w.incomplete(time.Unix(now, 999)); got != want {
			t.Errorf("at %d: bucket %d, want %d", now, got, want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("1h", "UTC", int64(0), int64(0), 24, uint8(4), uint8(10), int64(1_768_473_015))
	f.Add("1d", "America/Sao_Paulo", int64(1_541_210_400), int64(1_541_469_600), 0, uint8(3), uint8(0), int64(1_768_473_015))
	f.Add("1m", "Africa/Monrovia", int64(63_593_000), int64(63_594_000), 0, uint8(3), uint8(0), int64(1_768_473_015))
	f.Add("1w", "Europe/Berlin", int64(2_240_524_800), int64(2_240_611_200), 9, uint8(11), uint8(100), int64(2_240_600_000))
	f.Add("1mo", "Pacific/Apia", int64(-1), int64(1<<62), 10_000, uint8(7), uint8(255), int64(9_214_646_399))
	f.Fuzz(func(t *testing.T, bucket, tz string, from, to int64, limit int, given, top uint8, now int64) {
		if now < earliest.Unix() || now > latest.Unix() {
			return // a clock that is centuries off
		}
		ask := Ask{Bucket: query.Bucket(bucket), TZ: tz, Top: int(top)}
		if given&8 != 0 {
			ask.Breakdown = ByName
		}
		if fromTime := time.Unix(from, from&0xffff); given&1 != 0 {
			ask.From = &fromTime
		}
		if toTime := time.Unix(to, to&0xffff); given&2 != 0 {
			ask.To = &toTime
		}
		if given&4 != 0 {
			ask.Limit = &limit
		}
		w, err := Resolve(&ask, time.Unix(now, 1))
		if err != nil {
			var p *problem.Error
			if !errors.As(err, &p) || len(p.Fields) == 0 {
				t.Fatalf("not a problem with fields: %v", err)
			}
			return
		}
		if n := w.Buckets(); n < 1 || n > maxBuckets {
			t.Fatalf("%d buckets", n)
		}
		for i := 1; i < len(w.Bounds); i++ {
			if w.Bounds[i] <= w.Bounds[i-1] || w.Bounds[i]%60 != 0 {
				t.Fatalf("bound %d is %d after %d", i, w.Bounds[i], w.Bounds[i-1])
			}
		}
		if ask.From != nil && w.At(0).After(*ask.From) || ask.To != nil && w.At(w.Buckets()).Before(*ask.To) {
			t.Fatalf("[%v, %v) does not contain [%v, %v)", w.At(0), w.At(w.Buckets()), ask.From, ask.To)
		}
		Plan(w.Bounds)
	})
}
