package saved_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

type testBundle struct {
	pool             *pgxpool.Pool
	saved            *saved.Service
	account, project uuid.UUID
}

func setup(t *testing.T) testBundle {
	t.Helper()
	b := testBundle{pool: nimbustest.DB(t), account: uuid.New(), project: uuid.New()}
	b.saved = saved.New(b.pool, saved.Limits{})
	b.exec(t, `INSERT INTO accounts (id, email, password_hash) VALUES ($1, 'ada@example.com', '')`, b.account)
	b.exec(t, `INSERT INTO projects (id, name) VALUES ($1, 'p')`, b.project)
	return b
}

func (b *testBundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

var question = saved.Insight{Name: "r", Kind: "metrics", Question: json.RawMessage(`{}`), View: json.RawMessage(`{}`)}

func (b *testBundle) insight(t *testing.T) saved.Insight {
	t.Helper()
	r, err := b.saved.CreateInsight(t.Context(), b.account, b.project, question)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheLimitHoldsHoweverManyAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO insights (project_id, id, name, description, question, view)
		SELECT $1, gen_random_uuid(), 'r', '', '{}', '{}' FROM generate_series(1, 499)`, b.project)
	b.exec(t, `INSERT INTO boards (project_id, id, name, description) SELECT $1, gen_random_uuid(), 'b', '' FROM generate_series(1, 99)`, b.project)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := b.saved.CreateInsight(t.Context(), b.account, b.project, question); err != nil && !problem.Is(err, problem.CodeLimitReached) {
				t.Error(err)
			}
			if _, err := b.saved.CreateBoard(t.Context(), b.account, b.project, saved.Board{Name: "b"}); err != nil && !problem.Is(err, problem.CodeLimitReached) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	made, err := b.saved.Insights(t.Context(), b.project)
	if err != nil || len(made) != 500 {
		t.Errorf("%d insights, %v", len(made), err)
	}
	boards, err := b.saved.Boards(t.Context(), b.project)
	if err != nil || len(boards) != 100 {
		t.Errorf("%d boards, %v", len(boards), err)
	}
}

func TestAnInsightThatGoesWhileItIsPlacedIsABadTileAndNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		r := b.insight(t)
		var both sync.WaitGroup
		both.Go(func() {
			board := saved.Board{Name: "b", Tiles: []saved.Tile{{W: 6, H: 4, InsightID: &r.ID}}}
			if _, err := b.saved.CreateBoard(t.Context(), b.account, b.project, board); err != nil && !problem.Is(err, problem.CodeValidation) {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := b.saved.DeleteInsight(t.Context(), b.account, b.project, r.ID, nil); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
}

func TestTheAuditLogHasWhatEachChangeReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.insight(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			name := fmt.Sprint(n)
			if _, err := b.saved.UpdateInsight(t.Context(), b.account, b.project, r.ID, saved.InsightChange{Name: &name}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// Each name was replaced once, but for the one that is there.
	var replaced int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(DISTINCT changes->'name'->>'old') FROM audit_log WHERE action = 'insight.update'`).Scan(&replaced); err != nil {
		t.Fatal(err)
	}
	if replaced != 8 {
		t.Errorf("%d names were replaced by 8 changes", replaced)
	}
}

func TestNothingIsKeptInAProjectThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.insight(t)
	b.exec(t, `UPDATE projects SET deleted_at = now()`)
	if _, err := b.saved.CreateInsight(t.Context(), b.account, b.project, question); !problem.Is(err, problem.CodeNotFound) {
		t.Errorf("a new report: %v", err)
	}
	if err := b.saved.DeleteInsight(t.Context(), b.account, b.project, r.ID, nil); !problem.Is(err, problem.CodeNotFound) {
		t.Errorf("an old one: %v", err)
	}
}

func TestOfChangesOfOneVersionOnlyOneIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	board, err := b.saved.CreateBoard(t.Context(), b.account, b.project, saved.Board{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	var made atomic.Int32
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			name := fmt.Sprint(n)
			switch _, err := b.saved.UpdateBoard(t.Context(), b.account, b.project, board.ID, saved.BoardChange{IfVersion: &board.Version, Name: &name}); {
			case err == nil:
				made.Add(1)
			case !problem.Is(err, problem.CodeVersionConflict):
				t.Error(err)
			}
		})
	}
	all.Wait()
	after, err := b.saved.Board(t.Context(), b.project, board.ID)
	if err != nil || made.Load() != 1 || after.Version != 2 {
		t.Errorf("%d changes were made, now version %d, %v", made.Load(), after.Version, err)
	}
}

func TestTheLimitsOfAnnotationsAndCustomEventsHoldHoweverManyAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.saved = saved.New(b.pool, saved.Limits{Annotations: 3, CustomEvents: 3})
	now := time.Now()
	var annotations, events atomic.Int32
	count := func(made *atomic.Int32, err error) {
		if err == nil {
			made.Add(1)
		} else if !problem.Is(err, problem.CodeLimitReached) {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := b.saved.CreateAnnotation(t.Context(), b.account, b.project, saved.Annotation{TS: now, Until: now, Text: "a"})
			count(&annotations, err)
			_, err = b.saved.CreateCustomEvent(t.Context(), b.account, b.project, saved.CustomEvent{Name: "c", Events: json.RawMessage(`[{"event":"e"}]`)})
			count(&events, err)
		})
	}
	all.Wait()
	if annotations.Load() != 3 || events.Load() != 3 {
		t.Errorf("%d annotations and %d custom events were made", annotations.Load(), events.Load())
	}
}
