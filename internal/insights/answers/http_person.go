package answers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/people"
)

// GetPerson serves GET /v1/people/{person}.
func (a *API) GetPerson(ctx context.Context, request api.GetPersonRequestObject) (api.GetPersonResponseObject, error) {
	var out api.Person
	h := a.history(request.Person)
	err := h.read(ctx, a.s, request.Params.ProjectID, func(v *behaviour.View, rows *visits) (err error) {
		out, err = h.about(ctx, v, rows)
		return err
	})
	return api.GetPerson200JSONResponse(out), err
}

// about is what is known of him, in short.
func (h *history) about(ctx context.Context, v *behaviour.View, rows *visits) (out api.Person, err error) {
	out.Person, out.UserIds, out.AnonymousIds = Name(h.keys[h.person]), []string{}, []string{}
	for _, k := range h.keys {
		if k.Kind == behaviour.User {
			out.UserIds = append(out.UserIds, k.Key)
		} else {
			out.AnonymousIds = append(out.AnonymousIds, k.Key)
		}
	}
	slices.Sort(out.UserIds)
	slices.Sort(out.AnonymousIds)
	profiles, err := h.profiles.Of(ctx, []uint32{h.person})
	if err != nil {
		return out, err
	}
	if out.Props, err = profiles[h.person].JSON(); err != nil {
		return out, err
	}
	n := len(rows.rows)
	if n == 0 {
		return out, nil
	}
	first, last := moment(rows.rows[0].TS), moment(rows.rows[n-1].TS)
	sessions := rows.sessions()
	out.Events, out.Sessions, out.FirstSeen, out.LastSeen = int64(n), int64(len(sessions)), &first, &last
	out.FirstTouch, out.LastTouch, err = h.touches(ctx, v, sessions)
	return out, err
}

