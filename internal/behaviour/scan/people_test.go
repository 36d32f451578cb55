package scan_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

const (
	firstDay = 20_000
	dayLong  = int64(86_400_000_000)
	days     = 5
)

// world is some events and the parts they are in.
type world struct {
	events  []parts.Event
	headers []*parts.Header
	memory  scan.Memory
}

// newWorld makes a history: few people with many events, equal times, days of one part and days of several. With twice,
// two parts have some of the events.
func newWorld(t testing.TB, random *rand.Rand, n int, twice bool) *world {
	t.Helper()
	w := &world{}
	byDay := map[int64][]parts.Event{}
	for range n {
		day := firstDay + random.Int64N(days)
		ts := day*dayLong + random.Int64N(86_400)*1_000_000
		if random.IntN(2) == 0 {
			ts = day*dayLong + random.Int64N(40)*60_000_000 + random.Int64N(2)
		}
		e := parts.Event{ID: eventID(random, ts), Person: uint32(
			random.IntN(30),
		), TS: ts, Received: ts + random.Int64N(3), Name: fmt.Sprintf("n%d", random.IntN(4)),
			Props: eventProps(random)}
		if random.IntN(10) == 0 {
			e.Received += random.Int64N(3 * dayLong)
		}
		w.events = append(w.events, e)
		byDay[day] = append(byDay[day], e)
	}
	for day := int64(firstDay); day < firstDay+days; day++ {
		events := byDay[day]
		for len(events) > 0 {
			some := 1 + random.IntN(len(events))
			if random.IntN(2) == 0 {
				some = len(events)
			}
			batch := slices.Clone(events[:some])
			if all := byDay[day]; twice && random.IntN(2) == 0 {
				batch = append(batch, all[random.IntN(len(all))], all[random.IntN(len(all))])
			}
			events = events[some:]
			w.add(t, batch)
		}
	}
	return w
}

