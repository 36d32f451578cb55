package people_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/bahagh/nimbus/internal/people"
)

type (
	props = map[string]people.Value
	list  = []people.Value
	n     = people.Number
)

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		operations []people.Operation
		want       people.Profile
		exists     bool
	}{
		{"nothing", nil, people.Profile{}, false},
		{"the later set wins, whenever it came", []people.Operation{
			{Op: people.Set, TS: 2, Received: 2, Props: props{"plan": "pro"}},
			{Op: people.Set, TS: 1, Received: 9, Props: props{"plan": "free"}},
		}, people.Profile{"plan": "pro"}, true},
		{"of one time the one received later wins", []people.Operation{
			{Op: people.Set, TS: 1, Received: 9, Props: props{"plan": "pro"}},
			{Op: people.Set, TS: 1, Received: 2, Props: props{"plan": "free"}},
		}, people.Profile{"plan": "pro"}, true},
		{"then the one given later", []people.Operation{
			{Op: people.Set, TS: 1, Props: props{"plan": "free"}},
			{Op: people.Set, TS: 1, Props: props{"plan": "pro"}},
		}, people.Profile{"plan": "pro"}, true},
		{"set_once sets what is absent or null", []people.Operation{
			{Op: people.Set, TS: 1, Props: props{"plan": "free", "city": nil}},
			{Op: people.SetOnce, TS: 2, Props: props{"plan": "pro", "city": "Tunis", "seats": n("1")}},
		}, people.Profile{"plan": "free", "city": "Tunis", "seats": n("1")}, true},
		{"add is exact, and begins at 0", []people.Operation{
			{Op: people.Add, TS: 1, Props: props{"a": n("0.1"), "b": n("-1")}},
			{Op: people.Add, TS: 2, Props: props{"a": n("0.2"), "b": n("1e2")}},
		}, people.Profile{"a": n("0.3"), "b": n("99")}, true},
		{"what does not fit changes nothing", []people.Operation{
			{Op: people.Set, TS: 1, Props: props{"a": "x", "b": n("1"), "c": list{}}},
			{Op: people.Add, TS: 2, Props: props{"a": n("1"), "b": "x", "c": n("1"), "d": n("1e1000000000")}},
			{Op: people.Append, TS: 2, Props: props{"a": "y"}},
			{Op: people.Union, TS: 2, Props: props{"b": list{"y"}}},
			{Op: people.Remove, TS: 2, Props: props{"a": "x", "none": "x"}},
		}, people.Profile{"a": "x", "b": n("1"), "c": list{}}, true},
		{"append appends, also what is there", []people.Operation{
			{Op: people.Append, TS: 1, Props: props{"tags": "a"}},
			{Op: people.Append, TS: 2, Props: props{"tags": "a"}},
		}, people.Profile{"tags": list{"a", "a"}}, true},
		{"union adds what is not there, as filters compare", []people.Operation{
			{Op: people.Union, TS: 1, Props: props{"tags": list{n("1"), "1"}}},
			{Op: people.Union, TS: 2, Props: props{"tags": list{n("1.0"), "2", "2"}}},
		}, people.Profile{"tags": list{n("1"), "1", "2"}}, true},
		{"remove takes all that are equal", []people.Operation{
			{Op: people.Set, TS: 1, Props: props{"tags": list{"a", "b", "a", "c"}}},
			{Op: people.Remove, TS: 2, Props: props{"tags": "a"}},
			{Op: people.Remove, TS: 3, Props: props{"tags": list{"c", "x"}}},
		}, people.Profile{"tags": list{"b"}}, true},
		{"unset takes names away", []people.Operation{
			{Op: people.Set, TS: 1, Props: props{"a": "x", "b": "y"}},
			{Op: people.Unset, TS: 2, Names: []string{"a", "none"}},
		}, people.Profile{"b": "y"}, true},
		{"delete takes all that was before", []people.Operation{
			{Op: people.Delete, TS: 2},
			{Op: people.Set, TS: 1, Props: props{"a": "x"}},
		}, people.Profile{}, false},
		{"and nothing that came after", []people.Operation{
			{Op: people.Set, TS: 3, Props: props{"a": "x"}},
			{Op: people.Delete, TS: 2},
			{Op: people.Set, TS: 1, Props: props{"b": "x"}},
		}, people.Profile{"a": "x"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, exists := people.Apply(c.operations)
			if !reflect.DeepEqual(got, c.want) || exists != c.exists {
				t.Errorf("profile %#v (exists: %t), want %#v (%t)", got, exists, c.want, c.exists)
			}
		})
	}
}

func TestAProfileDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	ops := []people.Op{people.Set, people.SetOnce, people.Add, people.Append, people.Union, people.Remove, people.Unset, people.Delete}
	values := []people.Value{"a", "b", n("1"), n("2.50"), nil, true, list{"a"}, props{"x": n("1")}}
	for round := range 2000 {
		var operations []people.Operation
		for i := range r.IntN(10) {
			o := people.Operation{Op: ops[r.IntN(len(ops))], TS: int64(i), Received: r.Int64N(5)}
			o.Props = props{string(rune('p' + r.IntN(2))): values[r.IntN(len(values))]}
			o.Names = []string{"p"}
			operations = append(operations, o)
		}
		want, exists := people.Apply(operations)
		r.Shuffle(len(operations), func(i, j int) { operations[i], operations[j] = operations[j], operations[i] })
		if got, is := people.Apply(operations); !reflect.DeepEqual(got, want) || is != exists {
			t.Fatalf("round %d: %#v, want %#v, of %+v", round, got, want, operations)
		}
	}
}

func TestValuesAreEqualAsFiltersCompareThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b people.Value
		want bool
	}{
		{n("1"), n("1.0"), true}, {n("10"), n("1e1"), true}, {n("1"), "1", false}, {n("1"), true, false},
		{"a", "a", true}, {nil, nil, true}, {nil, "a", false}, {list{n("1"), "x"}, list{n("1.0"), "x"}, true},
		{list{"x"}, "x", false}, {"x", list{"x"}, false}, {props{"a": n("1")}, props{"a": n("1.00")}, true},
		{props{"a": n("1")}, props{"b": n("1")}, false}, {n("1e999999999"), n("1e999999999"), true},
	} {
		if got := people.Equal(c.a, c.b); got != c.want {
			t.Errorf("%#v equals %#v: %t, want %t", c.a, c.b, got, c.want)
		}
	}
}
