package people_test

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/people"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// randomOperation is one of few people, few moments and few values, so that much comes together.
func randomOperation(r *rand.Rand, project uuid.UUID) *ingest.OperationRow {
	at := func() time.Time { return began.Add(time.Duration(r.IntN(12)) * time.Hour) }
	var id uuid.UUID // of the seed too: it decides what comes first of one moment
	binary.BigEndian.PutUint64(id[:8], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	o := &ingest.OperationRow{ProjectID: project, ID: id, TS: at(), ReceivedAt: at(), Position: r.IntN(3), Props: []byte("{}")}
	user, anonymous := fmt.Sprint("u", r.IntN(4)), fmt.Sprint("a", r.IntN(4))
	switch r.IntN(3) {
	case 0:
		o.Of = events.Subject{Kind: events.Anonymous, Key: anonymous}
	case 1:
		o.Of, o.AnonymousID = events.Subject{Kind: events.User, Key: user}, anonymous
	default:
		o.Of = events.Subject{Kind: events.User, Key: user}
	}
	ops := []events.ProfileOp{people.Set, people.Set, people.SetOnce, people.Add, people.Append, people.Union, people.Remove, people.Unset, people.Delete}
	prop := string(rune('p' + r.IntN(2)))
	switch o.Op = ops[r.IntN(len(ops))]; o.Op {
	case people.Unset:
		o.Names = []string{prop}
	case people.Delete:
	default:
		value := []string{`1`, `2.50`, `"x"`, `null`, `["x", 1.0]`, `true`}[r.IntN(6)]
		o.Props = fmt.Appendf(nil, `{%q: %s}`, prop, value)
	}
	return o
}

// expected are the profiles by the words of the definition: who somebody is by Resolve, what is known of him by Apply.
func expected(t *testing.T, operations []*ingest.OperationRow, merges []people.Merge, no map[behaviour.PersonKey]uint32, asOf int64) map[uint32]people.Profile {
	t.Helper()
	operations = slices.Clone(operations)
	slices.SortFunc(operations, func(a, b *ingest.OperationRow) int {
		return cmp.Or(a.TS.Compare(b.TS), a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Position, b.Position), slices.Compare(a.ID[:], b.ID[:]))
	})
	number := func(of events.Subject) uint32 {
		return no[behaviour.PersonKey{Kind: behaviour.PersonKind(of.Kind), Key: of.Key}]
	}
	moment := func(o *ingest.OperationRow) people.Moment {
		return people.Moment{TS: o.TS.UnixMicro(), Received: o.ReceivedAt.UnixMicro(), ID: o.ID}
	}
	var links []people.Link
	for _, o := range operations {
		if o.AnonymousID != "" {
			anonymous := number(events.Subject{Kind: events.Anonymous, Key: o.AnonymousID})
			links = append(links, people.Link{Anonymous: anonymous, User: number(o.Of), At: moment(o)})
		}
	}
	canon := people.Resolve(links, merges, asOf)
	by := map[uint32][]people.Operation{}
	for _, o := range operations {
		if o.TS.UnixMicro() >= asOf || o.ReceivedAt.UnixMicro() >= asOf {
			continue
		}
		props, err := people.ParseObject(o.Props)
		if err != nil {
			t.Fatal(err)
		}
		person := canon.Person(number(o.Of), moment(o))
		by[person] = append(by[person], people.Operation{Op: o.Op, TS: o.TS.UnixMicro(), Received: o.ReceivedAt.UnixMicro(),
			Props: props, Names: o.Names})
	}
	out := map[uint32]people.Profile{}
	for person, list := range by {
		if p, exists := people.Apply(list); exists {
			out[person] = p
		}
	}
	return out
}

// world is a project whose operations arrive in any order, and are applied now and then.
type world struct {
	t          *testing.T
	random     *rand.Rand
	pool       *pgxpool.Pool
	project    uuid.UUID
	store      *behaviour.Store
	ingest     *ingest.Store
	folder     *people.Folder
	operations []*ingest.OperationRow
	merges     [][2]string
}