func (w *world) add(t testing.TB, events []parts.Event) {
	t.Helper()
	var b parts.Builder
	for i := range events {
		if err := b.Add(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	p := b.Encode()
	h, err := parts.ParseHeader(p.Header.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	w.headers, w.memory = append(w.headers, h), append(w.memory, p)
}

func eventID(random *rand.Rand, ts int64) uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(random.UintN(256))
	}
	for i := range 6 {
		id[i] = byte(uint64(ts/1000) >> (40 - 8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

func eventProps(random *rand.Rand) []byte {
	var members []string
	if random.IntN(4) > 0 {
		members = append(members, `"plan": `+[]string{
			`"free"`, `"pro"`, `null`, `true`, `false`, `1.0`, `7`, `"7"`, `{"a": [1, 2], "b": "x"}`, `[]`,
		}[random.IntN(10)])
	}
	if random.IntN(5) > 0 {
		members = append(members, fmt.Sprintf(`"amount": %d.%02d`, random.IntN(10_000)-5000, random.IntN(100)))
	}
	if random.IntN(3) > 0 {
		members = append(members, fmt.Sprintf(`"session": "s%d"`, random.IntN(3)))
	}
	return []byte("{" + strings.Join(members, ", ") + "}")
}

// brute answers by the definitions, one event at a time.
type brute struct {
	q   *scan.Query
	ids behaviour.Identity
}

// member returns a prop of an event, by encoding/json.
func member(e *parts.Event, prop string) (v any, there bool) {
	d := json.NewDecoder(strings.NewReader(string(e.Props)))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		panic(err)
	}
	v, there = all[prop]
	return v, there
}

func (b *brute) fits(f *scan.Filter, e *parts.Event) bool {
	if f == nil {
		return true
	}
	number := func() (float64, bool) {
		v, _ := member(e, f.Prop)
		n, ok := v.(json.Number)
		x, _ := n.Float64()
		return x, ok
	}
	switch f.Op {
	case scan.And:
		return !slices.ContainsFunc(f.Filters, func(g scan.Filter) bool { return !b.fits(&g, e) })
	case scan.Or:
		return slices.ContainsFunc(f.Filters, func(g scan.Filter) bool { return b.fits(&g, e) })
	case scan.Not:
		return !b.fits(&f.Filters[0], e)
	case scan.Eq, scan.In:
		return slices.ContainsFunc(f.Values, func(v parts.Value) bool { return equals(e, f.Prop, v) })
	case scan.Neq:
		return !equals(e, f.Prop, f.Values[0])
	case scan.Contains:
		v, _ := member(e, f.Prop)
		s, ok := v.(string)
		return ok && strings.Contains(s, f.Text)
	case scan.Gt:
		x, ok := number()
		return ok && x > f.Number
	case scan.Gte:
		x, ok := number()
		return ok && x >= f.Number
	case scan.Lt:
		x, ok := number()
		return ok && x < f.Number
	case scan.Lte:
		x, ok := number()
		return ok && x <= f.Number
	case scan.Exists:
		v, _ := member(e, f.Prop)
		return v != nil
	case scan.Holds:
		v, _ := member(e, f.Prop)
		object, ok := v.(map[string]any)
		return ok && object["b"] == "x" // the only one that the tests ask for
	default:
		panic(f.Op)
	}
}

func equals(e *parts.Event, prop string, v parts.Value) bool {
	has, there := member(e, prop)
	if !there || has == nil {
		return false
	}
	switch v.Kind {
	case parts.True, parts.False:
		return has == (v.Kind == parts.True)
	case parts.Number:
		n, ok := has.(json.Number)
		x, _ := n.Float64()
		y, _ := json.Number(v.Text).Float64()
		return ok && x == y
	default:
		return has == v.Text
	}
}

// person is who did an event after links and merges.
func (b *brute) person(e *parts.Event) uint32 {
	if s, ok := b.ids.Splits[e.Person]; ok {
		if cmp.Or(cmp.Compare(e.TS, s.TS), cmp.Compare(e.Received, s.Received), cmp.Compare(parts.Tie(e.ID), parts.Tie(s.ID))) >= 0 {
			return s.To
		}
	}
	if int(e.Person) < len(b.ids.Canon) {
		return b.ids.Canon[e.Person]
	}
	return e.Person
}

func (b *brute) considered(e *parts.Event) bool {
	return (len(b.q.Names) == 0 || slices.Contains(b.q.Names, e.Name)) && b.fits(b.q.Filter, e)
}

// people returns everybody's rows; the values are texts.
func (b *brute) people(events []parts.Event) map[uint32][]string {
	q := b.q
	var sorted []parts.Event
	for _, e := range events {
		if e.Person != 0 && e.TS >= q.From && e.TS < q.To && (q.AsOf == 0 || e.TS < q.AsOf && e.Received < q.AsOf) {
			sorted = append(sorted, e)
		}
	}
	slices.SortFunc(sorted, func(x, y parts.Event) int {
		return cmp.Or(
			cmp.Compare(x.TS, y.TS), cmp.Compare(x.Received, y.Received), cmp.Compare(parts.Tie(x.ID), parts.Tie(y.ID)),
		)
	})
	type state struct {
		no          int
		start, last int64
		client      string
	}
	sessions := map[uint32]*state{}
	out := map[uint32][]string{}
	for i := range sorted {
		e := &sorted[i]
		no := b.person(e)
		if q.Only != nil && !q.Only.Has(no) {
			continue
		}
		s := sessions[no]
		client, _ := member(e, "session")
		id, _ := client.(string)
		if q.SessionProp == "" {
			id = ""
		}
		if s == nil || e.TS-s.last > 30*60e6 || e.TS-s.start > 24*3600e6 || id != "" && s.client != "" && id != s.client {
			if s == nil {
				s = &state{}
				sessions[no] = s
			}
			s.no, s.start, s.client = s.no+1, e.TS, ""
		}
		s.last = e.TS
		s.client = cmp.Or(s.client, id)
		var marks uint64
		for k, m := range q.Matchers {
			if (len(m.Names) == 0 || slices.Contains(m.Names, e.Name)) && b.fits(m.Filter, e) {
				marks |= 1 << k
			}
		}
		if !b.considered(e) || q.OnlyMarked && marks == 0 {
			continue
		}
		row := fmt.Sprintf("%d %b", e.TS, marks)
		if q.Sessions {
			row += fmt.Sprintf(" session %d since %d", s.no, s.start)
		}
		for _, d := range q.Values {
			row += " " + b.text(d, e)
		}
		out[no] = append(out[no], row)
	}
	return out
}

func (b *brute) text(d *scan.Dictionary, e *parts.Event) string {
	if d.ByName {
		return valueText(parts.Value{Kind: parts.String, Text: e.Name})
	}
	var raw map[string]json.RawMessage
	_ = json.Unmarshal(e.Props, &raw)
	if raw[d.Prop] == nil {
		return "0:"
	}
	v, _ := parts.ParseValue(raw[d.Prop])
	if v.None() {
		return "0:"
	}
	return valueText(v)
}

func valueText(v parts.Value) string { return fmt.Sprintf("%d:%s", v.Kind, v.Text) }

// scanned returns everybody's rows as a scan yields them, and fails where people do not come in order or twice.
func scanned(t testing.TB, w *world, q *scan.Query, workers int) map[uint32][]string {
	t.Helper()
	var mu sync.Mutex
	out := map[uint32][]string{}
	var yields []func(*behaviour.Person) error
	for range workers {
		last := uint32(0)
		yields = append(yields, func(p *behaviour.Person) error {
			if p.No <= last {
				return fmt.Errorf("person %d comes after %d", p.No, last)
			}
			last = p.No
			var rows []string
			for _, r := range p.Rows {
				row := fmt.Sprintf("%d %b", r.TS, r.Marks)
				if q.Sessions {
					row += fmt.Sprintf(" session %d since %d", r.Session, p.Sessions[r.Session-1].Start)
				}
				for i, d := range q.Values {
					row += " " + valueText(d.Value(r.Values[i]))
				}
				rows = append(rows, row)
			}
			mu.Lock()
			defer mu.Unlock()
			if out[p.No] != nil {
				return fmt.Errorf("person %d comes twice", p.No)
			}
			out[p.No] = rows
			return nil
		})
	}
	err := scan.People(t.Context(), q, w.headers, w.memory, yields...)
	if errors.Is(err, scan.ErrTooLarge) && q.Memory > 0 { // a person has more rows than that: the least that is enough
		q.Memory *= 2
		return scanned(t, w, q, workers)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func randomFilter(random *rand.Rand, depth int) *scan.Filter {
	prop := []string{"plan", "amount", "nothing", "session"}[random.IntN(4)]
	values := []parts.Value{{
		Kind: parts.String, Text: "pro",
	}, {Kind: parts.Number, Text: "7"}, {Kind: parts.Number, Text: "1"}, {Kind: parts.True},
		{Kind: parts.String, Text: "7"}, {Kind: parts.String, Text: "s1"}, {Kind: parts.Number, Text: "12.5"}}
	random.Shuffle(len(values), reflect.Swapper(values))
	ops := []scan.Op{
		scan.Eq, scan.Neq, scan.In, scan.Contains, scan.Gt, scan.Gte, scan.Lt, scan.Lte, scan.Exists, scan.Holds,
		scan.And, scan.Or, scan.Not,
	}
	if depth == 0 {
		ops = ops[:10]
	}
	f := &scan.Filter{Op: ops[random.IntN(len(ops))], Prop: prop, Text: "r", JSON: json.RawMessage(`{"b": "x"}`),
		Number: []float64{0, 7, 12.5, -1e3, 1e-9, 1e300}[random.IntN(6)], Values: values[:1]}
	switch f.Op {
	case scan.In:
		f.Values = values[:3]
	case scan.And, scan.Or:
		f.Filters = []scan.Filter{*randomFilter(random, depth-1), *randomFilter(random, depth-1)}
	case scan.Not:
		f.Filters = []scan.Filter{*randomFilter(random, depth-1)}
	default:
	}
	return f
}

func randomQuery(random *rand.Rand) *scan.Query {
	q := &scan.Query{From: firstDay * dayLong, To: (firstDay + days) * dayLong}
	if random.IntN(2) == 0 {
		q.From += random.Int64N(2 * dayLong)
		q.To -= random.Int64N(2 * dayLong)
	}
	if random.IntN(3) == 0 {
		q.AsOf = q.From + random.Int64N(4*dayLong)
	}
	if random.IntN(3) == 0 {
		q.Names = []string{"n1", "n2", "n9"}
	}
	if random.IntN(3) == 0 {
		q.Filter = randomFilter(random, 2)
	}
	for range random.IntN(4) {
		m := scan.Matcher{}
		if random.IntN(3) > 0 {
			m.Names = []string{fmt.Sprintf("n%d", random.IntN(4))}
		}
		if random.IntN(2) == 0 {
			m.Filter = randomFilter(random, 2)
		}
		q.Matchers = append(q.Matchers, m)
	}
	q.OnlyMarked = random.IntN(2) == 0
	for _, prop := range []string{"plan", "amount", "nothing"}[:random.IntN(4)] {
		q.Values = append(q.Values, scan.NewDictionary(prop))
	}
	if random.IntN(2) == 0 {
		q.Values = append(q.Values, &scan.Dictionary{ByName: true})
	}
	q.Sessions = random.IntN(3) == 0
	if q.Sessions && random.IntN(2) == 0 {
		q.SessionProp = "session"
	}
	if random.IntN(2) == 0 {
		q.Only = behaviour.NewSet()
		for no := range uint32(32) {
			if random.IntN(2) == 0 {
				q.Only.Add(no)
			}
		}
	}
	return q
}

func randomIdentity(random *rand.Rand, w *world) behaviour.Identity {
	var id behaviour.Identity
	for no := range uint32(30) {
		id.Canon = append(id.Canon, no)
		if no > 10 && random.IntN(3) == 0 {
			id.Canon[no] = 1 + no%7
		}
	}
	if e := w.events[random.IntN(len(w.events))]; e.Person > 10 && random.IntN(2) == 0 {
		to := []uint32{31, e.Person}[random.IntN(2)] // somebody new may have the anonymous id's own number
		id.Splits = map[uint32]behaviour.Split{e.Person: {TS: e.TS, Received: e.Received, ID: e.ID, To: to}}
	}
	return id
}

func TestPeopleAreThoseOfABruteForceReading(t *testing.T) {
	t.Parallel()
	for seed := range uint64(250) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, random, 1+random.IntN(1500), true)
		q := randomQuery(random)
		b := brute{q: q}
		if random.IntN(2) == 0 {
			b.ids = randomIdentity(random, w)
			q.Identity = &b.ids
		}
		if random.IntN(3) == 0 {
			q.Memory = 10_000 + random.Int64N(10_000) // so that people come range by range
		}
		want := b.people(w.events)
		got := scanned(t, w, q, 1+random.IntN(2))
		for no, rows := range want {
			if !slices.Equal(got[no], rows) {
				t.Fatalf("seed %d: person %d has\n%s\nwant\n%s", seed, no, strings.Join(got[no], "\n"), strings.Join(rows, "\n"))
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d people, want %d", seed, len(got), len(want))
		}
	}
}

func TestAScanStopsWithItsContextAndItsWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.New(rand.NewPCG(1, 1)), 1000, true)
	q := &scan.Query{From: firstDay * dayLong, To: (firstDay + days) * dayLong}
	stop := errors.New("enough")
	n := 0
	err := scan.People(t.Context(), q, w.headers, w.memory, func(*behaviour.Person) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("after the worker's error came %d people and %v", n-1, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = scan.People(ctx, q, w.headers, w.memory, func(*behaviour.Person) error { return errors.New("somebody came") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a scan whose context has ended: %v", err)
	}
}

func TestWhatDoesNotFitInMemoryIsTooLarge(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	w := &world{}
	var events []parts.Event
	for range 5000 { // of one person, who cannot be cut
		events = append(events, parts.Event{ID: eventID(
			random, firstDay*dayLong,
		), Person: 3, TS: firstDay * dayLong, Received: firstDay * dayLong, Name: "a", Props: []byte("{}")})
	}
	w.add(t, events)
	q := &scan.Query{From: firstDay * dayLong, To: (firstDay + 1) * dayLong, Memory: 50_000}
	err := scan.People(t.Context(), q, w.headers, w.memory, func(*behaviour.Person) error { return nil })
	if !errors.Is(err, scan.ErrTooLarge) {
		t.Errorf("5000 rows of one person in 50 kB: %v", err)
	}
}

func TestAPropThatIsNoColumnIsSaid(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.add(t, []parts.Event{{
		Person: 1, TS: firstDay * dayLong, Name: "a", Props: []byte(`{"x": "` + strings.Repeat("x", 2000) + `"}`),
	},
		{Person: 1, TS: firstDay * dayLong, Name: "b", Props: []byte(`{"x": "y"}`)}})
	q := &scan.Query{
		From: firstDay * dayLong, To: (firstDay + 1) * dayLong, Filter: &scan.Filter{Op: scan.Exists, Prop: "x"},
	}
	var none *scan.ErrNoColumn
	err := scan.People(t.Context(), q, w.headers, w.memory, func(*behaviour.Person) error { return nil })
	if !errors.As(err, &none) || none.Name != "a" || none.Prop != "x" {
		t.Errorf("a filter on a prop that is no column: %v", err)
	}
	q.Names = []string{"b"} // of which it is one
	if got := scanned(t, w, q, 1); len(got) != 1 {
		t.Errorf("%d people, want 1", len(got))
	}
}
