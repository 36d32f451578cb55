package query

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
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
		ask      When
		from, to string
		buckets  int
	}{
		{"24 hours with the running one when nothing is said", When{}, "2026-01-14T11:00:00Z", "2026-01-15T11:00:00Z", 24},
		{"the last ten minutes", When{Bucket: Bucket1m, Limit: &ten}, "2026-01-15T10:21:00Z", "2026-01-15T10:31:00Z", 10},
		{"the last ten months", When{Bucket: Bucket1mo, Limit: &ten, TZ: "Europe/Berlin"}, "2025-04-01T00:00:00+02:00", "2026-02-01T00:00:00+01:00", 10},
		{"the week from Sunday", When{Bucket: Bucket1w, WeekStart: Sunday, Limit: new(1), TZ: "America/New_York"}, "2026-01-11T00:00:00-05:00", "2026-01-18T00:00:00-05:00", 1},
		{"the week of the project", When{Bucket: Bucket1w, Limit: new(1)}.At(Home{"America/New_York", Sunday}), "2026-01-11T00:00:00-05:00", "2026-01-18T00:00:00-05:00", 1},
		{"its own week in the project's zone", When{Bucket: Bucket1w, WeekStart: Monday, Limit: new(1)}.At(Home{"America/New_York", Sunday}),
			"2026-01-12T00:00:00-05:00", "2026-01-19T00:00:00-05:00", 1},
		{"from back, to forward", When{From: at(t, "2026-01-01T00:59:59.9Z"), To: at(t, "2026-01-01T03:00:00.000001Z")},
			"2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z", 4},
		{"bounds stay where they are", When{From: at(t, "2026-01-01T01:00:00Z"), To: at(t, "2026-01-01T03:00:00Z")},
			"2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z", 2},
		{"within one bucket", When{Bucket: Bucket1d, From: at(t, "2026-01-01T01:00:00Z"), To: at(t, "2026-01-01T01:00:00.000000001Z")},
			"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 1},
		{"to is now when absent", When{From: at(t, "2026-01-15T09:10:00Z")}, "2026-01-15T09:00:00Z", "2026-01-15T11:00:00Z", 2},
		{"the future", When{Bucket: Bucket1d, From: at(t, "2026-01-20T00:00:00Z"), To: at(t, "2026-01-22T00:00:00Z")},
			"2026-01-20T00:00:00Z", "2026-01-22T00:00:00Z", 2},
		{"the first instant", When{Bucket: Bucket1w, From: at(t, "1971-01-01T00:00:00Z"), To: at(t, "1971-01-02T00:00:00Z")},
			"1970-12-28T00:00:00Z", "1971-01-04T00:00:00Z", 1},
		{"the last instant", When{Bucket: Bucket1mo, From: at(t, "2261-12-31T23:00:00Z"), To: at(t, "2262-01-01T00:00:00Z")},
			"2261-12-01T00:00:00Z", "2262-01-01T00:00:00Z", 1},
		{"Liberia since it has whole minutes", When{TZ: "Africa/Monrovia", From: at(t, "1972-01-08T00:00:00Z"), To: at(t, "1972-01-08T01:00:00Z")},
			"1972-01-08T00:00:00Z", "1972-01-08T01:00:00Z", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := c.ask.Resolve(testNow, 1, nil)
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
		ask  When
		want []string // pointer, code, and a part of the detail
	}{
		{"an unknown zone", When{TZ: "Mars/Olympus"}, []string{"/tz time_zone IANA"}},
		{"the machine's zone", When{TZ: "Local"}, []string{"/tz time_zone IANA"}},
		{"the machine's zone by its file", When{TZ: "localtime"}, []string{"/tz time_zone IANA"}},
		{"a file that is no zone", When{TZ: "zone.tab"}, []string{"/tz time_zone IANA"}},
		{"a way out of the database", When{TZ: "../../../etc/passwd"}, []string{"/tz time_zone IANA"}},
		{"a detour", When{TZ: "Europe/./Berlin"}, []string{"/tz time_zone IANA"}},
		{"leap seconds", When{TZ: "right/UTC"}, []string{"/tz time_zone IANA"}},
		{"an offset", When{TZ: "+02:00"}, []string{"/tz time_zone IANA"}},
		{"a bucket of another width", When{Bucket: "2h"}, []string{"/bucket enum bucket"}},
		{"limit with from", When{Limit: &ten, From: at(t, "2026-01-01T00:00:00Z")}, []string{"/limit conflict combined"}},
		{"limit with to", When{Limit: &ten, To: at(t, "2026-01-01T00:00:00Z")}, []string{"/limit conflict combined"}},
		{"limit of none", When{Limit: &none}, []string{"/limit maximum 10000"}},
		{"limit of too many", When{Limit: &many}, []string{"/limit maximum 10000"}},
		{"limit into prehistory", When{Bucket: Bucket1mo, Limit: &most}, []string{"/limit maximum at most 661"}},
		{"to without from", When{To: at(t, "2026-01-01T00:00:00Z")}, []string{"/from required when to"}},
		{"from after to", When{From: at(t, "2026-01-02T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")}, []string{"/from order before to"}},
		{"an empty range", When{From: at(t, "2026-01-02T00:00:00Z"), To: at(t, "2026-01-02T00:00:00Z")}, []string{"/from order before to"}},
		{"from in the future without to", When{From: at(t, "2027-01-01T00:00:00Z")}, []string{"/from order before now"}},
		{"before there were events", When{From: at(t, "1970-12-31T23:59:59Z"), To: at(t, "1972-01-01T00:00:00Z")}, []string{"/from minimum 1971"}},
		{"after the end of time", When{From: at(t, "2026-01-01T00:00:00Z"), To: at(t, "2262-01-01T00:00:00.1Z")}, []string{"/to maximum 2262"}},
		{"a year of minutes", When{Bucket: Bucket1m, From: at(t, "2025-01-01T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")},
			[]string{"/from too_large about 525601 buckets of 1m up to the end of the range, and a reply has at most 10000: shorten the range or use buckets of 1h"}},
		{"one too many", When{From: at(t, "2024-01-01T00:00:00Z"), To: at(t, "2025-02-20T16:00:01Z")}, []string{"/from too_large buckets of 1h"}},
		{"Liberia before 1972", When{TZ: "Africa/Monrovia", From: at(t, "1971-05-01T00:00:00Z"), To: at(t, "1971-05-02T00:00:00Z")},
			[]string{"/tz time_zone whole minutes"}},
		{"everything", When{Bucket: "1y", TZ: "x", Limit: &many, From: at(t, "1950-01-01T00:00:00Z"), To: at(t, "9999-01-01T00:00:00Z")},
			[]string{"/bucket enum bucket", "/tz time_zone IANA", "/limit conflict combined", "/limit maximum 10000", "/to maximum 2262", "/from minimum 1971"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.ask.Resolve(testNow, 1, nil)
			expectFaults(t, err, c.want)
		})
	}
}

// expectFaults checks the faults of a question, each given as "pointer code part of the detail".
func expectFaults(t *testing.T, err error, want []string) {
	t.Helper()
	var bad Invalid
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want faults", err)
	}
	for i, f := range bad {
		if i >= len(want) {
			t.Errorf("unexpected: %+v", f)
			continue
		}
		part := strings.SplitN(want[i], " ", 3)
		if contract.Pointer(f.At...) != part[0] || f.Code != part[1] || !strings.Contains(f.Detail, part[2]) {
			t.Errorf("fault %d is %+v, want %q", i, f, want[i])
		}
	}
	if len(bad) < len(want) {
		t.Errorf("%d faults, want %d: %v", len(bad), len(want), bad)
	}
}

