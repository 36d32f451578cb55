package build_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/arrivals"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/people"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

var (
	project = uuid.MustParse("018f0000-0000-7000-8000-000000000001")
	// origin is the first moment of the histories: they cross the end of a month, and so two partitions.
	origin = time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC)
)

const days = 5

// history is a project whose events are written as ingestion does, with everything that may happen to them.
type history struct {
	t      *testing.T
	random *rand.Rand
	pool   *pgxpool.Pool
	store  *behaviour.Store
	now    time.Time
	open   []flush // ingestion that is not committed yet
	log    []string
}

// flush is a transaction that stores events, before it counts them, which is what others wait for.
type flush struct {
	tx     pgx.Tx
	counts []func()
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	pool := nimbustest.DB(t)
	for _, month := range []time.Time{origin, origin.AddDate(0, 0, 5)} {
		if _, err := pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", month); err != nil {
			t.Fatal(err)
		}
	}
	return &history{t: t, random: rand.New(
		rand.NewPCG(seed, 1),
	), pool: pool, store: behaviour.NewStore(pool), now: origin.AddDate(0, 0, 2*days)}
}

func (h *history) exec(tx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, sql string, args ...any) {
	h.t.Helper()
	if _, err := tx.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v\n%s", sql, err, strings.Join(h.log, "\n"))
	}
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// event is a random one. Few ids and few moments: much is equal, and much is the same person.
func (h *history) event() behaviour.StoredEvent {
	r := h.random
	ts := origin.Add(time.Duration(r.IntN(days*24)) * time.Hour).Add(time.Duration(r.IntN(3)) * time.Microsecond)
	e := behaviour.StoredEvent{
		TS: ts, ReceivedAt: ts.Add(time.Duration(r.IntN(3)) * time.Second), Name: fmt.Sprintf("n%d", r.IntN(3)),
		Props: fmt.Appendf(nil, `{"plan": %d, "amount": %d.%02d}`, r.IntN(3), r.IntN(100), r.IntN(100)),
	}
	if r.IntN(10) == 0 {
		e.ReceivedAt = ts.Add(40 * 24 * time.Hour)
	}
	if r.IntN(3) > 0 {
		e.AnonymousID = []string{"a0", "a1", "a2", "a3", "a4", "a5", "null"}[r.IntN(7)]
	}
	if r.IntN(3) == 0 {
		e.UserID = []string{"u0", "u1", "u2", "u3", " Undefined "}[r.IntN(5)]
	}
	for i := range e.ID {
		e.ID[i] = byte(r.UintN(256))
	}
	for i := range 6 {
		e.ID[i] = byte(uint64(ts.UnixMilli()) >> (40 - 8*i))
	}
	e.ID[6], e.ID[8] = e.ID[6]&0x0f|0x80, e.ID[8]&0x3f|0x80
	return e
}

// ingest stores some events in a transaction, with their arrival. Some of them were sent before.
func (h *history) ingest() {
	tx := h.begin()
	n := 1 + h.random.IntN(60)
	again := h.someIDs(tx)
	events := make([]behaviour.StoredEvent, n)
	for i := range events {
		e := h.event()
		if i < len(again) && h.random.IntN(4) == 0 {
			e.ID = again[i]
			e.TS = time.UnixMilli(int64(binary.BigEndian.Uint64(e.ID[:]) >> 16)).UTC()
		}
		events[i] = e
	}
	h.write(tx, events)
	h.note("a transaction stores")
}

