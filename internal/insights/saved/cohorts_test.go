package saved_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/insights/saved"
)

func (b *testBundle) cohorts(limits saved.CohortLimits) *saved.Cohorts {
	return saved.NewCohorts(b.pool, behaviour.NewStore(b.pool), limits)
}

// in is the clause of being in a cohort, refused when that one's leads to itself: what CheckClause does of a whole tree.
func in(id uuid.UUID) saved.Clause {
	return func(all []answers.Cohort, itself *answers.Cohort) (json.RawMessage, error) {
		for _, c := range all {
			if itself != nil && c.ID == id && strings.Contains(string(c.Where), itself.ID.String()) {
				return nil, problem.New(problem.CodeValidation, "a circle")
			}
		}
		return json.RawMessage(fmt.Sprintf(`{"op": "in", "cohort": %q}`, id)), nil
	}
}

func live() saved.Clause {
	return func([]answers.Cohort, *answers.Cohort) (json.RawMessage, error) {
		return json.RawMessage(`{"op": "did"}`), nil
	}
}

func TestTheLimitsOfCohortsHoldHoweverManyAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cohorts := b.cohorts(saved.CohortLimits{Cohorts: 3, People: 5})
	create := func(ctx context.Context) (saved.Cohort, error) {
		return cohorts.Create(ctx, b.account, b.project, saved.Cohort{Name: "c"}, nil, nil)
	}
	fixed, err := create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if _, err := create(t.Context()); err != nil && !problem.Is(err, problem.CodeLimitReached) {
				t.Error(err)
			}
		})
		all.Go(func() {
			two := []behaviour.PersonKey{{Kind: behaviour.User, Key: fmt.Sprint(n)}, {Kind: behaviour.Anonymous, Key: fmt.Sprint(n)}}
			_, err := cohorts.SetPeople(t.Context(), b.account, b.project, fixed.ID, nil, saved.Add, two)
			if err != nil && !problem.Is(err, problem.CodeLimitReached) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	made, err := cohorts.List(t.Context(), b.project)
	if err != nil || len(made) != 3 {
		t.Errorf("%d cohorts, %v", len(made), err)
	}
	if after, _, err := cohorts.Get(t.Context(), b.project, fixed.ID); err != nil || after.Listed != 4 || after.Version != 3 {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestTwoChangesAtOnceMakeNoCircle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cohorts := b.cohorts(saved.CohortLimits{})
	for range 10 {
		var made [2]saved.Cohort
		for i := range made {
			var err error
			if made[i], err = cohorts.Create(t.Context(), b.account, b.project, saved.Cohort{Name: "c"}, live(), nil); err != nil {
				t.Fatal(err)
			}
		}
		var both sync.WaitGroup
		var done atomic.Int32
		for i := range made {
			both.Go(func() {
				_, err := cohorts.Update(t.Context(), b.account, b.project, made[i].ID, saved.CohortChange{Where: in(made[1-i].ID)})
				switch {
				case err == nil:
					done.Add(1)
				case !problem.Is(err, problem.CodeValidation):
					t.Error(err)
				}
			})
		}
		both.Wait()
		if done.Load() != 1 {
			t.Fatalf("%d of two changes that make a circle were made", done.Load())
		}
	}
}

func TestACohortIsUsedByWhatNamesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cohorts := b.cohorts(saved.CohortLimits{})
	c, err := cohorts.Create(t.Context(), b.account, b.project, saved.Cohort{Name: "recurring"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	report := func(name, question string) {
		b.exec(t, `INSERT INTO reports (project_id, id, name, description, question, view) VALUES ($1, gen_random_uuid(), $2, '', $3, '{}')`, b.project, name, question)
	}
	report("by its id", fmt.Sprintf(`{"people": {"op": "and", "clauses": [{"op": "not", "clause": {"op": "in", "cohort": %q}}]}}`, c.ID))
	report("by its name", `{"people": {"op": "in", "cohort": "recurring"}}`)
	report("broken down", fmt.Sprintf(`{"breakdown": {"cohorts": ["x", %q]}}`, c.ID))
	report("not at all", `{"kind": "retention", "cohort": "recurring", "people": {"op": "in", "cohort": "other"}}`)
	b.exec(t, `INSERT INTO boards (project_id, id, name, description) VALUES ($1, gen_random_uuid(), 'board', ''), ($1, gen_random_uuid(), 'another', '')`, b.project)
	b.exec(t, `INSERT INTO board_tiles (project_id, board_id, position, report_id, width)
		SELECT r.project_id, b.id, row_number() OVER (), r.id, 'half' FROM reports r JOIN boards b USING (project_id)
		WHERE b.name = 'board' OR r.name = 'not at all'`)
	_, uses, err := cohorts.Get(t.Context(), b.project, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range uses {
		got = append(got, u.Kind+" "+u.Name)
	}
	if want := "board board, report broken down, report by its id, report by its name"; strings.Join(got, ", ") != want {
		t.Errorf("used by %v, want %s", got, want)
	}
	if err := cohorts.Delete(t.Context(), b.project, c.ID, false); !problem.Is(err, problem.CodeCohortInUse) {
		t.Errorf("deleted while it is used: %v", err)
	}
	if err := cohorts.Delete(t.Context(), b.project, c.ID, true); err != nil {
		t.Error(err)
	}
}

func TestAListGoesWithItsCohortItsPersonAndItsProject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cohorts, store := b.cohorts(saved.CohortLimits{}), behaviour.NewStore(b.pool)
	listed := func() (n int) {
		if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM cohort_people").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ada, bob := behaviour.PersonKey{Kind: behaviour.User, Key: "ada"}, behaviour.PersonKey{Kind: behaviour.User, Key: "bob"}
	var made [3]saved.Cohort
	for i := range made {
		var err error
		if made[i], err = cohorts.Create(t.Context(), b.account, b.project, saved.Cohort{Name: "c"}, nil, []behaviour.PersonKey{ada, bob}); err != nil {
			t.Fatal(err)
		}
	}
	if err := cohorts.Delete(t.Context(), b.project, made[0].ID, false); err != nil || listed() != 4 {
		t.Errorf("%d ids are listed without one of three cohorts, %v", listed(), err)
	}
	err := store.Work(t.Context(), b.project, func(w *behaviour.Work) error { return w.Forget(t.Context(), ada) })
	if err != nil || listed() != 2 {
		t.Errorf("%d ids are listed without one of two people, %v", listed(), err)
	}
	err = store.Work(t.Context(), b.project, func(w *behaviour.Work) error { return w.RemoveProject(t.Context()) })
	if err != nil || listed() != 0 {
		t.Errorf("%d ids are listed of a project that is gone, %v", listed(), err)
	}
}
