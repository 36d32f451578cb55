package scan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

// bounds cuts the range into buckets of the given kinds of calendar: days, hours, days of a zone half an hour off,
// uneven ones.
func bounds(random *rand.Rand) []int64 {
	from, to := firstDay*dayLong, (firstDay+days)*dayLong
	kind := random.IntN(5)
	step := []int64{dayLong, dayLong / 24, dayLong, 0, to - from}[kind]
	switch kind {
	case 2:
		from, to = from+dayLong/48, to-dayLong*47/48
	case 3:
		all := []int64{from, to}
		for range 7 {
			all = append(all, from+random.Int64N(to-from))
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	var all []int64
	for at := from; at <= to; at += step {
		all = append(all, at)
	}
	return all
}

func by(all ...*scan.Dictionary) *scan.Breakdown { return &scan.Breakdown{By: all} }

// answer is a measure of a group and a bucket: what is compared.
type answer struct {
	count         int64
	sum, min, max string
	p50, p99      float64
}

// bruteMeasure answers by the definition, for each group and bucket; bucket -1 is the whole range, group "*" all
// groups.
func (b *brute) measure(events []parts.Event, m *scan.Measure) map[string]answer {
	type cell struct {
		events  int64
		people  map[uint32]bool
		numbers []*big.Rat
	}
	cells := map[string]*cell{}
	for i := range events {
		e := &events[i]
		if e.TS < m.From || e.TS >= m.To || m.AsOf != 0 && (e.TS >= m.AsOf || e.Received >= m.AsOf) || !b.considered(e) {
			continue
		}
		if no := b.person(e); m.Only != nil && (no == 0 || !m.Only.Has(no)) {
			continue
		}
		if m.OnlyMarked && !slices.ContainsFunc(m.Matchers, func(x scan.Matcher) bool {
			return (len(x.Names) == 0 || slices.Contains(x.Names, e.Name)) && b.fits(x.Filter, e)
		}) {
			continue
		}
		bucket := 0
		for e.TS >= m.Bounds[bucket+1] {
			bucket++
		}
		group := "*"
		if m.By != nil {
			group = ""
			for _, d := range m.By.By {
				group += b.group(d, e) + "|"
			}
		}
		for _, key := range slices.Compact([]string{fmt.Sprint(group, bucket), fmt.Sprint("*", bucket)}) {
			for _, key := range []string{key, key[:len(key)-len(fmt.Sprint(bucket))] + "-1"} {
				c := cells[key]
				if c == nil {
					c = &cell{people: map[uint32]bool{}}
					cells[key] = c
				}
				c.events++
				if no := b.person(e); no != 0 {
					c.people[no] = true
				}
				if v, _ := member(e, m.Prop); v != nil {
					if n, ok := v.(json.Number); ok {
						r, _ := new(big.Rat).SetString(n.String())
						c.numbers = append(c.numbers, r)
					}
				}
			}
		}
	}
	out := map[string]answer{}
	for key, c := range cells {
		var a answer
		switch m.Statistic {
		case scan.Events:
			a.count = c.events
		case scan.Persons:
			a.count = int64(len(c.people))
		default:
			a.count = int64(len(c.numbers))
			if a.count > 0 {
				a.fill(c.numbers, m.Statistic)
			}
		}
		if a.count > 0 {
			out[key] = a
		}
	}
	return out
}

func (a *answer) fill(numbers []*big.Rat, s scan.Statistic) {
	slices.SortFunc(numbers, func(x, y *big.Rat) int { return x.Cmp(y) })
	if s == scan.Distribution {
		floats := make([]float64, len(numbers))
		for i, n := range numbers {
			floats[i], _ = n.Float64()
		}
		a.p50, a.p99 = percentile(floats, 0.5), percentile(floats, 0.99)
		return
	}
	sum := new(big.Rat)
	for _, n := range numbers {
		sum.Add(sum, n)
	}
	a.sum, a.min, a.max = sum.FloatString(6), numbers[0].FloatString(6), numbers[len(numbers)-1].FloatString(6)
}

func percentile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	lo, hi := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	if lo == hi {
		return lo
	}
	return lo + (at-math.Floor(at))*(hi-lo)
}

func answers(r *scan.Result, m *scan.Measure) map[string]answer {
	out := map[string]answer{}
	put := func(group string, g *scan.Group) {
		for i, c := range append([]scan.Cell{g.Whole}, g.Buckets...) {
			if c.Count == 0 {
				continue
			}
			a := answer{count: c.Count}
			switch m.Statistic {
			case scan.Numbers:
				a.sum, a.min, a.max = c.Sum.Rat().FloatString(6), c.Min.Rat().FloatString(6), c.Max.Rat().FloatString(6)
			case scan.Distribution:
				a.p50, a.p99 = c.Percentile(0.5), c.Percentile(0.99)
			default:
			}
			out[fmt.Sprint(group, i-1)] = a
		}
	}
	put("*", r.All)
	for code, g := range r.Groups {
		put(groupText(m.By, code), g)
	}
	return out
}

func groupText(b *scan.Breakdown, code uint32) (text string) {
	key := b.Key(code)
	for i, d := range b.By {
		switch code := key[i]; {
		case d.Edges == nil:
			text += valueText(d.Value(code)) + "|"
		case code == 0:
			text += "none|"
		default:
			gte, lt := d.Range(code)
			text += fmt.Sprint(gte, "..", lt, "|")
		}
	}
	return text
}

// group is the text of the group of an event by one dictionary.
func (b *brute) group(d *scan.Dictionary, e *parts.Event) string {
	if d.Edges == nil {
		return b.text(d, e)
	}
	v, _ := member(e, d.Prop)
	n, ok := v.(json.Number)
	if !ok {
		return "none"
	}
	is, _ := new(big.Rat).SetString(n.String())
	gte, lt := math.Inf(-1), math.Inf(1)
	for _, edge := range d.Edges {
		x, _ := new(big.Rat).SetString(fmt.Sprint(edge))
		if is.Cmp(x) >= 0 {
			gte = edge
		} else if math.IsInf(lt, 1) {
			lt = edge
		}
	}
	return fmt.Sprint(gte, "..", lt)
}

func randomBreakdown(random *rand.Rand) *scan.Breakdown {
	out := &scan.Breakdown{}
	for range 1 + random.IntN(scan.MaxCombined) {
		switch random.IntN(4) {
		case 0:
			out.By = append(out.By, &scan.Dictionary{ByName: true})
		case 1:
			out.By = append(out.By, &scan.Dictionary{Prop: []string{"amount", "plan"}[random.IntN(2)],
				Edges: [][]float64{{0}, {-1.5, 0.25, 0.3, 10}, {-1e300, 1e300}}[random.IntN(3)]})
		default:
			out.By = append(out.By, scan.NewDictionary([]string{"plan", "amount", "nothing"}[random.IntN(3)]))
		}
	}
	return out
}

func TestMeasuresAreThoseOfABruteForceReading(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t, random, 1+random.IntN(1500), false)
		q := randomQuery(random)
		m := &scan.Measure{Query: scan.Query{
			Names: q.Names, Filter: q.Filter,
		}, Statistic: scan.Statistic(random.IntN(4)), Prop: []string{"amount", "plan"}[random.IntN(2)],
			Bounds: bounds(random), Workers: 1 + random.IntN(2)}
		m.From, m.To = m.Bounds[0], m.Bounds[len(m.Bounds)-1]
		if random.IntN(3) == 0 {
			m.AsOf = m.From + random.Int64N(4*dayLong)
		}
		if random.IntN(2) == 0 {
			m.By = randomBreakdown(random)
		}
		m.Only = q.Only
		if m.Matchers = q.Matchers; len(m.Matchers) > 0 {
			m.OnlyMarked = true
		}
		b := brute{q: &m.Query}
		if random.IntN(2) == 0 {
			b.ids = randomIdentity(random, w)
			m.Identity = &b.ids
		}
		if random.IntN(3) == 0 {
			m.Memory = 1000
		}
		result, err := m.Run(t.Context(), w.headers, w.memory)
		for errors.Is(err, scan.ErrTooLarge) && m.Memory > 0 {
			m.Memory *= 2
			result, err = m.Run(t.Context(), w.headers, w.memory)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, want := answers(result, m), b.measure(w.events, m)
		for key, a := range want {
			if got[key] != a {
				t.Fatalf("seed %d, statistic %d: %s is %+v, want %+v", seed, m.Statistic, key, got[key], a)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d, statistic %d: %d answers, want %d", seed, m.Statistic, len(got), len(want))
		}
	}
}

// What is not shown is measured together, and is the same however it comes about.
func TestTheRestOfABreakdownIsAllThatIsNotShown(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t, random, 1+random.IntN(1500), false)
		m := &scan.Measure{Statistic: scan.Statistic(random.IntN(4)), Prop: "amount", Bounds: bounds(random), Workers: 2, By: randomBreakdown(random)}
		m.From, m.To = m.Bounds[0], m.Bounds[len(m.Bounds)-1]
		all, err := m.Run(t.Context(), w.headers, w.memory)
		if err != nil {
			t.Fatal(err)
		}
		var shown []uint32
		for code := range all.Groups {
			if random.IntN(2) == 0 {
				shown = append(shown, code)
			}
		}
		m.By.Show(shown)
		closed, err := m.Run(t.Context(), w.headers, w.memory)
		if err != nil {
			t.Fatal(err)
		}
		rest := closed.Groups[scan.Rest]
		if got := len(closed.Groups); rest != nil && got != len(shown)+1 || rest == nil && got != len(all.Groups) {
			t.Fatalf("seed %d: %d groups, %d of %d are shown", seed, got, len(shown), len(all.Groups))
		}
		if rest == nil || m.Statistic == scan.Persons {
			continue
		}
		all.Fold(shown)
		if got, want := fmt.Sprint(all.Groups[scan.Rest].Whole), fmt.Sprint(rest.Whole); got != want {
			t.Fatalf("seed %d: the rest is %s folded, %s measured", seed, got, want)
		}
	}
}

