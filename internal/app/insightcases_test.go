package app_test

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/events/arrivals"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/insightcases"
)

// Every case that was handed over, asked as a client asks, of events stored as ingestion stores them.
func TestEveryInsightCaseOverHTTP(t *testing.T) {
	t.Parallel()
	cases, err := insightcases.Load("../../testdata/insight-cases")
	if err != nil {
		t.Fatal(err)
	}
	a := apptest.Boot(t)
	pool, err := pgxpool.New(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	const handed, refused = 363, 17 // refused: profiles
	unanswered := 0
	for i := range cases {
		if c := &cases[i]; needsProfiles(t, c) {
			unanswered++
		}
	}
	if len(cases) != handed || unanswered != refused {
		t.Errorf("%d cases, of which %d are not answered yet; want %d and %d", len(cases), unanswered, handed, refused)
	}
	s := &caseStore{pool: pool, store: behaviour.NewStore(pool)}
	s.partitions(t, cases)
	for i := range cases {
		c := &cases[i]
		t.Run(c.Family+"/"+c.ID, func(t *testing.T) {
			t.Parallel()
			x := a.Tenant(t)
			s.keep(t, x.ProjectID, c)
			for name, users := range c.Question.Static {
				people(x, fixedCohort(x, name), map[string]any{"user_ids": users})
			}
			r := x.Do("POST", "/v1/insights/"+c.Question.Kind, posted(t, c, x.ProjectID))
			if needsProfiles(t, c) {
				if r.Status != 422 && len(c.Profiles) == 0 {
					t.Errorf("status %d, want 422: it is answered now, so it is to be compared", r.Status)
				}
				return
			}
			for _, read := range []string{"as they arrived", "and one day of them in parts"} {
				if diff := insightcases.Differ(asCase(t, c, r.Want(200).Body), c.Expect); diff != "" {
					t.Errorf("events %s: %s\n%s\ngot  %s\nwant %s", read, c.Note, diff, r.Body, c.Expect)
				}
				s.build(t, x.ProjectID, c)
				r = x.Do("POST", "/v1/insights/"+c.Question.Kind, posted(t, c, x.ProjectID))
			}
		})
	}
}

// needsProfiles says that a case needs profiles.
func needsProfiles(t *testing.T, c *insightcases.Case) bool {
	t.Helper()
	var in func(w *insightcases.Clause) bool
	in = func(w *insightcases.Clause) bool {
		return w != nil && (w.Op == "profile" || in(w.Clause) ||
			slices.ContainsFunc(w.Clauses, func(w insightcases.Clause) bool { return in(&w) }))
	}
	return len(c.Profiles) > 0 || in(c.Question.Where)
}

// posted is the body of a case's question. Its static cohorts are saved ones.
func posted(t *testing.T, c *insightcases.Case, project uuid.UUID) map[string]any {
	t.Helper()
	var q map[string]any
	if err := json.Unmarshal(c.Question.Raw, &q); err != nil {
		t.Fatal(err)
	}
	q["project_id"] = project
	delete(q, "static")
	return q
}

// asCase is an answer as cases have it: without what says how it came about, in UTC, and with what is left out when there is none.
func asCase(t *testing.T, c *insightcases.Case, body []byte) []byte {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	delete(answer, "meta")
	delete(answer, "next_cursor")
	if people, ok := answer["people"].([]any); ok && c.Question.Kind == "cohort" {
		slices.SortFunc(people, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	if c.Question.Breakdown != nil {
		if answer["other"] == nil {
			answer["other"] = nil
		}
		if answer["groups"] == nil {
			answer["groups"] = []any{}
		}
	}
	inUTC(answer)
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func inUTC(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			inUTC(item)
		}
	case map[string]any:
		for name, item := range v {
			if text, ok := item.(string); ok && name == "start" {
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					v[name] = at.UTC().Format(time.RFC3339Nano)
				}
			}
			inUTC(item)
		}
	}
}

// caseStore stores the events of cases.
type caseStore struct {
	pool  *pgxpool.Pool
	store *behaviour.Store
}

func (s *caseStore) partitions(t *testing.T, cases []insightcases.Case) {
	t.Helper()
	months := map[time.Time]bool{}
	for i := range cases {
		for k := range cases[i].Events {
			at := time.UnixMicro(int64(cases[i].Events[k].TS)).UTC()
			months[time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)] = true
		}
	}
	for month := range months {
		if _, err := s.pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", month); err != nil {
			t.Fatal(err)
		}
	}
}