// ListPersonSessions serves GET /v1/people/{person}/sessions.
func (a *API) ListPersonSessions(
	ctx context.Context, request api.ListPersonSessionsRequestObject,
) (api.ListPersonSessionsResponseObject, error) {
	out := api.ListPersonSessions200JSONResponse{Items: []api.PersonSession{}}
	limit := int(or(request.Params.Limit, 20))
	from, err := readSessionCursor(request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	h := a.history(request.Person)
	err = h.read(ctx, a.s, request.Params.ProjectID, func(v *behaviour.View, rows *visits) error {
		all := from.after(rows.sessions())
		if len(all) > limit {
			all = all[:limit]
			cursor := from.next(all)
			out.NextCursor = &cursor
		}
		touches, err := h.began(ctx, v, all)
		if err != nil {
			return err
		}
		for i, s := range all {
			item := api.PersonSession{Start: moment(s[0].TS), End: moment(s[len(s)-1].TS), Events: int64(len(s)), Touch: touches[i]}
			for k := range s[:min(len(s), maxTimeline)] {
				item.Timeline = append(item.Timeline, api.TimelineEvent{Name: h.names.Value(s[k].Values[0]).Text, TS: moment(s[k].TS)})
			}
			out.Items = append(out.Items, item)
		}
		return nil
	})
	return out, err
}

// maxTimeline is how many events of a session its item has.
const maxTimeline = 100

func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// sessionCursor is the last session of a page: its start, and how many of that start were on the pages so far.
type sessionCursor struct {
	start int64
	n     int
	given bool
}

func readSessionCursor(text *string) (c sessionCursor, err error) {
	if text == nil {
		return c, nil
	}
	start, n, ok := strings.Cut(*text, ".")
	if c.start, err = strconv.ParseInt(start, 10, 64); err == nil && ok {
		c.n, err = strconv.Atoi(n)
	}
	if err != nil || !ok || c.n < 1 {
		return c, problem.Field(contract.InQuery, "cursor", "cursor", "is not the next_cursor of a page of this list")
	}
	c.given = true
	return c, nil
}

// after returns the sessions behind the cursor, the latest first.
func (c *sessionCursor) after(all [][]behaviour.Row) [][]behaviour.Row {
	all = slices.Clone(all)
	slices.Reverse(all)
	if !c.given {
		return all
	}
	skip := c.n
	return slices.DeleteFunc(all, func(s []behaviour.Row) bool {
		if s[0].TS == c.start && skip > 0 {
			skip--
			return true
		}
		return s[0].TS > c.start
	})
}

// next is the cursor behind a page.
func (c *sessionCursor) next(page [][]behaviour.Row) string {
	start, n := page[len(page)-1][0].TS, 0
	for _, s := range page {
		if s[0].TS == start {
			n++
		}
	}
	if c.given && c.start == start {
		n += c.n
	}
	return strconv.FormatInt(start, 10) + "." + strconv.Itoa(n)
}

// history is what a person did and what is known of him.
type history struct {
	named    string // how the request names him
	now      int64
	resolver *resolver
	only     behaviour.Set
	names    *scan.Dictionary
	person   uint32
	keys     map[uint32]behaviour.PersonKey // of all his ids
	identity *behaviour.Identity
	profiles *people.Reader
}

func (a *API) history(named string) *history {
	h := &history{named: named, now: a.s.o.Now().UnixMicro(), names: &scan.Dictionary{ByName: true}}
	h.resolver = newResolver("")
	h.resolver.before = h.find
	h.resolver.query = scan.Query{To: h.now, AsOf: h.now, Filter: considered(nil, false), Only: &h.only, Values: []*scan.Dictionary{h.names},
		Sessions: true, SessionProp: sessionProp}
	return h
}

// read calls after with what he did. problem.NotFound when nobody is called so.
func (h *history) read(ctx context.Context, s *Service, project uuid.UUID, after func(*behaviour.View, *visits) error) error {
	_, err := run(ctx, s, project, h.resolver, func() *visits { return &visits{} },
		func(v *behaviour.View, rows *visits, _ *groups[*visits]) error { return after(v, rows) })
	return err
}

// find finds who is meant.
func (h *history) find(ctx context.Context, v *behaviour.View, id *behaviour.Identity) error {
	somebody, found, err := people.Find(ctx, v, id, h.named)
	if err == nil && !found {
		err = problem.NotFound()
	}
	if err != nil {
		return err
	}
	h.person, h.keys, h.identity = somebody.No, somebody.Keys, id
	h.only = *behaviour.NewSet(h.person)
	h.profiles, err = people.NewReader(ctx, v, id, h.now)
	return err
}

// touchSessions is how many of the last sessions are looked at for the last touch.
const touchSessions = 100

// touches returns how the first session began, and the last one that says whence.
func (h *history) touches(ctx context.Context, v *behaviour.View, all [][]behaviour.Row) (first, last *api.Touch, err error) {
	asked := slices.Concat(all[:1], all[max(0, len(all)-touchSessions):])
	touches, err := h.began(ctx, v, asked)
	if err != nil {
		return nil, nil, err
	}
	first, last = &touches[0], &touches[len(touches)-1]
	for i := len(touches) - 1; i > 0; i-- {
		if t := &touches[i]; t.Source != nil || t.Medium != nil || t.Campaign != nil || t.Referrer != nil {
			return first, t, nil
		}
	}
	return first, last, nil
}

// began returns how sessions began.
func (h *history) began(ctx context.Context, v *behaviour.View, all [][]behaviour.Row) ([]api.Touch, error) {
	moments := make([]int64, len(all))
	for i, s := range all {
		moments[i] = s[0].TS
	}
	keys := make([]behaviour.PersonKey, 0, len(h.keys))
	for _, k := range h.keys {
		keys = append(keys, k)
	}
	props, err := v.EventsAt(ctx, moments, keys)
	if err != nil {
		return nil, err
	}
	touches := make([]api.Touch, len(all))
	for i := range touches {
		if touches[i], err = touch(moments[i], props[i]); err != nil {
			return nil, err
		}
	}
	return touches, nil
}

// touch reads how a session began from the props of its first event; from none, when pruning has just taken it.
func touch(at int64, props []byte) (api.Touch, error) {
	t := api.Touch{TS: moment(at)}
	if props == nil {
		return t, nil
	}
	var members map[string]any
	if err := json.Unmarshal(props, &members); err != nil {
		return t, fmt.Errorf("read the props of an event: %w", err)
	}
	text := func(names ...string) *string {
		for _, n := range names {
			for _, spelt := range []string{n, "$" + n} {
				if s, ok := members[spelt].(string); ok && s != "" {
					return &s
				}
			}
		}
		return nil
	}
	t.Source, t.Medium, t.Campaign = text("utm_source"), text("utm_medium"), text("utm_campaign")
	t.Referrer, t.LandingPage = text("referrer"), text("url", "current_url", "page", "path")
	return t, nil
}

// visits are the events of one person.
type visits struct{ rows []behaviour.Row }

// Add keeps what the person did: there is only one.
func (x *visits) Add(p *behaviour.Person) { x.rows = append(x.rows, p.Rows...) }

// Merge takes what another one has.
func (x *visits) Merge(other *visits) { x.rows = append(x.rows, other.rows...) }

// sessions are the events by session, which have at least one.
func (x *visits) sessions() (all [][]behaviour.Row) {
	for start := 0; start < len(x.rows); {
		end := start + 1
		for end < len(x.rows) && x.rows[end].Session == x.rows[start].Session {
			end++
		}
		all = append(all, x.rows[start:end])
		start = end
	}
	return all
}