func TestPresenceIsThatOfABruteForceReading(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t, random, 1+random.IntN(1500), true)
		q := randomQuery(random)
		p := &scan.Presence{
			Query: scan.Query{Names: q.Names, Filter: q.Filter, Matchers: q.Matchers, AsOf: q.AsOf}, Bounds: bounds(random),
		}
		p.From, p.To = p.Bounds[0], p.Bounds[len(p.Bounds)-1]
		b := brute{q: &p.Query}
		if random.IntN(2) == 0 {
			b.ids = randomIdentity(random, w)
			p.Identity = &b.ids
		}
		want := map[string]bool{}
		matchers := p.Matchers
		if len(matchers) == 0 {
			matchers = []scan.Matcher{{}}
		}
		for i := range w.events {
			e := &w.events[i]
			unknown := p.AsOf != 0 && (e.TS >= p.AsOf || e.Received >= p.AsOf)
			if e.TS < p.From || e.TS >= p.To || unknown || !b.considered(e) || b.person(e) == 0 {
				continue
			}
			bucket := 0
			for e.TS >= p.Bounds[bucket+1] {
				bucket++
			}
			for k, m := range matchers {
				if (len(m.Names) == 0 || slices.Contains(m.Names, e.Name)) && b.fits(m.Filter, e) {
					want[fmt.Sprint(b.person(e), k, bucket)] = true
				}
			}
		}
		got := map[string]bool{}
		var mu sync.Mutex
		var workers []func(uint32, []uint64) error
		for range 1 + random.IntN(2) {
			last := uint32(0)
			workers = append(workers, func(no uint32, periods []uint64) error {
				mu.Lock()
				defer mu.Unlock()
				if no <= last {
					return fmt.Errorf("person %d comes after %d", no, last)
				}
				last = no
				for i := range 64 * len(periods) {
					if periods[i>>6]>>(i&63)&1 == 1 {
						got[fmt.Sprint(no, i/(64*p.Words()), i%(64*p.Words()))] = true
					}
				}
				return nil
			})
		}
		if random.IntN(2) == 0 {
			p.Memory = int64(8 * p.Words() * len(matchers) * len(workers) * (1 + random.IntN(5))) // some people at a time
		}
		if err := p.Run(t.Context(), w.headers, w.memory, workers...); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d marks, want %d", seed, len(got), len(want))
		}
		for key := range want {
			if !got[key] {
				t.Fatalf("seed %d: %s is missing", seed, key)
			}
		}
	}
}

