package audit

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// defaultPageSize is the default of `limit` in the contract.
const defaultPageSize = 100

// API is this package's part of api.StrictServerInterface.
type API struct{ log *Log }

// NewAPI makes the operations on audit logs.
func NewAPI(log *Log) *API { return &API{log: log} }

// ListAudit returns a page of a project's audit log.
func (a *API) ListAudit(ctx context.Context, req api.ListAuditRequestObject) (api.ListAuditResponseObject, error) {
	page, err := a.list(ctx, req.ProjectID, req.Params)
	if err != nil {
		return nil, err
	}
	return api.ListAudit200JSONResponse(page), nil
}

// ListInstanceAudit returns a page of what concerns accounts and no project.
func (a *API) ListInstanceAudit(ctx context.Context, req api.ListInstanceAuditRequestObject) (api.ListInstanceAuditResponseObject, error) {
	page, err := a.list(ctx, uuid.Nil, api.ListAuditParams(req.Params))
	if err != nil {
		return nil, err
	}
	return api.ListInstanceAudit200JSONResponse(page), nil
}

func (a *API) list(ctx context.Context, project uuid.UUID, p api.ListAuditParams) (api.AuditPage, error) {
	limit, cursor := int32(defaultPageSize), ""
	if p.Limit != nil {
		limit = *p.Limit
	}
	if p.Cursor != nil {
		cursor = *p.Cursor
	}
	filter := Filter{Actions: p.Action, Since: p.Since, Until: p.Until}
	if p.Actor != nil {
		filter.Actor = *p.Actor
	}
	page, next, err := a.log.Page(ctx, project, filter, limit, cursor)
	if errors.Is(err, errCursor) {
		return api.AuditPage{}, problem.Field("query", "/cursor", "cursor", err.Error())
	}
	if err != nil {
		return api.AuditPage{}, err
	}
	reply := api.AuditPage{Items: make([]api.AuditEntry, len(page)), NextCursor: some(next)}
	for i := range page {
		reply.Items[i] = apiEntry(&page[i])
	}
	return reply, nil
}

// ExportAudit streams a project's audit log.
func (a *API) ExportAudit(ctx context.Context, req api.ExportAuditRequestObject) (api.ExportAuditResponseObject, error) {
	p := req.Params
	filter := Filter{Actions: p.Action, Since: p.Since, Until: p.Until}
	if p.Actor != nil {
		filter.Actor = *p.Actor
	}
	body, err := contract.Stream(func(w io.Writer) error {
		lines := json.NewEncoder(w)
		return a.log.All(ctx, req.ProjectID, filter, func(s *Stored) error { return lines.Encode(apiEntry(s)) })
	})
	if err != nil {
		return nil, err
	}
	return api.ExportAudit200ApplicationXNdjsonResponse{Body: body}, nil
}

func apiEntry(s *Stored) api.AuditEntry {
	out := api.AuditEntry{ID: s.ID, At: s.At, Action: s.Action, ActorKind: api.AuditActorKind(s.ActorKind), ActorID: s.ActorID,
		Target: s.Target, Changes: s.Changes, ActorEmail: some(s.ActorEmail), IP: some(s.From.IP),
		UserAgent: some(s.From.UserAgent), RequestID: some(s.From.ID)}
	return out
}

// some is nil for what is not known.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
