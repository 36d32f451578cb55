package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/auth"
	"github.com/bahagh/nimbus/internal/problem"
	"github.com/bahagh/nimbus/internal/wire"
)

// API is the events part of the contract.
type API struct {
	ingester *Ingester
	reader   *Reader
	access   Access
}

// Access says which projects the caller may read, for the one operation that names none.
type Access interface {
	ProjectIDs(ctx context.Context) ([]uuid.UUID, error)
}

// NewAPI returns the handlers.
func NewAPI(i *Ingester, r *Reader, a Access) *API { return &API{ingester: i, reader: r, access: a} }

// requests keeps decoded requests for the next one: their slices are most of what ingestion would allocate.
var requests = sync.Pool{New: func() any { return new(api.IngestRequest) }}

// keepEvents bounds what a pooled request holds on to.
const keepEvents = 2_000

// Ingest serves POST /v1/events for a body that was read and decompressed. It stands beside the strict handler,
// because a request with some bad events is not a bad request. authorize refuses projects that the caller may not send to.
func (a *API) Ingest(c echo.Context, body []byte, authorize func(project uuid.UUID) error) error {
	ctx := c.Request().Context()
	req, _ := requests.Get().(*api.IngestRequest)
	defer func() {
		clear(req.Events) // lets go of the body
		if cap(req.Events) <= keepEvents {
			req.Events = req.Events[:0]
			requests.Put(req)
		}
	}()
	invalid, err := decode(req, body)
	if err != nil {
		return err
	}
	if err := authorize(req.ProjectID); err != nil {
		return err
	}
	events := incoming(req.Events, invalid)
	setClock(events, clockError(c.Request().Header.Get(headerSentAt), a.ingester.now()))
	res, err := a.ingester.Ingest(ctx, auth.From(ctx), events, invalid)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toAPIResult(&res))
}

// decode reads the request and returns what is wrong with single events; an error when the request itself is bad.
func decode(req *api.IngestRequest, body []byte) ([]wire.FieldError, error) {
	err := req.DecodeJSON(body)
	var fields wire.Errors
	if err == nil || !errors.As(err, &fields) {
		return nil, err
	}
	if slices.ContainsFunc(fields, func(e wire.FieldError) bool { return e.Item < 0 }) {
		return nil, problem.Invalid(fields...)
	}
	return fields, nil
}

// incoming returns the events without those that have an error.
func incoming(events []api.Event, invalid []wire.FieldError) []Incoming {
	bad := make(map[int]struct{}, len(invalid))
	for _, e := range invalid {
		bad[e.Item] = struct{}{}
	}
	out := make([]Incoming, 0, len(events)-len(bad))
	for k := range events {
		if _, ok := bad[k]; ok {
			continue
		}
		e := &events[k]
		out = append(out, Incoming{Index: k, Name: e.Name, TS: e.TS, UserID: e.UserID, AnonymousID: e.AnonymousID,
			IdempotencyKey: e.IdempotencyKey, Seq: e.Seq, Props: e.Props})
	}
	return out
}

func toAPIResult(r *Result) api.IngestResult {
	slices.SortStableFunc(r.Errors, func(a, b wire.FieldError) int { return cmp.Compare(a.Item, b.Item) })
	out := api.IngestResult{Accepted: int32(r.Accepted), Duplicates: int32(r.Duplicates), Rejected: int32(r.Rejected),
		Errors: make([]api.EventError, len(r.Errors))}
	for k, e := range r.Errors {
		out.Errors[k] = api.EventError{Index: int32(e.Item), Pointer: e.Pointer, Code: e.Code, Detail: e.Detail}
	}
	return out
}

// ListEvents serves GET /v1/events.
func (a *API) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	f, err := toFilter(&r.Params)
	if err != nil {
		return nil, err
	}
	page, err := a.reader.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := api.ListEvents200JSONResponse{Items: make([]api.StoredEvent, len(page.Events))}
	for k := range page.Events {
		out.Items[k] = toAPIEvent(&page.Events[k])
	}
	if page.Next != nil {
		next := encodeCursor(f, *page.Next)
		out.NextCursor = &next
	}
	return out, nil
}

// The contract's defaults, which the generated parameters leave out.
const defaultLimit = 100

func toFilter(p *api.ListEventsParams) (*Filter, error) {
	f := &Filter{ProjectID: p.ProjectID, Names: p.Name, UserID: p.UserID, Limit: defaultLimit,
		Ascending: p.Order != nil && *p.Order == api.SortAsc}
	if p.Limit != nil {
		f.Limit = int(*p.Limit)
	}
	if p.Since != nil {
		f.Since = *p.Since
	}
	if p.Until != nil {
		f.Until = *p.Until
	}
	if p.Props != nil {
		f.Props = []byte(*p.Props)
	}
	if p.Since != nil && p.Until != nil && !p.Since.Before(*p.Until) {
		return nil, problem.Field("query", "/until", "range", "must be after since")
	}
	if p.Cursor != nil {
		after, err := decodeCursor(f, *p.Cursor)
		if err != nil {
			return nil, problem.Field("query", "/cursor", "cursor", err.Error())
		}
		f.After = &after
	}
	return f, nil
}

// GetEvent serves GET /v1/events/{event_id}.
func (a *API) GetEvent(ctx context.Context, r api.GetEventRequestObject) (api.GetEventResponseObject, error) {
	projects, err := a.access.ProjectIDs(ctx)
	if err != nil {
		return nil, err
	}
	e, err := a.reader.Get(ctx, r.EventID, projects)
	if err != nil {
		return nil, err
	}
	return api.GetEvent200JSONResponse(toAPIEvent(&e)), nil
}

// eventJSON is a stored event as the contract has it. Props were checked to be JSON, and nothing else can fail.
func eventJSON(e *Event) []byte {
	b, err := json.Marshal(toAPIEvent(e))
	if err != nil {
		panic(err)
	}
	return b
}

func toAPIEvent(e *Event) api.StoredEvent {
	out := api.StoredEvent{ID: e.ID, ProjectID: e.ProjectID, Name: e.Name, TS: e.TS.UTC(), ReceivedAt: e.ReceivedAt.UTC().Truncate(time.Microsecond),
		Props: e.Props}
	if e.UserID != "" {
		out.UserID = &e.UserID
	}
	if e.AnonymousID != "" {
		out.AnonymousID = &e.AnonymousID
	}
	if e.Seq != 0 {
		out.Seq = &e.Seq
	}
	return out
}