func TestSumsAreExactDecimalsHoweverLong(t *testing.T) {
	t.Parallel()
	w := &world{}
	var events []parts.Event
	random := rand.New(rand.NewPCG(1, 1))
	for _, n := range []string{
		"9223372036854775807", "9223372036854775807", "0.000000000000000000000000000001", "-1", "0.1", "0.2", "1e3",
	} {
		v, err := scan.ScalarValue(json.RawMessage(n))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, parts.Event{
			ID: eventID(random, firstDay*dayLong), TS: firstDay * dayLong, Name: "a", Props: []byte(`{"x": ` + v.Text + `}`),
		})
	}
	w.add(t, events)
	m := &scan.Measure{Statistic: scan.Numbers, Prop: "x", Bounds: []int64{firstDay * dayLong, (firstDay + 1) * dayLong}}
	m.From, m.To = m.Bounds[0], m.Bounds[1]
	r, err := m.Run(t.Context(), w.headers, w.memory)
	if err != nil {
		t.Fatal(err)
	}
	c := r.All.Whole
	got := fmt.Sprintf("sum %s, min %s, max %s", c.Sum, c.Min, c.Max)
	if got != "sum 18446744073709552613.300000000000000000000000000001, min -1, max 9223372036854775807" {
		t.Error(got)
	}
}

func TestAScalarHasOneText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"1": "1", "1.0": "1", "-0": "0", "-0.0e5": "0", "1e3": "1000", "1.25e1": "12.5", "-125e-2": "-1.25",
		"5E-3": "0.005", "0.1000": "0.1", `"1.0"`: "1.0", "12e-5": "0.00012", "100": "100",
	} {
		v, err := scan.ScalarValue(json.RawMessage(raw))
		if err != nil || v.Text != want {
			t.Errorf("%s is %q, want %q: %v", raw, v.Text, want, err)
		}
	}
}
