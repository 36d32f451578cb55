package answers_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// A question that is larger than its memory is answered by ranges of people; one of which a single person is too large is
// refused, and says what to narrow.
func TestAQuestionLargerThanItsMemoryIsAnsweredByRangesOfPeople(t *testing.T) {
	t.Parallel()
	pool, project := nimbustest.DB(t), uuid.New()
	if _, err := pool.Exec(t.Context(), "SELECT ensure_event_partition('2026-10-01Z')"); err != nil {
		t.Fatal(err)
	}
	// 1,300 people of 30 events, and one of 1,000.
	if _, err := pool.Exec(t.Context(), `WITH e AS (
			INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, props)
			SELECT $1, overlay(event_id_floor(ts)::text placing lpad(n::text, 12, '0') from 25)::uuid, ts, ts, n, 'e',
				CASE WHEN n < 39000 THEN 'u' || n % 1300 ELSE 'busy' END, '{}'
			FROM generate_series(0, 39999) AS n, LATERAL (SELECT '2026-10-01Z'::timestamptz + n * interval '3 seconds' AS ts) AS x RETURNING ts)
		INSERT INTO event_counts (project_id, granularity, name, bucket, count)
		SELECT $1, 86400, n.name, date_bin('1 day', e.ts, 'epoch'), count(*) FROM e, LATERAL (VALUES ('e'), ('')) n(name) GROUP BY 3, 4`, project); err != nil {
		t.Fatal(err)
	}
	step := "e"
	ask := func(memory int64) (int64, error) {
		a := answers.NewAPI(answers.New(answers.Options{
			Store: behaviour.NewStore(pool), Timeout: time.Minute, Memory: memory,
			Now: func() time.Time { return time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC) },
			Home: func(context.Context, uuid.UUID) (query.Home, error) {
				return query.Home{TZ: "UTC", WeekStart: "monday"}, nil
			},
		}))
		reply, err := a.AskFunnel(t.Context(), api.AskFunnelRequestObject{Body: &api.FunnelQuestion{
			ProjectID: project, From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC),
			Steps: []api.FunnelStep{{Event: &step}, {Event: &step}},
		}})
		if err != nil {
			return 0, err
		}
		answer, ok := reply.(api.AskFunnel200JSONResponse)
		if !ok {
			t.Fatalf("the answer is %T", reply)
		}
		return answer.Counts[1], nil
	}
	for _, memory := range []int64{0, 500_000} { // 40,000 rows take 13 bytes each at least
		if n, err := ask(memory); err != nil || n != 1301 {
			t.Errorf("with %d bytes %d people come to the second step: %v", memory, n, err)
		}
	}
	if _, err := ask(20_000); !problem.Is(err, problem.CodeQueryTooHeavy) {
		t.Errorf("of a person who does not fit the answer is %v", err)
	}
}