func TestTheMostBucketsAreAnswered(t *testing.T) {
	t.Parallel()
	most := maxBuckets
	w, err := (&When{Limit: &most}).Resolve(testNow, 1, nil)
	if err != nil || w.Buckets() != maxBuckets {
		t.Fatalf("limit: %v", err)
	}
	from := testNow.Truncate(time.Hour)
	to := from.Add(maxBuckets * time.Hour)
	w, err = (&When{From: &from, To: &to}).Resolve(testNow, 1, nil)
	if err != nil || w.Buckets() != maxBuckets {
		t.Fatalf("range: %v", err)
	}
}

func TestTheFirstBucketThatIsNotOverIsFound(t *testing.T) {
	t.Parallel()
	w := &Window{Calendar: Calendar{Loc: time.UTC}, Bounds: []int64{60, 120, 180}}
	for now, want := range map[int64]int{0: 0, 60: 0, 119: 0, 120: 1, 179: 1, 180: -1, 999: -1} {
		got := w.Incomplete(time.Unix(now, 999))
		if want < 0 && got != nil || want >= 0 && (got == nil || !got.Equal(w.At(want))) {
			t.Errorf("at %d: %v, want bucket %d", now, got, want)
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
		ask, series := When{Bucket: Bucket(bucket), TZ: tz}, 1
		if given&8 != 0 {
			series = int(top) + 2
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
		w, err := ask.Resolve(time.Unix(now, 1), series, nil)
		if err != nil {
			var bad Invalid
			if !errors.As(err, &bad) || len(bad) == 0 {
				t.Fatalf("not faults: %v", err)
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
