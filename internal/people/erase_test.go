package people_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/people"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// crowd is a project with events, operations, merges and a list, of few people who are often each other.
type crowd struct {
	*world
	events []*ingest.Row
	list   uuid.UUID
	build  *build.Builder
}

func userKey(key string) behaviour.PersonKey {
	return behaviour.PersonKey{Kind: behaviour.User, Key: key}
}

func anonymousKey(key string) behaviour.PersonKey {
	return behaviour.PersonKey{Kind: behaviour.Anonymous, Key: key}
}

func newCrowd(t *testing.T, pool *pgxpool.Pool, round uint64) *crowd {
	t.Helper()
	c := &crowd{world: &world{t: t, random: rand.New(rand.NewPCG(seed, 500+round)), pool: pool, project: uuid.New(),
		store: behaviour.NewStore(pool), ingest: ingest.NewStore(pool)}, list: uuid.New()}
	c.folder = people.NewFolder(c.store)
	c.build = build.New(c.store, build.Options{LeastEvents: 1, StepEvents: 20, Share: 1})
	c.exec(`SELECT ensure_event_partition($1)`, began)
	c.exec(`INSERT INTO projects (id, name) VALUES ($1, 'p')`, c.project)
	c.exec(`INSERT INTO cohorts (project_id, id, name, description) VALUES ($1, $2, 'list', '')`, c.project, c.list)
	return c
}

func (c *crowd) exec(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.pool.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

func (c *crowd) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) event() *ingest.Row {
	r := c.random
	at := func() time.Time { return began.Add(time.Duration(r.IntN(60)) * time.Hour) }
	e := events.Event{ProjectID: c.project, TS: at(), Name: fmt.Sprint("n", r.IntN(3)), Props: fmt.Appendf(nil, `{"p": %d}`, r.IntN(3))}
	e.ReceivedAt = at()
	binary.BigEndian.PutUint64(e.ID[:8], r.Uint64())
	binary.BigEndian.PutUint64(e.ID[8:], r.Uint64())
	e.ID = idAt(e.TS, e.ID)
	if r.IntN(3) > 0 {
		e.AnonymousID = fmt.Sprint("a", r.IntN(5))
	}
	if r.IntN(3) == 0 {
		e.UserID = fmt.Sprint("u", r.IntN(5))
	}
	return &ingest.Row{Event: e, CountedAsOther: r.IntN(8) == 0}
}

// idAt is an id of an event at a time, with the rest of another id.
func idAt(ts time.Time, rest uuid.UUID) uuid.UUID {
	first := events.FirstID(ts)
	copy(rest[:6], first[:6])
	rest[6], rest[8] = rest[6]&0x0f|0x80, rest[8]&0x3f|0x80
	return rest
}

