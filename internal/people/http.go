package people

import (
	"bytes"
	"context"
	"encoding/base64"
	"unicode/utf8"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// API is this slice's part of api.StrictServerInterface: merges, groups and erasing.
type API struct {
	store  *behaviour.Store
	merges *Merges
	groups *Groups
	eraser *Eraser
}

// NewAPI returns the operations.
func NewAPI(store *behaviour.Store, eraser *Eraser) *API {
	return &API{store, NewMerges(store), NewGroups(store), eraser}
}

// ErasePerson serves DELETE /v1/people/{person}.
func (a *API) ErasePerson(ctx context.Context, req api.ErasePersonRequestObject) (api.ErasePersonResponseObject, error) {
	x, done, err := a.eraser.Erase(ctx, req.Params.ProjectID, req.Person)
	if err != nil {
		return nil, err
	}
	reply := api.PersonErasure{ID: x.ID, RequestedAt: x.RequestedAt.UTC(), Events: x.Events}
	if done {
		return api.ErasePerson200JSONResponse(reply), nil
	}
	return api.ErasePerson202JSONResponse(reply), nil
}

func apiMerge(m *behaviour.Merged) api.Merge {
	return api.Merge{ID: m.ID, From: m.From, Into: m.Into, CreatedAt: m.At}
}

// ListMerges serves GET /v1/people-merges.
func (a *API) ListMerges(ctx context.Context, req api.ListMergesRequestObject) (api.ListMergesResponseObject, error) {
	all, err := a.store.Merges(ctx, req.Params.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListMerges200JSONResponse{Items: make([]api.Merge, len(all))}
	for i := range all {
		reply.Items[i] = apiMerge(&all[i])
	}
	return reply, nil
}

// CreateMerge serves POST /v1/people-merges.
func (a *API) CreateMerge(ctx context.Context, req api.CreateMergeRequestObject) (api.CreateMergeResponseObject, error) {
	merged, err := a.merges.Merge(ctx, req.Body.ProjectID, req.Body.From, req.Body.Into)
	if err != nil {
		return nil, err
	}
	return api.CreateMerge201JSONResponse(apiMerge(&merged)), nil
}

// DeleteMerge serves DELETE /v1/people-merges/{merge_id}.
func (a *API) DeleteMerge(ctx context.Context, req api.DeleteMergeRequestObject) (api.DeleteMergeResponseObject, error) {
	if err := a.merges.Undo(ctx, req.Params.ProjectID, req.MergeID); err != nil {
		return nil, err
	}
	return api.DeleteMerge204Response{}, nil
}

// ListGroups serves GET /v1/groups/{group_type}. A cursor is the last key, in base64, because it must survive a URL.
func (a *API) ListGroups(ctx context.Context, req api.ListGroupsRequestObject) (api.ListGroupsResponseObject, error) {
	p, after, limit, search := req.Params, "", 100, ""
	if p.Limit != nil {
		limit = int(*p.Limit)
	}
	if p.Search != nil {
		search = *p.Search
	}
	if p.Cursor != nil {
		key, err := base64.RawURLEncoding.DecodeString(*p.Cursor)
		if err != nil || !utf8.Valid(key) || bytes.IndexByte(key, 0) >= 0 { // what no key is
			return nil, problem.Field(contract.InQuery, "cursor", "cursor", "is not the next_cursor of a page of this list")
		}
		after = string(key)
	}
	groups, last, err := a.groups.List(ctx, p.ProjectID, req.GroupType, search, after, limit)
	if err != nil {
		return nil, err
	}
	reply := api.ListGroups200JSONResponse{Items: make([]api.Group, len(groups))}
	for i := range groups {
		if reply.Items[i], err = apiGroup(req.GroupType, &groups[i]); err != nil {
			return nil, err
		}
	}
	if last != "" {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(last))
		reply.NextCursor = &cursor
	}
	return reply, nil
}

// GetGroup serves GET /v1/groups/{group_type}/{group_key}.
func (a *API) GetGroup(ctx context.Context, req api.GetGroupRequestObject) (api.GetGroupResponseObject, error) {
	group, found, err := a.groups.Get(ctx, req.Params.ProjectID, req.GroupType, req.GroupKey)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, problem.NotFound()
	}
	reply, err := apiGroup(req.GroupType, &group)
	return api.GetGroup200JSONResponse(reply), err
}

func apiGroup(kind string, g *GroupProfile) (api.Group, error) {
	props, err := g.Profile.JSON()
	return api.Group{Type: kind, Key: g.Key, Props: props}, err
}