// keep stores a case's events as ingestion does: of each id the copy that was received first, its count and its arrival.
func (s *caseStore) keep(t *testing.T, project uuid.UUID, c *insightcases.Case) {
	t.Helper()
	events := slices.Clone(c.Events)
	slices.SortStableFunc(events, func(x, y insightcases.Event) int { return cmp.Compare(received(&x), received(&y)) })
	seen := map[string]bool{}
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		var arrived []arrivals.Event
		for i := range events {
			e := &events[i]
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			id, ts := eventID(e), time.UnixMicro(int64(e.TS)).UTC()
			if _, err := tx.Exec(t.Context(), `WITH stored AS (
				INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, anonymous_id, props)
				VALUES ($1, $2, $3, $4, 0, $5, nullif($6, ''), nullif($7, ''), $8) RETURNING name, ts)
				INSERT INTO event_counts (project_id, granularity, name, bucket, count)
				SELECT $1, 86400, n, date_bin('1 day', ts, 'epoch'), 1 FROM stored, unnest(ARRAY[name, '']) n
				ON CONFLICT (project_id, granularity, name, bucket) DO UPDATE SET count = event_counts.count + excluded.count`,
				project, id, ts, time.UnixMicro(received(e)).UTC(), e.Name, e.UserID, e.AnonymousID, props(e)); err != nil {
				return err
			}
			arrived = append(arrived, arrivals.Event{ProjectID: project, ID: id, TS: ts})
		}
		return arrivals.Append(t.Context(), tx, arrived)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.merge(t, project, c.Merges)
}

// build makes parts of the day of a case's first event: the rest is still as it arrived, and the question is of both.
func (s *caseStore) build(t *testing.T, project uuid.UUID, c *insightcases.Case) {
	t.Helper()
	if len(c.Events) == 0 {
		return
	}
	b := build.New(s.store, build.Options{LeastEvents: 1, Share: 1, Now: time.Now})
	if err := b.Rebuild(t.Context(), project, behaviour.DayAt(time.UnixMicro(int64(c.Events[0].TS)))); err != nil {
		t.Fatal(err)
	}
}

func (s *caseStore) merge(t *testing.T, project uuid.UUID, merges []insightcases.Merge) {
	t.Helper()
	var users []behaviour.StoredEvent
	for _, m := range merges {
		users = append(users, behaviour.StoredEvent{UserID: m.From}, behaviour.StoredEvent{UserID: m.Into})
	}
	var numbers map[behaviour.PersonKey]uint32
	err := s.store.Work(t.Context(), project, func(w *behaviour.Work) (err error) {
		numbers, err = w.Number(t.Context(), users)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range merges {
		from, into := behaviour.PersonKey{Kind: behaviour.User, Key: m.From}, behaviour.PersonKey{Kind: behaviour.User, Key: m.Into}
		if _, err := s.pool.Exec(context.WithoutCancel(t.Context()),
			"INSERT INTO person_merges (project_id, id, merged, into_no, created_at) VALUES ($1, gen_random_uuid(), $2, $3, $4)",
			project, numbers[from], numbers[into], time.UnixMicro(int64(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func received(e *insightcases.Event) int64 {
	if e.ReceivedAt == nil {
		return int64(e.TS)
	}
	return int64(*e.ReceivedAt)
}

// eventID is an id that orders as the case's among events of the same time.
func eventID(e *insightcases.Event) (id uuid.UUID) {
	ms := uint64(time.UnixMicro(int64(e.TS)).UnixMilli())
	for k := range 6 {
		id[k] = byte(ms >> (40 - 8*k))
	}
	id[6], id[8] = 0x80, 0x80
	copy(id[9:], e.ID)
	return id
}

// props are the properties as the trackers send them.
func props(e *insightcases.Event) map[string]any {
	out := map[string]any{}
	for name, v := range e.Props {
		out[name] = v
	}
	if e.SessionID != "" {
		out["session_id"] = e.SessionID
	}
	if e.Bot {
		out["$bot"] = true
	}
	return out
}
