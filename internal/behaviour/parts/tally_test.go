package parts_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

func TestTalliesAreOfTypesRangesAndValues(t *testing.T) {
	t.Parallel()
	var b parts.Builder
	for i, props := range []string{
		`{"p": 1}`, `{"p": -2.5, "": 1}`, `{"p": "1"}`, `{"p": "1"}`, `{"p": true}`, `{"p": null}`, `{"p": [1]}`,
		fmt.Sprintf(`{"p": "%01500d"}`, 7), `{}`,
	} {
		e := parts.Event{TS: int64(100 + i), Name: "a", Props: []byte(props)}
		e.ID[15] = byte(i)
		if i == 0 {
			e.Name = "b"
		}
		if err := b.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	for _, tally := range b.Tallies(10) {
		said[tally.Name+"."+tally.Prop] = fmt.Sprint(tally.Events, tally.First, tally.Last, " ", tally.Nulls, tally.Booleans, tally.Numbers,
			tally.Strings, tally.Structures, tally.Large, " ", tally.Min, tally.Max, " ", len(tally.Values), tally.Unlisted)
	}
	for of, want := range map[string]string{
		"b.": "1 100 100 0 0 0 0 0 0 +Inf -Inf 0 0", "b.p": "1 100 100 0 0 1 0 0 0 1 1 1 0",
		"a.": "8 101 108 0 0 0 0 0 0 +Inf -Inf 0 0", "a.p": "7 101 107 1 1 1 2 1 1 -2.5 -2.5 3 0",
		".": "9 100 108 0 0 0 0 0 0 +Inf -Inf 0 0", ".p": "8 100 107 1 1 2 2 1 1 -2.5 1 4 0",
	} {
		if said[of] != want {
			t.Errorf("%q is %s, want %s", of, said[of], want)
		}
		delete(said, of)
	}
	if len(said) > 0 {
		t.Errorf("there is also %v", said)
	}
}

// BenchmarkTallies is what the catalogue adds to the building of a part, beside that in one run.
func BenchmarkTallies(b *testing.B) {
	events := history(rand.New(rand.NewPCG(1, 1)), 50_000)
	for _, tallied := range []bool{false, true} {
		b.Run(fmt.Sprintf("tallied=%t", tallied), func(b *testing.B) {
			for b.Loop() {
				var p parts.Builder
				for i := range events {
					if err := p.Add(&events[i]); err != nil {
						b.Fatal(err)
					}
				}
				if tallied {
					p.Tallies(200)
				}
				p.Encode()
			}
		})
	}
}
