package parts_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

const day = int64(20_000) * 86_400_000_000

// history makes events of one day as they come: several names, few people, equal times, every kind of value.
func history(random *rand.Rand, n int) []parts.Event {
	events := make([]parts.Event, n)
	for i := range events {
		ts := day + random.Int64N(86_400_000)*1000
		if random.IntN(3) == 0 {
			ts = day + random.Int64N(5)*1000 + random.Int64N(2)
		}
		e := parts.Event{
			ID: id(random, ts), Person: uint32(
				random.IntN(40),
			), TS: ts, Received: ts + random.Int64N(3)*1000, Name: fmt.Sprintf("name %d", random.IntN(4)),
		}
		if random.IntN(50) == 0 {
			e.Received = ts + random.Int64N(30*86_400_000_000) - 86_400_000_000
		}
		e.Props = props(random)
		events[i] = e
	}
	return events
}

func id(random *rand.Rand, ts int64) uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(random.UintN(256))
	}
	ms := uint64(ts / 1000)
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

// props are as jsonb writes them.
func props(random *rand.Rand) []byte {
	var b strings.Builder
	b.WriteByte('{')
	add := func(key, value string) {
		if b.Len() > 1 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q: %s", key, value)
	}
	if random.IntN(4) > 0 {
		add("plan", []string{
			`"free"`, `"pro"`, `null`, `true`, `false`, `1.0`, `1`, `"1"`, `{"a": [1, 2]}`, `[]`,
		}[random.IntN(10)])
	}
	if random.IntN(5) > 0 {
		add("amount", fmt.Sprintf("%d.%02d", random.IntN(100000)-50000, random.IntN(100)))
	}
	add("n", fmt.Sprint(random.Int64N(1<<40)))
	if random.IntN(200) == 0 {
		add(`quoted "key" \`, `"ü\n\\ ☃"`)
	}
	b.WriteByte('}')
	return []byte(b.String())
}

func encode(t testing.TB, events []parts.Event) *parts.Part {
	t.Helper()
	var b parts.Builder
	for i := range events {
		if err := b.Add(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Encode()
}

// stored is a row as a part gives it back.
type stored struct {
	name     string
	person   uint32
	ts       int64
	received int64
	tie      uint64
	rank     uint32
	props    string // JSON, by key
}

func reopen(t testing.TB, p *parts.Part) *parts.Part {
	t.Helper()
	h, err := parts.ParseHeader(p.Header.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return &parts.Part{Header: h, Columns: p.Columns}
}

func rows(t testing.TB, p *parts.Part) []stored {
	t.Helper()
	var all []stored
	for i := range p.Header.Chunks {
		c := &p.Header.Chunks[i]
		persons, err1 := c.DecodePersons(nil, p.Chunk(i, parts.ColPerson))
		times, err2 := c.DecodeTimes(nil, p.Chunk(i, parts.ColTS))
		ranks, err3 := c.DecodeRanks(nil, p.Chunk(i, parts.ColRank))
		received, err4 := c.DecodeReceived(nil, p.Chunk(i, parts.ColReceived))
		ties, err5 := c.DecodeTies(nil, p.Chunk(i, parts.ColTie))
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		start := len(all)
		for k := range persons {
			all = append(all, stored{
				name: c.Name, person: persons[k], ts: times[k], received: times[k] + received[k], tie: ties[k], rank: ranks[k],
			})
		}
		for k, name := range p.Header.Props {
			column := parts.FirstProp + k
			if c.Columns[column].Left {
				t.Fatalf("%s of %s is no column", name, c.Name)
			}
			var prop parts.Prop
			if err := c.DecodeProp(&prop, column, p.Chunk(i, column)); err != nil {
				t.Fatal(err)
			}
			for r := range persons {
				if v := prop.Value(r); v.Kind != parts.Absent {
					all[start+r].props += fmt.Sprintf("%s=%d:%s;", name, v.Kind, v.Text)
				}
			}
		}
	}
	return all
}

// expected is what a part should give back, by its definition.
func expected(t testing.TB, events []parts.Event) []stored {
	t.Helper()
	var all []stored
	for _, e := range events {
		s := stored{name: e.Name, person: e.Person, ts: e.TS, received: e.Received, tie: parts.Tie(e.ID)}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(e.Props, &members); err != nil {
			t.Fatal(err)
		}
		keys := make([]string, 0, len(members))
		for k := range members {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			v, err := parts.ParseValue(members[k])
			if err != nil {
				t.Fatal(err)
			}
			s.props += fmt.Sprintf("%s=%d:%s;", k, v.Kind, v.Text)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(x, y stored) int {
		return cmp.Or(cmp.Compare(x.ts, y.ts), cmp.Compare(x.received, y.received), cmp.Compare(x.tie, y.tie))
	})
	all = slices.Compact(all)
	for i := 1; i < len(all); i++ {
		if all[i].ts == all[i-1].ts {
			all[i].rank = all[i-1].rank + 1
		}
	}
	slices.SortStableFunc(
		all, func(x, y stored) int { return cmp.Or(strings.Compare(x.name, y.name), cmp.Compare(x.person, y.person)) },
	)
	return all
}

func TestAPartGivesBackWhatWentIntoItInOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		events := history(random, 1+random.IntN(600))
		events = append(events, events[:random.IntN(len(events)+1)]...) // sent twice
		want := expected(t, events)
		got := rows(t, reopen(t, encode(t, events)))
		if !slices.Equal(got, want) {
			t.Fatalf(
				"round %d: %d rows, want %d; the first that differs: %s", round, len(got), len(want), firstDifference(got, want),
			)
		}
	}
}

func firstDifference(got, want []stored) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	return "the length"
}

func TestMergedPartsAreThePartOfAllTheirEvents(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		events := history(random, 1+random.IntN(900))
		var merged parts.Builder
		for some := range slices.Chunk(events, 1+random.IntN(300)) {
			some = append(slices.Clone(some), events[random.IntN(len(events))]) // in two parts
			p := reopen(t, encode(t, some))
			for i := range p.Header.Chunks {
				err := merged.AddChunk(p.Header, i, func(column int) ([]byte, error) { return p.Chunk(i, column), nil })
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		got, want := rows(t, merged.Encode()), expected(t, events)
		if !slices.Equal(got, want) {
			t.Fatalf("%d rows, want %d: %s", len(got), len(want), firstDifference(got, want))
		}
	}
}

func TestALongNameIsSeveralChunksInOrderOfPeople(t *testing.T) {
	t.Parallel()
	events := make([]parts.Event, 3*parts.ChunkRows+5)
	random := rand.New(rand.NewPCG(5, 6))
	for i := range events {
		events[i] = parts.Event{
			ID: id(random, day), Person: uint32(i * 7 % 50_000), TS: day, Received: day, Name: "a", Props: []byte("{}"),
		}
	}
	p := reopen(t, encode(t, events))
	if n := len(p.Header.Chunks); n != 4 || p.Header.Rows != len(events) {
		t.Fatalf("%d chunks with %d rows, want 4 with %d", n, p.Header.Rows, len(events))
	}
	for i := 1; i < 4; i++ {
		if p.Header.Chunks[i].FirstPerson < p.Header.Chunks[i-1].LastPerson {
			t.Errorf("chunk %d begins with a person before the last of the one before", i)
		}
	}
}

func TestWhatWouldBlowAPartUpIsNoColumn(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	var events []parts.Event
	for i := range 2000 {
		var many strings.Builder
		for k := range 210 {
			if k < 195 || i == k { // the last ones are rare
				fmt.Fprintf(&many, `, "p%03d": 1`, k)
			}
		}
		deep := `1`
		if i == 7 {
			deep = `[[[[[1]]]]]`
		}
		events = append(events, parts.Event{ID: id(
			random, day,
		), Person: 1, TS: day, Received: day, Name: "a", Props: fmt.Appendf(nil,
			`{"deep": %s, "long": "%s", "token": "%064x", "kept": %d%s}`, deep, strings.Repeat(
				"x", 2000,
			), random.Uint64(), i%3, many.String())})
	}
	h := encode(t, events).Header
	left := map[string]bool{}
	for k, name := range h.Props {
		left[name] = h.Chunks[0].Columns[parts.FirstProp+k].Left
	}
	columns := 0
	for _, l := range left {
		if !l {
			columns++
		}
	}
	if !left["deep"] || !left["long"] || !left["token"] || left["kept"] || left["p000"] || !left["p209"] {
		t.Errorf("left out are %v", left)
	}
	if columns > parts.MaxProps {
		t.Errorf("%d props are columns, at most %d should be", columns, parts.MaxProps)
	}
}

func TestDamageOfAnyByteIsDetected(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	p := encode(t, history(random, 300))
	header := p.Header.Append(nil)
	for i := range header {
		bad := bytes.Clone(header)
		bad[i] ^= 1 << random.IntN(8)
		if _, err := parts.ParseHeader(bad); !errors.Is(err, parts.ErrDamaged) {
			t.Fatalf("byte %d of the header: %v", i, err)
		}
		if _, err := parts.ParseHeader(header[:i]); !errors.Is(err, parts.ErrDamaged) {
			t.Fatalf("the header cut off at %d: %v", i, err)
		}
	}
	c := &p.Header.Chunks[0]
	column := p.Header.Prop("amount")
	for k, decode := range map[int]func([]byte) error{
		parts.ColPerson: func(b []byte) error { _, err := c.DecodePersons(nil, b); return err },
		parts.ColTS:     func(b []byte) error { _, err := c.DecodeTimes(nil, b); return err },
		parts.ColTie:    func(b []byte) error { _, err := c.DecodeTies(nil, b); return err },
		column:          func(b []byte) error { return c.DecodeProp(&parts.Prop{}, column, b) },
	} {
		whole := p.Chunk(0, k)
		if err := decode(whole); err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << random.IntN(8)
			if err := decode(bad); !errors.Is(err, parts.ErrDamaged) {
				t.Fatalf("byte %d of column %d: %v", i, k, err)
			}
		}
		if err := decode(p.Chunk(1, k)); !errors.Is(err, parts.ErrDamaged) {
			t.Errorf("another chunk of column %d: %v", k, err)
		}
	}
}

func TestALaterVersionIsToldFromDamage(t *testing.T) {
	t.Parallel()
	header := encode(t, history(rand.New(rand.NewPCG(1, 1)), 10)).Header.Append(nil)
	if _, err := parts.ParseHeader(parts.WithVersion(header, 2)); !errors.Is(err, parts.ErrVersion) {
		t.Errorf("a header of version 2: %v", err)
	}
}

// TestAnEventTakesTwentyBytesAtMost builds a day of the data that BEHAVIOUR's figures were measured with.
func TestAnEventTakesTwentyBytesAtMost(t *testing.T) {
	t.Parallel()
	p := encode(t, measured(333_333))
	perEvent := func(n int) float64 { return float64(n) / float64(p.Header.Rows) }
	for k, name := range append([]string{"person", "ts", "rank", "received", "tie"}, p.Header.Props...) {
		t.Logf("%-10s %5.2f bytes an event", name, perEvent(len(p.Columns[k])))
	}
	header := len(p.Header.Append(nil))
	t.Logf("%-10s %5.2f bytes an event", "header", perEvent(header))
	if total := perEvent(p.Size() + header); total > 20 {
		t.Errorf("%.2f bytes an event, want 20 at most", total)
	} else {
		t.Logf("%-10s %5.2f bytes an event", "total", total)
	}
}

// measured are events of 20 names and 200,000 people with four props.
func measured(n int) []parts.Event {
	random := rand.New(rand.NewPCG(11, 12))
	events := make([]parts.Event, n)
	for i := range events {
		ts := day + int64(i)*259_200/1000*1000 // whole milliseconds, as clients send them
		x, y := random.Float64(), random.Float64()
		events[i] = parts.Event{
			ID: id(random, ts), Person: 1 + uint32(200_000*y*(0.5+y/2)), TS: ts, Received: ts + 40_000 + random.Int64N(200_000),
			Name: fmt.Sprintf("event_%d", int(20*x*x)),
			Props: fmt.Appendf(nil, `{"page": "/p/%d", "plan": "%s", "amount": %.2f, "referrer": "%s"}`, random.IntN(501),
				[]string{"free", "pro", "team"}[random.IntN(3)], float64(random.IntN(100_000))/100,
				[]string{"google", "bing", "direct", "twitter"}[random.IntN(4)]),
		}
	}
	return events
}

func BenchmarkBuild(b *testing.B) {
	events := measured(100_000)
	start, rows := time.Now(), 0
	for b.Loop() {
		encode(b, events)
		rows += len(events)
	}
	b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "rows/s")
}