// write stores events and their arrival in a transaction, which is open then.
func (h *history) write(tx pgx.Tx, events []behaviour.StoredEvent) {
	f := flush{tx: tx}
	var stored []arrivals.Event
	for _, e := range events {
		tag, err := tx.Exec(h.t.Context(), `INSERT INTO events
			(project_id, id, ts, received_at, seq, name, user_id, anonymous_id, props)
			VALUES ($1, $2, $3, $4, 0, $5, nullif($6, ''), nullif($7, ''), $8) ON CONFLICT DO NOTHING`,
			project, e.ID, e.TS, e.ReceivedAt, e.Name, e.UserID, e.AnonymousID, string(e.Props))
		if err != nil {
			h.t.Fatal(err)
		}
		if tag.RowsAffected() == 0 {
			continue
		}
		stored = append(stored, arrivals.Event{ProjectID: project, ID: e.ID, TS: e.TS})
		f.counts = append(f.counts, func() { h.count(tx, e.Name, e.TS) })
	}
	if err := arrivals.Append(h.t.Context(), tx, stored); err != nil {
		h.t.Fatal(err)
	}
	h.open = append(h.open, f)
}

// count is what rollups do in the transaction that stores.
func (h *history) count(tx pgx.Tx, name string, ts time.Time) {
	var c rollups.Counts
	c.Add(project, name, ts)
	if err := rollups.Apply(h.t.Context(), tx, &c); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) someIDs(tx pgx.Tx) []uuid.UUID {
	rows, err := tx.Query(h.t.Context(), "SELECT id FROM events ORDER BY random() LIMIT 10")
	if err != nil {
		h.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		h.t.Fatal(err)
	}
	return ids
}

