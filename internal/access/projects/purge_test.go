package projects_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// fill gives a project n events over two months, and rows in every other table that names projects.
func (b *testBundle) fill(t testing.TB, project uuid.UUID, n int) {
	t.Helper()
	b.exec(t, `SELECT ensure_event_partition('2026-01-01Z'), ensure_event_partition('2026-02-01Z')`)
	b.exec(t, `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
		SELECT $1, overlay(event_id_floor(e.ts)::text placing lpad(to_hex(e.i), 12, '0') from 25)::uuid, e.ts, now(), 0, 'page_view', '{}'
		FROM (SELECT i, timestamptz '2026-01-01Z' + i % 59 * interval '1 day' AS ts FROM generate_series(1, $2::int) i) e`, project, n)
	b.exec(t, `INSERT INTO event_keys (project_id, key_hash) VALUES ($1, gen_random_uuid())`, project)
	b.exec(t, `INSERT INTO event_counts (project_id, granularity, name, bucket, count)
		SELECT e.project_id, g.seconds, n.name, date_trunc(g.field, e.ts, 'UTC'), count(*) FROM events e
		CROSS JOIN (VALUES (60, 'minute'), (3600, 'hour'), (86400, 'day')) AS g(seconds, field)
		CROSS JOIN LATERAL (VALUES (e.name), ('')) AS n(name)
		WHERE e.project_id = $1 GROUP BY 1, 2, 3, 4`, project)
	if _, err := b.projects.CreateWriteKey(context.Background(), project, "", nil); err != nil {
		t.Fatal(err)
	}
}

// rows counts what the database holds of a project, in all tables.
func (b *testBundle) rows(t testing.TB, project uuid.UUID) int {
	t.Helper()
	n := b.count(t, `SELECT count(*) FROM projects WHERE id = $1`, project)
	for _, table := range []string{"events", "event_keys", "event_counts", "project_members", "api_keys", "write_keys"} {
		n += b.count(t, `SELECT count(*) FROM `+table+` WHERE project_id = $1`, project)
	}
	return n
}

// cancelAfter ends a context after a number of steps that deleted events, each with its commit.
type cancelAfter struct {
	left   atomic.Int32
	cancel context.CancelFunc
}

type sqlKey struct{}

func (c *cancelAfter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "delete_events") {
		c.left.Add(-1)
	}
	return context.WithValue(ctx, sqlKey{}, data.SQL)
}

func (c *cancelAfter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(sqlKey{}) == "commit" && c.left.Load() == 0 {
		c.cancel()
	}
}

func TestPurgeRemovesEverythingOfDeletedProjectsAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kept, pair := b.create(t, "Kept")
	b.fill(t, kept.ID, 500)
	before := b.rows(t, kept.ID)
	// More than one page of projects to purge.
	var gone []uuid.UUID
	for range 12 {
		project, _ := b.create(t, "Deleted")
		b.fill(t, project.ID, 20)
		gone = append(gone, project.ID)
		if err := b.projects.Delete(t.Context(), project.ID); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.advance(3 * time.Minute)
	if err := b.projects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range gone {
		if n := b.rows(t, id); n != 0 {
			t.Errorf("%d rows of a deleted project remain", n)
		}
	}
	if after := b.rows(t, kept.ID); after != before {
		t.Errorf("%d rows of a project that was not deleted, of %d", after, before)
	}
	b.works(t, pair, true, "of a project that was not deleted")
}

func TestPurgeGoesOnWhereItWasStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Large")
	b.fill(t, project.ID, 35_000)
	if err := b.projects.Delete(t.Context(), project.ID); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tracer := &cancelAfter{cancel: cancel}
	tracer.left.Store(2)
	config := b.pool.Config()
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	b.clock.advance(3 * time.Minute)
	err = projects.New(pool, newRing(t, 1), projects.Config{Scopes: auth.KeyScopes(api.Operations), Now: b.clock.Now}).Purge(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a Purge that was stopped: error %v", err)
	}
	if n := b.count(t, `SELECT count(*) FROM events WHERE project_id = $1`, project.ID); n != 15_000 {
		t.Errorf("%d events are left after two steps of 35,000, want 15,000", n)
	}
	if n := b.count(t, `SELECT count(*) FROM projects WHERE id = $1`, project.ID); n != 1 {
		t.Error("the project is gone before its events, so nobody would look for them again")
	}
	if d := b.deletion(t, project.ID); !d.Running || d.EventsDeleted != 20_000 || d.EventsLeft != 15_000 {
		t.Errorf("after two steps: %+v", d)
	}
	if n := b.count(t, `SELECT coalesce(sum(count), 0)::bigint FROM event_counts WHERE project_id = $1`, project.ID); n != 6*15_000 {
		t.Errorf("the counts say %d, want six for each of the 15,000 events that are left", n)
	}

	if err := b.projects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.rows(t, project.ID); n != 0 {
		t.Errorf("%d rows remain after the next Purge", n)
	}
	_, err = b.projects.Deletion(t.Context(), b.account, project.ID)
	wantProblem(t, err, problem.NotFound(), "the deletion of a project of which nothing is left")
}

