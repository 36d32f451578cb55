package history

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
)

// API is the operations of the contract that read events.
type API struct {
	reader *Reader
	access Access
}

// Access says which projects the caller may read, for the one operation that names none.
type Access interface {
	ProjectIDs(ctx context.Context) ([]uuid.UUID, error)
}

// NewAPI returns the handlers.
func NewAPI(r *Reader, a Access) *API { return &API{reader: r, access: a} }

// ListEvents serves GET /v1/events.
func (a *API) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	f, err := toFilter(&r.Params)
	if err != nil {
		return nil, err
	}
	if f.Received {
		return a.received(ctx, f, r.Params.Cursor)
	}
	if r.Params.Cursor != nil {
		after, err := decodeCursor(f, *r.Params.Cursor)
		if err != nil {
			return nil, problem.Field("query", "/cursor", "cursor", err.Error())
		}
		f.After = &after
	}
	page, err := a.reader.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := api.ListEvents200JSONResponse{Items: toAPIEvents(page.Events)}
	if page.Next != nil {
		next := encodeCursor(f, *page.Next)
		out.NextCursor = &next
	}
	return out, nil
}

// received serves one page of an incremental export.
func (a *API) received(ctx context.Context, f *Filter, cursor *string) (api.ListEventsResponseObject, error) {
	var at *place
	if cursor != nil {
		var err error
		if at, err = decodePlace(f, *cursor); err != nil {
			return nil, problem.Field("query", "/cursor", "cursor", err.Error())
		}
	}
	page, err := a.reader.Received(ctx, f, at)
	if err != nil {
		return nil, err
	}
	resume := encodePlace(f, &page.resume)
	out := api.ListEvents200JSONResponse{Items: toAPIEvents(page.Events), ResumeCursor: &resume}
	if !page.caughtUp {
		out.NextCursor = &resume
	}
	return out, nil
}

func toAPIEvents(found []events.Event) []api.StoredEvent {
	out := make([]api.StoredEvent, len(found))
	for k := range found {
		out[k] = APIEvent(&found[k])
	}
	return out
}

// The contract's defaults, which the generated parameters leave out.
const defaultLimit = 100

func toFilter(p *api.ListEventsParams) (*Filter, error) {
	f := &Filter{ProjectID: p.ProjectID, Names: p.Name, UserID: p.UserID, Limit: defaultLimit,
		Ascending: p.Order != nil && *p.Order == api.SortAsc,
		Received:  p.Order != nil && *p.Order == api.SortReceived}
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
	return api.GetEvent200JSONResponse(APIEvent(&e)), nil
}

// JSONPublisher passes stored events on as JSON, as StoredEvent of the contract has it, each with its name. An event is
// encoded when it is asked for, so that nothing is paid where nobody listens.
type JSONPublisher struct {
	To interface {
		Stored(projectID uuid.UUID, events iter.Seq2[string, []byte])
	}
}

// Stored is ingest.Publisher.
func (p JSONPublisher) Stored(projectID uuid.UUID, stored iter.Seq[*events.Event]) {
	p.To.Stored(projectID, func(yield func(string, []byte) bool) {
		for e := range stored {
			if !yield(e.Name, eventJSON(e)) {
				return
			}
		}
	})
}

// eventJSON encodes a stored event. Props were checked to be JSON, and nothing else can fail.
func eventJSON(e *events.Event) []byte {
	b, err := json.Marshal(APIEvent(e))
	if err != nil {
		panic(err)
	}
	return b
}

// APIEvent is an event as the contract has it.
func APIEvent(e *events.Event) api.StoredEvent {
	out := api.StoredEvent{ID: e.ID, ProjectID: e.ProjectID, Name: e.Name, TS: e.TS.UTC(),
		ReceivedAt: e.ReceivedAt.UTC().Truncate(time.Microsecond), Props: e.Props}
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
