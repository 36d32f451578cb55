package insightcases

import (
	"encoding/json"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/retention"
)

const directory = "../../testdata/insight-cases"

func load(t *testing.T) []Case {
	t.Helper()
	cases, err := Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// operator is what every kind of question is answered by.
type operator[T any] interface {
	Add(*behaviour.Person)
	Merge(T)
}

// pass gives every second person to another operator and merges the two.
func pass[T operator[T]](s *Source, make func() T) T {
	halves := [2]T{make(), make()}
	n := 0
	for p := range s.People {
		halves[n%2].Add(p)
		n++
	}
	halves[0].Merge(halves[1])
	return halves[0]
}

func answer(s *Source) any {
	switch s.c.Question.Kind {
	case "funnel":
		q := s.Funnel()
		return s.RenderFunnel(&q, pass(s, func() *funnel.Funnel { return funnel.New(q) }).Answer())
	case "retention":
		q := s.Retention()
		return s.RenderRetention(&q, pass(s, func() *retention.Retention { return retention.New(q) }).Answer())
	case "lifecycle":
		q := s.Lifecycle()
		return s.RenderLifecycle(pass(s, func() *activity.Lifecycle { return activity.NewLifecycle(q) }).Answer())
	case "stickiness":
		q := s.Stickiness()
		return s.RenderStickiness(pass(s, func() *activity.Stickiness { return activity.NewStickiness(q) }).Answer())
	case "uniques":
		q := s.Uniques()
		return s.RenderUniques(pass(s, func() *activity.Uniques { return activity.NewUniques(q) }).Answer())
	case "paths":
		q := s.Paths()
		return s.RenderPaths(pass(s, func() *paths.Paths { return paths.New(q) }).Answer())
	case "cohort":
		q := s.Cohort()
		return s.RenderCohort(pass(s, func() *cohorts.Cohort { return cohorts.New(q) }).Answer())
	default:
		panic("no question is called " + s.c.Question.Kind)
	}
}

func TestEveryCase(t *testing.T) {
	t.Parallel()
	cases := load(t)
	const handed = 363
	if len(cases) < handed {
		t.Fatalf("%d cases in %s, want at least %d", len(cases), directory, handed)
	}
	for _, c := range cases {
		t.Run(c.Family+"/"+c.ID, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(answer(NewSource(&c)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := Differ(text, c.Expect); diff != "" {
				t.Errorf("%s\n%s\ngot  %s\nwant %s", c.Note, diff, text, c.Expect)
			}
		})
	}
}

func TestAnswersThatDifferAreToldApart(t *testing.T) {
	t.Parallel()
	const want = `{"counts":[3,2],"time":{"mean":1.5},"other":null}`
	for got, diff := range map[string]string{
		`{"other":null,"time":{"mean":1.5000000001},"counts":[3,2]}`:    "",
		`{"counts":[3,1],"time":{"mean":1.5},"other":null}`:             "/counts/1 is 1, want 2",
		`{"counts":[3],"time":{"mean":1.5},"other":null}`:               "/counts is [3], want [3 2]",
		`{"counts":[3,2],"time":{"mean":1.5001},"other":null}`:          "/time/mean is 1.5001, want 1.5",
		`{"counts":[3,2],"time":{"mean":1.5},"other":null,"groups":[]}`: "/groups is not expected",
		`{"counts":[3,2],"time":null,"other":null}`:                     "/time is <nil>, want map[mean:1.5]",
	} {
		if is := Differ([]byte(got), []byte(want)); is != diff {
			t.Errorf("%s differs %q, want %q", got, is, diff)
		}
	}
}