func (b *testBundle) deletion(t testing.TB, project uuid.UUID) projects.Deletion {
	t.Helper()
	d, err := b.projects.Deletion(t.Context(), b.account, project)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnlyMembersSeeADeletionAndOnlyOfADeletedProject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Deleted")
	b.fill(t, project.ID, 7)
	_, err := b.projects.Deletion(t.Context(), b.account, project.ID)
	wantProblem(t, err, problem.NotFound(), "a project that is not deleted")
	if err := b.projects.Delete(t.Context(), project.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.projects.Deletion(t.Context(), b.newAccount(t, "eve@example.com"), project.ID)
	wantProblem(t, err, problem.NotFound(), "somebody else")
	want := projects.Deletion{ProjectID: project.ID, DeletedAt: b.clock.Now(), EventsLeft: 7}
	if d := b.deletion(t, project.ID); d != want {
		t.Errorf("%+v, want %+v", d, want)
	}
	if n, err := b.projects.CountDeleted(t.Context()); err != nil || n != 1 {
		t.Errorf("%d deleted projects, %v", n, err)
	}
}

// What a request stores that was let in before the deletion is in the numbers, and removed with the rest.
func TestEventsThatArriveDuringTheDeletionAreInItsNumbers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Deleted")
	b.fill(t, project.ID, 20)
	if err := b.projects.Delete(t.Context(), project.ID); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `INSERT INTO events SELECT project_id, overlay(id::text placing 'f' from 36)::uuid, ts, received_at, seq, name, user_id, anonymous_id, props
		FROM events WHERE project_id = $1 AND right(id::text, 1) = '1'`, project.ID)
	b.exec(t, `UPDATE event_counts SET count = count + 2 WHERE project_id = $1 AND name = '' AND granularity = 86400 AND bucket = '2026-01-02Z'`, project.ID)
	if d := b.deletion(t, project.ID); d.EventsLeft != 22 {
		t.Errorf("%+v", d)
	}
	b.clock.advance(3 * time.Minute)
	if err := b.projects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.rows(t, project.ID); n != 0 {
		t.Errorf("%d rows remain", n)
	}
}

func TestProjectsThatCannotBePurgedDoNotKeepTheOthersWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `CREATE TABLE hold (project_id uuid REFERENCES projects)`)
	var stuck []uuid.UUID
	for range 12 { // more than one page
		project, _ := b.create(t, "Stuck")
		b.exec(t, `INSERT INTO hold VALUES ($1)`, project.ID)
		if err := b.projects.Delete(t.Context(), project.ID); err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, project.ID)
	}
	b.clock.advance(time.Second)
	other, _ := b.create(t, "Other")
	b.fill(t, other.ID, 10)
	if err := b.projects.Delete(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(3 * time.Minute)
	err := b.projects.Purge(t.Context())
	if err == nil || strings.Contains(err.Error(), other.ID.String()) {
		t.Fatalf("error %v, want one that names the projects which could not be purged", err)
	}
	for _, id := range stuck {
		if n := strings.Count(err.Error(), "purge project "+id.String()); n != 1 {
			t.Errorf("a project that could not be purged is named %d times", n)
		}
	}
	if n := b.rows(t, other.ID); n != 0 {
		t.Errorf("%d rows of the other project remain", n)
	}
}

// A request that was let in just before the deletion may still be storing events.
func TestAProjectIsLeftAloneForAWhileAfterItsDeletion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Deleted")
	if err := b.projects.Delete(t.Context(), project.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.projects.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM projects WHERE id = $1`, project.ID); n != 1 {
		t.Error("the project was purged at once")
	}
}
