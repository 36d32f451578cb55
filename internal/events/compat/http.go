package compat

import (
	"context"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// defaultPageSize is the default of `limit` in the contract.
const defaultPageSize = 100

// API is the operations of the contract on the quarantine.
type API struct{ server *Server }

// NewAPI returns the handlers.
func NewAPI(s *Server) *API { return &API{s} }

// ListQuarantine serves GET /v1/projects/{project_id}/quarantine.
func (a *API) ListQuarantine(ctx context.Context, r api.ListQuarantineRequestObject) (api.ListQuarantineResponseObject, error) {
	limit, cursor := int32(defaultPageSize), ""
	if r.Params.Limit != nil {
		limit = *r.Params.Limit
	}
	if r.Params.Cursor != nil {
		cursor = *r.Params.Cursor
	}
	page, next, err := auth.Page(cursor, limit, func(after *uuid.UUID, limit int32) ([]Quarantined, error) {
		return a.server.quarantine.list(ctx, r.ProjectID, after, limit)
	}, func(q *Quarantined) uuid.UUID { return q.ID })
	if err != nil {
		return nil, err
	}
	out := api.ListQuarantine200JSONResponse{Items: make([]api.Quarantined, len(page))}
	if next != "" {
		out.NextCursor = &next
	}
	for k := range page {
		q := &page[k]
		out.Items[k] = api.Quarantined{ID: q.ID, ReceivedAt: q.ReceivedAt, Dialect: q.Dialect, Operation: q.Operation, Sdk: q.SDK,
			Reason: q.Reason, Detail: q.Detail, Body: q.Body}
	}
	return out, nil
}

// ReplayQuarantine serves POST /v1/projects/{project_id}/quarantine/replay.
func (a *API) ReplayQuarantine(ctx context.Context, r api.ReplayQuarantineRequestObject) (api.ReplayQuarantineResponseObject, error) {
	ids := make([]uuid.UUID, len(r.Body.Items))
	for k := range r.Body.Items {
		ids[k] = r.Body.Items[k].ID
	}
	there, err := a.server.quarantine.get(ctx, r.ProjectID, ids)
	if err != nil {
		return nil, err
	}
	out := api.ReplayQuarantine200JSONResponse{Kept: []api.ReplayKept{}}
	for _, wanted := range r.Body.Items {
		q := there[wanted.ID]
		if q == nil {
			out.Kept = append(out.Kept, api.ReplayKept{ID: wanted.ID, Reason: string(problem.CodeNotFound), Detail: "the quarantine has no such item"})
			continue
		}
		raw := q.Body
		if wanted.Body != nil {
			raw = *wanted.Body
		}
		reason, detail, err := a.server.replay(ctx, r.ProjectID, q, []byte(raw))
		if err != nil {
			return nil, err
		}
		if reason != "" {
			out.Kept = append(out.Kept, api.ReplayKept{ID: q.ID, Reason: reason, Detail: detail})
			continue
		}
		// After the event is committed: what is replayed twice in between is a duplicate, by its key or by the item's id.
		if _, err := a.server.quarantine.remove(ctx, r.ProjectID, q.ID); err != nil {
			return nil, err
		}
		delete(there, q.ID)
		out.Stored++
	}
	return out, nil
}

// DeleteQuarantined serves DELETE /v1/projects/{project_id}/quarantine/{item_id}.
func (a *API) DeleteQuarantined(ctx context.Context, r api.DeleteQuarantinedRequestObject) (api.DeleteQuarantinedResponseObject, error) {
	removed, err := a.server.quarantine.remove(ctx, r.ProjectID, r.ItemID)
	if err != nil {
		return nil, err
	}
	if !removed {
		return nil, problem.NotFound()
	}
	return api.DeleteQuarantined204Response{}, nil
}