func (w *world) step() {
	w.t.Helper()
	switch w.random.IntN(8) {
	case 0, 1:
		w.folder.SetStep(1 + w.random.IntN(6)) // mostly some are left
		if _, err := w.folder.Fold(w.t.Context(), w.project); err != nil {
			w.t.Fatal(err)
		}
	case 2:
		from, into := fmt.Sprint("u", w.random.IntN(4)), fmt.Sprint("u", w.random.IntN(4))
		if from == into || slices.Contains(w.merges, [2]string{from, into}) {
			return
		}
		if _, err := people.NewMerges(w.store).Merge(w.t.Context(), w.project, from, into); err != nil {
			w.t.Fatal(err)
		}
		w.merges = append(w.merges, [2]string{from, into})
	default:
		var rows []*ingest.OperationRow
		for range 1 + w.random.IntN(4) {
			rows = append(rows, randomOperation(w.random, w.project))
		}
		if len(w.operations) > 0 {
			again := *w.operations[w.random.IntN(len(w.operations))]
			rows = append(rows, &again) // sent before: it changes nothing
		}
		if err := w.ingest.Append(w.t.Context(), nil, rows...); err != nil {
			w.t.Fatal(err)
		}
		w.operations = append(w.operations, rows...)
		slices.SortFunc(w.operations, func(a, b *ingest.OperationRow) int { return slices.Compare(a.ID[:], b.ID[:]) })
		w.operations = slices.CompactFunc(w.operations, func(a, b *ingest.OperationRow) bool { return a.ID == b.ID })
	}
}

