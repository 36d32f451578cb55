package trends

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/query"
)

var testNow = time.Date(2026, 1, 15, 10, 30, 15, 123456000, time.UTC)

func TestUnreasonableQuestionsNameEveryBadField(t *testing.T) {
	t.Parallel()
	year := query.When{From: new(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)), To: new(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	most := query.When{Limit: new(10_000)}
	x := events.Path{{Member: "x"}}
	for _, c := range []struct {
		name string
		ask  Question
		want []string // pointer, code, and a part of the detail
	}{
		{"a breakdown of too many points", Question{Breakdown: ByName, When: year},
			[]string{"/from too_large 8760 buckets in each of 12 series, 105120 points, and a breakdown has at most 50000: ask for at most 4166 buckets or a smaller top, or shorten the range or use buckets of 1d"}},
		{"a breakdown of too many points by limit", Question{Breakdown: ByName, Top: 100, When: most}, []string{"/limit too_large 102 series"}},
		{"a number of no prop", Question{Measure: Sum}, []string{"/prop required when measure is sum"}},
		{"a prop to count", Question{Prop: x}, []string{"/prop conflict count measures no prop"}},
		{"a prop of people", Question{Measure: Users, Prop: x}, []string{"/prop conflict users measures no prop"}},
		{"a breakdown of no prop", Question{Breakdown: ByProp}, []string{"/breakdown_prop required when breakdown is prop"}},
		{"a prop without a breakdown", Question{BreakdownProp: x}, []string{"/breakdown_prop conflict only allowed"}},
		{"a prop of a breakdown by name", Question{Breakdown: ByName, BreakdownProp: x}, []string{"/breakdown_prop conflict only allowed"}},
		{"a breakdown by every element", Question{Breakdown: ByProp, BreakdownProp: events.Path{{Member: "x"}, {Each: true}}},
			[]string{"/breakdown_prop conflict name one element"}},
		{"a breakdown by prop of too many points", Question{Breakdown: ByProp, BreakdownProp: x, Names: []string{"a"}, Top: 100, When: most},
			[]string{"/limit too_large 102 series"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.ask.resolve(testNow)
			var bad query.Invalid
			if !errors.As(err, &bad) || len(bad) != len(c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			for i, f := range bad {
				part := strings.SplitN(c.want[i], " ", 3)
				if contract.Pointer(f.At...) != part[0] || f.Code != part[1] || !strings.Contains(f.Detail, part[2]) {
					t.Errorf("fault %d is %+v, want %q", i, f, c.want[i])
				}
			}
		})
	}
}

func TestNamesBoundTheSeriesOfABreakdown(t *testing.T) {
	t.Parallel()
	// Two and the total, 16,666 buckets and more.
	q := Question{When: query.When{Limit: new(10_000)}, Breakdown: ByName, Names: []string{"a", "b", "a"}}
	if w, err := q.resolve(testNow); err != nil || w.Buckets() != 10_000 {
		t.Fatalf("breakdown: %v", err)
	}
}