func (h *history) begin() pgx.Tx {
	tx, err := h.pool.Begin(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // of a test that fails: its database waits for it
	return tx
}

func (h *history) commit(tx pgx.Tx) {
	if err := tx.Commit(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// happen lets one thing happen.
func (h *history) happen() {
	r := h.random
	switch r.IntN(15) {
	case 0, 1, 2, 3, 4:
		h.ingest()
		if h.random.IntN(2) == 0 {
			h.finish(h.random.IntN(len(h.open))) // not in the order in which they began
		}
	case 5:
		h.finishAll()
	case 6:
		h.prune()
		h.ask()
	case 7:
		h.erase(fmt.Sprintf("u%d", r.IntN(4)))
		h.ask()
	case 8:
		h.note("two users are merged")
		h.exec(h.pool, `INSERT INTO person_merges (project_id, id, merged, into_no)
			SELECT $1, gen_random_uuid(), p.no, q.no FROM persons p, persons q
			WHERE p.project_id = $1 AND q.project_id = $1 AND p.key = $2 AND q.key = $3 AND p.kind = 1 AND q.kind = 1`,
			project, fmt.Sprintf("u%d", r.IntN(4)), fmt.Sprintf("u%d", r.IntN(4)))
	case 9:
		h.note("a part is damaged")
		h.exec(h.pool, `UPDATE event_part_columns
			SET data = set_byte(data, length(data) / 2, get_byte(data, length(data) / 2) # 1)
			WHERE (part_id, col) = (SELECT part_id, col FROM event_part_columns ORDER BY random() LIMIT 1)`)
	case 10:
		h.note("a part is lost")
		h.exec(h.pool, "DELETE FROM event_parts WHERE id = (SELECT id FROM event_parts ORDER BY random() LIMIT 1)")
		h.ask()
	case 11:
		h.note("the builders of two nodes work at once")
		var nodes sync.WaitGroup
		for range 2 {
			nodes.Go(func() {
				if err := h.builder().Project(h.t.Context(), project); err != nil {
					h.t.Error(err)
				}
			})
		}
		nodes.Wait()
	default:
		h.build()
	}
}

// ask compares after a change of which nothing tells the builder, and marks the days that are not proven, as the program does when
// somebody asks. A day is proven by its counts: when nobody asks between two changes, a part that is lost may have had just as many
// events of each name as are deleted from the others, and nothing shows.
func (h *history) ask() {
	h.t.Helper()
	h.compare()
	var unproven []int32
	from := behaviour.DayAt(origin)
	err := h.store.View(h.t.Context(), project, from, from+days, time.Minute, nil, func(v *behaviour.View) error {
		unproven = v.Unproven
		return nil
	})
	if err == nil {
		err = h.store.MarkDirty(h.t.Context(), project, unproven)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) finish(k int) {
	f := h.open[k]
	for _, count := range f.counts {
		count()
	}
	h.commit(f.tx)
	h.note("transaction %d is committed", k)
	h.open = slices.Delete(h.open, k, k+1)
}

func (h *history) finishAll() {
	for len(h.open) > 0 {
		h.finish(h.random.IntN(len(h.open)))
	}
}

// erase erases a user, as the program does.
func (h *history) erase(user string) {
	h.finishAll()
	h.note("%s is erased", user)
	eraser := people.NewEraser(h.store, people.EraseOptions{Now: func() time.Time { return h.now }, Rebuild: h.builder().Rebuild})
	if _, _, err := eraser.Erase(h.t.Context(), project, "u:"+user); err != nil && !problem.Is(err, problem.CodeNotFound) {
		h.t.Fatalf("%v\n%s", err, strings.Join(h.log, "\n"))
	}
	if err := eraser.Round(h.t.Context()); err != nil {
		h.t.Fatalf("%v\n%s", err, strings.Join(h.log, "\n"))
	}
	var left int
	if err := h.pool.QueryRow(h.t.Context(), "SELECT count(*) FROM events WHERE user_id = $1", user).Scan(&left); err != nil || left > 0 {
		h.t.Fatalf("%d events of %s are left, %v\n%s", left, user, err, strings.Join(h.log, "\n"))
	}
}

func (h *history) prune() {
	h.finishAll()
	from := origin.Add(time.Duration(h.random.IntN(days*24)) * time.Hour)
	h.note("hours after %s are pruned", from)
	h.exec(h.pool, "SELECT delete_events($1, event_id_floor($2), event_id_floor($3))", project, from, from.Add(
		time.Duration(1+h.random.IntN(20))*time.Hour,
	))
}

// build lets the builder work, and stops it somewhere.
func (h *history) build() {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	statements := 1 + h.random.IntN(60)
	if h.random.IntN(2) == 0 {
		statements = math.MaxInt
	}
	k := nimbustest.NewCut(statements, cancel)
	pool, err := postgres.Open(
		h.t.Context(), h.pool.Config().ConnString(), 1, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = k },
	)
	if err != nil {
		h.t.Fatal(err)
	}
	defer pool.Close()
	b := build.New(behaviour.NewStore(pool), build.Options{
		StepEvents: 1 + h.random.IntN(
			100,
		), LeastEvents: 1, PartRows: 50 + h.random.IntN(500), MergeParts: 2 + h.random.IntN(3), Share: 1,
		Now: func() time.Time { return h.now },
	})
	err = b.Project(ctx, project)
	if err != nil && ctx.Err() == nil {
		h.t.Fatalf("%v\n%s", err, strings.Join(h.log, "\n"))
	}
	h.note("the builder works; stopped: %v", ctx.Err() != nil)
}

// reading is what everybody did, as a set of sequences: who did them is left out, because numbers mean nothing.
type reading struct {
	people []string
	counts map[string]string
}

// scanned reads by parts.
func (h *history) scanned() reading {
	from := behaviour.DayAt(origin)
	var doubt []int32
	for {
		var r reading
		err := h.store.View(h.t.Context(), project, from, from+days, time.Minute, doubt, func(v *behaviour.View) (err error) {
			r, err = h.scan(v)
			var damaged *scan.DamagedPart
			if errors.As(err, &damaged) {
				doubt = append(doubt, v.Day(damaged.Part))
			}
			return err
		})
		var damaged *scan.DamagedPart
		if errors.As(err, &damaged) {
			if err := h.store.MarkDirty(h.t.Context(), project, doubt); err != nil {
				h.t.Fatal(err)
			}
			continue
		}
		if err != nil {
			h.t.Fatalf("%v\n%s", err, strings.Join(h.log, "\n"))
		}
		return r
	}
}

func (h *history) scan(v *behaviour.View) (reading, error) {
	start := origin.UnixMicro()
	q := scan.Query{From: start, To: start + days*86_400_000_000, Identity: v.Identity(0)}
	q.Matchers = []scan.Matcher{{Filter: &scan.Filter{Op: scan.Gt, Prop: "plan", Number: 0}}}
	q.Values = []*scan.Dictionary{{ByName: true}, scan.NewDictionary("amount")}
	r := reading{counts: map[string]string{}}
	var mu sync.Mutex
	each := func(p *behaviour.Person) error {
		var rows []string
		for _, row := range p.Rows {
			rows = append(rows, fmt.Sprintf("%d %s %v %s", row.TS-start, q.Values[0].Value(
				row.Values[0],
			).Text, row.Fits(0), q.Values[1].Value(row.Values[1]).Text))
		}
		mu.Lock()
		defer mu.Unlock()
		r.people = append(r.people, strings.Join(rows, "; "))
		return nil
	}
	if err := scan.People(h.t.Context(), &q, v.Headers, v, each, each); err != nil {
		return r, err
	}
	slices.Sort(r.people)
	m := scan.Measure{Query: scan.Query{
		From: q.From, To: q.To, Identity: v.Identity(0),
	}, By: by(&scan.Dictionary{ByName: true}), Prop: "amount", Workers: 2}
	for day := range int64(days + 1) {
		m.Bounds = append(m.Bounds, start+day*86_400_000_000)
	}
	for _, statistic := range []scan.Statistic{scan.Events, scan.Persons, scan.Numbers} {
		m.Statistic = statistic
		result, err := m.Run(h.t.Context(), v.Headers, v)
		if err != nil {
			return r, err
		}
		for code, g := range result.Groups {
			for day, c := range g.Buckets {
				if c.Count > 0 {
					r.counts[fmt.Sprint(statistic, m.By.By[0].Value(code).Text, day)] = fmt.Sprint(c.Count, c.Sum)
				}
			}
		}
	}
	return r, nil
}

// read reads the events and answers by the definitions of SEMANTICS.
func (h *history) read() reading {
	rows, err := h.pool.Query(h.t.Context(), `SELECT e.id, e.ts, e.received_at, e.name,
		coalesce(e.user_id, ''), coalesce(e.anonymous_id, ''),
		(e.props ->> 'plan')::numeric > 0, trim_scale((e.props ->> 'amount')::numeric)::text
		FROM events e ORDER BY e.ts, e.received_at, e.id`)
	if err != nil {
		h.t.Fatal(err)
	}
	type event struct {
		id                    uuid.UUID
		ts, received          time.Time
		name, user, anonymous string
		fits                  bool
		amount                string
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e event, err error) {
		err = row.Scan(&e.id, &e.ts, &e.received, &e.name, &e.user, &e.anonymous, &e.fits, &e.amount)
		return e, err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	// Merges hold for all time.
	merged := map[string]string{}
	canonical := func(user string) string {
		for merged[user] != "" {
			user = merged[user]
		}
		return user
	}
	pairs, err := h.pool.Query(h.t.Context(), `SELECT p.key, q.key FROM person_merges m
		JOIN persons p ON p.no = m.merged JOIN persons q ON q.no = m.into_no ORDER BY m.created_at, m.id`)
	if err != nil {
		h.t.Fatal(err)
	}
	var from, into string
	if _, err := pgx.ForEachRow(pairs, []any{&from, &into}, func() error {
		if x, y := canonical(from), canonical(into); x != y {
			merged[x] = y
		}
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	// What told of a link may have been pruned; then it is known by person_links alone.
	type told struct {
		id              uuid.UUID
		ts, received    time.Time
		anonymous, user string
	}
	var links []told
	for i := range events {
		e := &events[i]
		e.user, e.anonymous = clean(e.user), clean(e.anonymous)
		if e.user != "" && e.anonymous != "" {
			links = append(links, told{e.id, e.ts, e.received, e.anonymous, e.user})
		}
	}
	kept, err := h.pool.Query(h.t.Context(), `SELECT l.event_id, l.ts, l.received_at, a.key, u.key FROM person_links l
		JOIN persons a ON a.no = l.anonymous JOIN persons u ON u.no = l.person`)
	if err != nil {
		h.t.Fatal(err)
	}
	var one told
	if _, err := pgx.ForEachRow(kept, []any{
		&one.id, &one.ts, &one.received, &one.anonymous, &one.user,
	}, func() error { links = append(links, one); return nil }); err != nil {
		h.t.Fatal(err)
	}
	order := func(ts, received time.Time, id uuid.UUID) string {
		return fmt.Sprintf("%020d %020d %s", ts.UnixMicro(), received.UnixMicro(), id)
	}
	slices.SortFunc(links, func(x, y told) int {
		return strings.Compare(order(x.ts, x.received, x.id), order(y.ts, y.received, y.id))
	})
	owner, split := map[string]string{}, map[string]string{}
	for _, l := range links {
		switch user := canonical(l.user); {
		case owner[l.anonymous] == "":
			owner[l.anonymous] = user
		case owner[l.anonymous] != user && split[l.anonymous] == "":
			split[l.anonymous] = order(l.ts, l.received, l.id)
		}
	}
	start := origin.UnixMicro()
	sequences, people := map[string][]string{}, map[string]map[string]bool{}
	counts, sums := map[string]int{}, map[string]string{}
	r := reading{counts: map[string]string{}}
	for _, e := range events {
		who := ""
		switch {
		case e.user != "":
			who = canonical(e.user)
		case e.anonymous == "":
		case split[e.anonymous] != "" && order(e.ts, e.received, e.id) >= split[e.anonymous]:
			who = "later " + e.anonymous
		case owner[e.anonymous] != "":
			who = owner[e.anonymous]
		default:
			who = "anonymous " + e.anonymous
		}
		key := fmt.Sprint(e.name, (e.ts.UnixMicro()-start)/86_400_000_000)
		counts[key]++
		if who != "" {
			sequences[who] = append(sequences[who], fmt.Sprintf("%d %s %v %s", e.ts.UnixMicro()-start, e.name, e.fits, e.amount))
			if people[key] == nil {
				people[key] = map[string]bool{}
			}
			people[key][who] = true
		}
	}
	sumRows, err := h.pool.Query(h.t.Context(), `SELECT e.name || floor(extract(epoch FROM e.ts - $1) / 86400)::int,
		trim_scale(sum((e.props ->> 'amount')::numeric))::text FROM events e GROUP BY 1`, origin)
	if err != nil {
		h.t.Fatal(err)
	}
	var key, sum string
	if _, err := pgx.ForEachRow(sumRows, []any{&key, &sum}, func() error { sums[key] = sum; return nil }); err != nil {
		h.t.Fatal(err)
	}
	for _, rows := range sequences {
		r.people = append(r.people, strings.Join(rows, "; "))
	}
	slices.Sort(r.people)
	for key, n := range counts {
		r.counts[fmt.Sprint(scan.Events, key)] = fmt.Sprint(n, scan.Decimal{})
		r.counts[fmt.Sprint(scan.Numbers, key)] = fmt.Sprint(n, " ", sums[key])
		if len(people[key]) > 0 {
			r.counts[fmt.Sprint(scan.Persons, key)] = fmt.Sprint(len(people[key]), scan.Decimal{})
		}
	}
	return r
}

func clean(id string) string {
	if events.Junk(id) {
		return ""
	}
	return id
}

func (h *history) compare() {
	h.t.Helper()
	got, want := h.scanned(), h.read()
	if !slices.Equal(got.people, want.people) {
		h.t.Fatalf("people did\n%s\nwant\n%s\nafter\n%s", strings.Join(got.people, "\n"), strings.Join(
			want.people, "\n",
		), strings.Join(h.log, "\n"))
	}
	if !maps.Equal(got.counts, want.counts) {
		h.t.Fatalf("counts are\n%v\nwant\n%v\nafter\n%s", got.counts, want.counts, strings.Join(h.log, "\n"))
	}
}