// happen lets one thing happen.
func (c *crowd) happen() {
	c.t.Helper()
	switch c.random.IntN(6) {
	case 0:
		c.check(c.build.Project(c.t.Context(), c.project))
	case 1:
		k := userKey(fmt.Sprint("u", c.random.IntN(5)))
		if c.random.IntN(2) == 0 {
			k = anonymousKey(fmt.Sprint("a", c.random.IntN(5)))
		}
		c.exec(`INSERT INTO cohort_people (project_id, cohort_id, kind, key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			c.project, c.list, k.Kind, k.Key)
		c.exec(`UPDATE cohorts SET listed = (SELECT count(*) FROM cohort_people p WHERE p.cohort_id = id) WHERE id = $1`, c.list)
	case 2:
		var rows []*ingest.Row
		for range 1 + c.random.IntN(20) {
			rows = append(rows, c.event())
		}
		c.check(c.ingest.Append(c.t.Context(), rows))
		c.events = append(c.events, rows...)
	default:
		c.step()
	}
}

// whose are the people by the definition: Resolve, over what was sent.
type whose struct {
	no    map[behaviour.PersonKey]uint32
	canon *people.Canon
}

func (c *crowd) whose() *whose {
	w := &whose{no: map[behaviour.PersonKey]uint32{}}
	for i := range uint32(5) {
		w.no[userKey(fmt.Sprint("u", i))], w.no[anonymousKey(fmt.Sprint("a", i))] = i+1, i+6
	}
	var links []people.Link
	link := func(a, u string, at people.Moment) {
		if a != "" && u != "" {
			links = append(links, people.Link{Anonymous: w.no[anonymousKey(a)], User: w.no[userKey(u)], At: at})
		}
	}
	for _, e := range c.events {
		link(e.AnonymousID, e.UserID, momentOf(e.TS, e.ReceivedAt, e.ID))
	}
	for _, o := range c.operations {
		if o.Of.Kind == events.User {
			link(o.AnonymousID, o.Of.Key, momentOf(o.TS, o.ReceivedAt, o.ID))
		}
	}
	var merges []people.Merge
	for _, m := range c.merges {
		merges = append(merges, people.Merge{From: w.no[userKey(m[0])], Into: w.no[userKey(m[1])]})
	}
	w.canon = people.Resolve(links, merges, people.NoAsOf)
	return w
}

func momentOf(ts, received time.Time, id uuid.UUID) people.Moment {
	return people.Moment{TS: ts.UnixMicro(), Received: received.UnixMicro(), ID: id}
}

func (w *whose) event(e *ingest.Row) uint32 {
	no := w.no[anonymousKey(e.AnonymousID)]
	if e.UserID != "" {
		no = w.no[userKey(e.UserID)]
	}
	if no == 0 {
		return 0
	}
	return w.canon.Person(no, momentOf(e.TS, e.ReceivedAt, e.ID))
}

func (w *whose) operation(o *ingest.OperationRow) uint32 {
	return w.canon.Person(w.no[behaviour.PersonKey{Kind: behaviour.PersonKind(o.Of.Kind), Key: o.Of.Key}], momentOf(o.TS, o.ReceivedAt, o.ID))
}

func (c *crowd) eraser(pool *pgxpool.Pool) *people.Eraser {
	store := behaviour.NewStore(pool)
	return people.NewEraser(store, people.EraseOptions{Now: time.Now, Rebuild: build.New(store, build.Options{Share: 1}).Rebuild})
}

// eraseCut begins to erase somebody and is cut off somewhere, perhaps behind the end.
func (c *crowd) eraseCut(named string) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	config := c.pool.Config()
	config.ConnConfig.Tracer = nimbustest.NewCut(12+c.random.IntN(90), cancel)
	pool, err := pgxpool.NewWithConfig(c.t.Context(), config)
	c.check(err)
	defer pool.Close()
	if _, _, err := c.eraser(pool).Erase(ctx, c.project, named); err != nil && ctx.Err() == nil {
		c.t.Fatal(err)
	}
}

// left are the ids of the events and the operations that are there.
func (c *crowd) left() (all []uuid.UUID) {
	c.t.Helper()
	rows, err := c.pool.Query(c.t.Context(), `SELECT id FROM events WHERE project_id = $1
		UNION ALL SELECT id FROM profile_operations WHERE project_id = $1 ORDER BY 1`, c.project)
	c.check(err)
	all, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	c.check(err)
	return all
}

func (c *crowd) count(sql string) (n int) {
	c.t.Helper()
	if err := c.pool.QueryRow(c.t.Context(), sql, c.project).Scan(&n); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// consistent fails the test where what is derived is not what is made anew.
func (c *crowd) consistent() {
	c.t.Helper()
	for what, sql := range map[string]string{
		"counts that are not those of the events": `WITH recount AS (
			SELECT g.seconds AS granularity, n.name, date_trunc(g.field, e.ts, 'UTC') AS bucket, count(*) AS count
			FROM events e CROSS JOIN (VALUES (60, 'minute'), (3600, 'hour'), (86400, 'day')) AS g(seconds, field)
			CROSS JOIN LATERAL (VALUES (CASE WHEN e.counted_as_other THEN '$other' ELSE e.name END), ('')) AS n(name)
			WHERE e.project_id = $1 GROUP BY 1, 2, 3)
			SELECT count(*) FROM recount r FULL JOIN (SELECT * FROM event_counts WHERE project_id = $1) c USING (granularity, name, bucket)
			WHERE r.count IS DISTINCT FROM c.count`,
		"lists of another length than they say": `SELECT count(*) FROM cohorts c WHERE c.project_id = $1
			AND c.listed <> (SELECT count(*) FROM cohort_people p WHERE p.project_id = $1 AND p.cohort_id = c.id)`,
		"links and merges of nobody": `SELECT count(*) FROM (SELECT unnest(ARRAY[anonymous, person]) AS no FROM person_links WHERE project_id = $1
			UNION ALL SELECT unnest(ARRAY[merged, into_no]) FROM person_merges WHERE project_id = $1) AS l
			WHERE NOT EXISTS (SELECT FROM persons p WHERE p.project_id = $1 AND p.no = l.no)`,
	} {
		if n := c.count(sql); n != 0 {
			c.t.Errorf("%d %s", n, what)
		}
	}
	nimbustest.Eventually(c.t, "everything that arrived is in parts", func() bool {
		c.check(c.build.Project(c.t.Context(), c.project))
		backlog, err := c.store.Backlog(c.t.Context(), c.project)
		c.check(err)
		return backlog.Events == 0
	})
	if r, err := c.build.Verify(c.t.Context(), c.project, false); err != nil || len(r.Wrong) > 0 {
		c.t.Errorf("the parts of days %v are wrong: %v", r.Wrong, err)
	}
}

// Nothing of somebody is left, the counts are a recount, and the others have what they had: wherever it was cut off, and while parts are
// built and others send.
func TestErasingSomebodyTakesHimAndNobodyElse(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for round := range uint64(24) {
		c := newCrowd(t, pool, round)
		for range 30 {
			c.happen()
		}
		w := c.whose()
		key := userKey(fmt.Sprint("u", c.random.IntN(5)))
		if round%3 == 0 {
			key = anonymousKey(fmt.Sprint("a", c.random.IntN(5)))
		}
		named := map[behaviour.PersonKind]string{behaviour.User: "u:", behaviour.Anonymous: "a:"}[key.Kind] + key.Key
		target := w.canon.Identity().Named(w.no[key])
		var want []uuid.UUID
		his := 0
		for _, e := range c.events {
			if w.event(e) != target {
				want = append(want, e.ID)
			} else {
				his++
			}
		}
		for _, o := range c.operations {
			if w.operation(o) != target {
				want = append(want, o.ID)
			} else {
				his++
			}
		}
		if round%2 == 0 {
			c.eraseCut(named)
		}
		more := make([]*ingest.Row, 20)
		for i := range more {
			more[i] = c.event()
			more[i].UserID, more[i].AnonymousID = "another", ""
			want = append(want, more[i].ID)
		}
		var others sync.WaitGroup
		others.Go(func() {
			for batch := range slices.Chunk(more, 4) {
				if err := c.ingest.Append(t.Context(), batch); err != nil {
					t.Error(err)
				}
				if err := c.build.Project(t.Context(), c.project); err != nil {
					t.Error(err)
				}
			}
		})
		erased, done, err := c.eraser(pool).Erase(t.Context(), c.project, named)
		others.Wait()
		cutBehindTheEnd := round%2 == 0 && problem.Is(err, problem.CodeNotFound)
		if his > 0 && !cutBehindTheEnd && (err != nil || !done) {
			t.Fatalf("round %d: %s is erased: %+v, %t, %v", round, named, erased, done, err)
		}
		c.check(c.eraser(pool).Round(t.Context()))
		slices.SortFunc(want, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		if got := c.left(); !slices.Equal(got, want) {
			t.Errorf("round %d: %d events and operations are left without %s, want %d", round, len(got), named, len(want))
		}
		if n := c.count(`SELECT count(*) FROM erasures WHERE project_id = $1`); n != 0 {
			t.Errorf("round %d: %d people are still being erased", round, n)
		}
		c.gone(w, target)
		c.consistent()
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
}

// gone fails the test where something is known of an id that was all of somebody's.
func (c *crowd) gone(w *whose, target uint32) {
	c.t.Helper()
	pieces := w.canon.Pieces()
	for k, no := range w.no {
		if w.canon.Of(no) != target || slices.ContainsFunc(pieces[no], func(p people.Piece) bool { return p.Split != nil }) {
			continue // of somebody else, at least from some time on
		}
		var n int
		err := c.pool.QueryRow(c.t.Context(), `SELECT count(*) FROM (
			SELECT FROM persons WHERE project_id = $1 AND kind = $2 AND key = $3
			UNION ALL SELECT FROM profiles WHERE project_id = $1 AND kind = $2 AND key = $3
			UNION ALL SELECT FROM cohort_people WHERE project_id = $1 AND kind = $2 AND key = $3) AS t`, c.project, k.Kind, k.Key).Scan(&n)
		if err != nil || n != 0 {
			c.t.Errorf("%d rows of %v are left, %v", n, k, err)
		}
	}
}

// A number that was the last is nobody's too: who comes next would have what is still kept under it.
func TestTheNumberOfSomebodyWhoWasForgottenIsNeverGivenAgain(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nimbustest.DB(t), 0)
	number := func(key string) (no uint32) {
		c.check(c.store.Work(t.Context(), c.project, func(w *behaviour.Work) error {
			numbers, err := w.Number(t.Context(), []behaviour.StoredEvent{{UserID: key}})
			no = numbers[userKey(key)]
			return err
		}))
		return no
	}
	number("u0")
	last := number("u1")
	for _, key := range []string{"u1", "u0"} {
		c.check(c.store.Work(t.Context(), c.project, func(w *behaviour.Work) error { return w.Forget(t.Context(), userKey(key)) }))
	}
	if next := number("u2"); next <= last {
		t.Errorf("the next person has the number %d, and %d was somebody's", next, last)
	}
}

// Somebody may be in a list before his first event.
func TestSomebodyWithoutAnEventIsErasedFromLists(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nimbustest.DB(t), 0)
	c.exec(`INSERT INTO cohort_people (project_id, cohort_id, kind, key) VALUES ($1, $2, 1, 'u0'), ($1, $2, 1, 'u1')`, c.project, c.list)
	c.exec(`UPDATE cohorts SET listed = 2 WHERE id = $1`, c.list)
	if _, done, err := c.eraser(c.pool).Erase(t.Context(), c.project, "u0"); err != nil || !done {
		t.Errorf("%t, %v", done, err)
	}
	if n := c.count(`SELECT listed FROM cohorts WHERE project_id = $1`); n != 1 {
		t.Errorf("the list says that it has %d ids", n)
	}
	c.consistent()
	if _, _, err := c.eraser(c.pool).Erase(t.Context(), c.project, "u0"); !problem.Is(err, problem.CodeNotFound) {
		t.Errorf("erased again: %v", err)
	}
}

// Of somebody with very many events the request deletes some, and the job the rest.
func TestTheRestOfAPersonWithManyEventsIsLeftToTheJob(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nimbustest.DB(t), 1)
	for range 6 {
		rows := make([]*ingest.Row, 1_000)
		for i := range rows {
			rows[i] = c.event()
			rows[i].TS = began.Add(time.Duration(len(c.events)+i) * time.Second)
			rows[i].ID = idAt(rows[i].TS, rows[i].ID)
			rows[i].UserID, rows[i].AnonymousID = "u0", ""
		}
		c.check(c.ingest.Append(t.Context(), rows))
		c.events = append(c.events, rows...)
	}
	x, done, err := c.eraser(c.pool).Erase(t.Context(), c.project, "u0")
	if err != nil || done || x.Events != 5_000 {
		t.Errorf("at once: %d events, done %t, %v", x.Events, done, err)
	}
	again, _, err := c.eraser(c.pool).Erase(t.Context(), c.project, "u0")
	if err != nil || again.ID != x.ID || again.Events != 6_000 {
		t.Errorf("asked again: %s with %d events, want %s with all; %v", again.ID, again.Events, x.ID, err)
	}
	c.check(c.eraser(c.pool).Round(t.Context()))
	if n := len(c.left()); n != 0 {
		t.Errorf("%d events are left", n)
	}
	c.consistent()
}