// compare holds what a reader says of everybody to the definition.
func (w *world) compare(asOf int64) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), w.project, 0, 1, time.Minute, nil, func(v *behaviour.View) error {
		no := map[behaviour.PersonKey]uint32{}
		for i := range 4 {
			for _, k := range []behaviour.PersonKey{{Kind: behaviour.User, Key: fmt.Sprint("u", i)}, {Kind: behaviour.Anonymous, Key: fmt.Sprint("a", i)}} {
				n, found, err := v.Find(w.t.Context(), k)
				if err != nil {
					return err
				}
				if found {
					no[k] = n
				}
			}
		}
		var merges []people.Merge
		for _, m := range w.merges {
			merges = append(merges, people.Merge{From: no[behaviour.PersonKey{Kind: behaviour.User, Key: m[0]}],
				Into: no[behaviour.PersonKey{Kind: behaviour.User, Key: m[1]}]})
		}
		want := expected(w.t, w.operations, merges, no, asOf)
		r, err := people.NewReader(w.t.Context(), v, v.Identity(asOf), asOf)
		if err != nil {
			return err
		}
		everybody := behaviour.NewSet()
		for _, n := range no {
			everybody.Add(n)
		}
		got, err := r.Of(w.t.Context(), slices.Collect(everybody.All()))
		if err != nil {
			return err
		}
		if texts(w.t, got) != texts(w.t, want) {
			w.t.Errorf("as of %d: %s\nwant %s", asOf, texts(w.t, got), texts(w.t, want))
		}
		seen := map[uint32]bool{}
		err = r.Each(w.t.Context(), []string{"q", "p"}, func(person uint32, values []parts.Value) {
			p, there := want[person]
			if !there || seen[person] || len(values) != 2 || values[1].None() != (p["p"] == nil) || values[0].None() != (p["q"] == nil) {
				w.t.Errorf("as of %d: %d has %v, want %v", asOf, person, values, p)
			}
			seen[person] = true
		})
		if len(seen) != len(want) {
			w.t.Errorf("as of %d: %d people have a profile, want %d", asOf, len(seen), len(want))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// texts are profiles as one text; numbers may be written in several ways.
func texts(t *testing.T, profiles map[uint32]people.Profile) string {
	t.Helper()
	all := map[uint32]any{}
	for person, p := range profiles {
		text, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		all[person] = plain
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProfilesAreThoseOfTheDefinitionWheneverOperationsArriveAndAreApplied(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for round := range uint64(12) {
		w := &world{t: t, random: rand.New(rand.NewPCG(seed, 100+round)), pool: pool, project: uuid.New(),
			store: behaviour.NewStore(pool), ingest: ingest.NewStore(pool)}
		w.folder = people.NewFolder(w.store)
		for range 25 {
			w.step()
			w.compare(people.NoAsOf)
			w.compare(began.Add(time.Duration(w.random.IntN(13)) * time.Hour).UnixMicro())
			if t.Failed() {
				t.Fatalf("round %d of seed %d", round, seed)
			}
		}
	}
}

func TestAPersonThatIsForgottenHasNoProfile(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	w := &world{t: t, project: uuid.New(), store: behaviour.NewStore(pool), ingest: ingest.NewStore(pool)}
	w.folder = people.NewFolder(w.store)
	set := func(user string) *ingest.OperationRow {
		return &ingest.OperationRow{ProjectID: w.project, ID: uuid.New(), TS: began, ReceivedAt: began, Op: people.Set,
			Of: events.Subject{Kind: events.User, Key: user}, Props: []byte(`{"p": 1}`)}
	}
	for _, apply := range []bool{false, true} {
		if err := w.ingest.Append(t.Context(), nil, set("u0"), set("u1")); err != nil {
			t.Fatal(err)
		}
		if apply {
			if _, err := w.folder.Fold(t.Context(), w.project); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.store.Work(t.Context(), w.project, func(k *behaviour.Work) error {
			return k.Forget(t.Context(), behaviour.PersonKey{Kind: behaviour.User, Key: "u0"})
		}); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := pool.QueryRow(t.Context(), `SELECT array_agg(DISTINCT key) FROM (SELECT key FROM profiles WHERE project_id = $1
			UNION ALL SELECT key FROM profile_operations WHERE project_id = $1) AS t`, w.project).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(left, []string{"u1"}) {
			t.Errorf("applied %t: %q are left", apply, left)
		}
	}
}

func TestAProfileIsBounded(t *testing.T) {
	t.Parallel()
	var operations []people.Operation
	for i := range int64(2 * people.MaxProps) {
		operations = append(operations, people.Operation{Op: people.Set, TS: i, Props: props{fmt.Sprint(i): true}},
			people.Operation{Op: people.Append, TS: i, Props: props{"0": "x"}},
			people.Operation{Op: people.Append, TS: i, Props: props{"1": "x"}},
			people.Operation{Op: people.Union, TS: i, Props: props{"list": n(fmt.Sprint(i))}})
	}
	operations = append(operations, people.Operation{Op: people.Set, TS: 1e6, Props: props{"0": list{}}})
	p, _ := people.Apply(operations)
	if len(p) != people.MaxProps || len(p["list"].([]people.Value)) != people.MaxItems {
		t.Errorf("%d properties, %d items", len(p), len(p["list"].([]people.Value)))
	}
	if got := p["0"].([]people.Value); len(got) != 0 {
		t.Errorf("what is there can still be set: %v", got)
	}
}

// A late operation makes the profile anew, of all that is stored: with those that the next step is about.
func TestAnOperationIsAppliedOnceWhateverTheSteps(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	w := &world{t: t, project: uuid.New(), store: behaviour.NewStore(pool), ingest: ingest.NewStore(pool)}
	w.folder = people.NewFolder(w.store)
	w.folder.SetStep(1) // in the order of ids
	add := func(id byte, hour int) *ingest.OperationRow {
		at := began.Add(time.Duration(hour) * time.Hour)
		return &ingest.OperationRow{ProjectID: w.project, ID: uuid.UUID{id}, TS: at, ReceivedAt: at, Op: people.Add,
			Of: events.Subject{Kind: events.User, Key: "u0"}, Props: []byte(`{"p": 1}`)}
	}
	for _, arrived := range [][]*ingest.OperationRow{{add(5, 5)}, {add(1, 1), add(9, 9)}} {
		if err := w.ingest.Append(t.Context(), nil, arrived...); err != nil {
			t.Fatal(err)
		}
		if err := w.folder.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var p, operations int
	if err := pool.QueryRow(t.Context(), "SELECT (props ->> 'p')::int, operations FROM profiles").Scan(&p, &operations); err != nil {
		t.Fatal(err)
	}
	if p != 3 || operations != 3 {
		t.Errorf("%d of %d operations", p, operations)
	}
}
