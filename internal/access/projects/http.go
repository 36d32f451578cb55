package projects

import (
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// defaultPageSize is the default of `limit` in the contract.
const defaultPageSize = 50

// API is this slice's part of api.StrictServerInterface.
type API struct{ projects *Projects }

// NewAPI makes the operations on projects.
func NewAPI(projects *Projects) *API { return &API{projects: projects} }

// CreateProject creates a project.
func (a *API) CreateProject(ctx context.Context, req api.CreateProjectRequestObject) (api.CreateProjectResponseObject, error) {
	settings := Settings{Name: req.Body.Name}
	if req.Body.Description != nil {
		settings.Description = *req.Body.Description
	}
	if req.Body.DataRetentionDays != nil {
		settings.DataRetentionDays = *req.Body.DataRetentionDays
	}
	if req.Body.TimeZone != nil {
		settings.TimeZone = *req.Body.TimeZone
	}
	if req.Body.WeekStart != nil {
		settings.WeekStart = string(*req.Body.WeekStart)
	}
	if req.Body.Currency != nil {
		settings.Currency = *req.Body.Currency
	}
	if off := dialectNames(req.Body.DialectsOff); off != nil {
		settings.DialectsOff = *off
	}
	project, pair, err := a.projects.Create(ctx, auth.From(ctx).AccountID, settings)
	if err != nil {
		return nil, err
	}
	return api.CreateProject201JSONResponse(a.withSecret(project, pair)), nil
}

// ListProjects lists the caller's projects.
func (a *API) ListProjects(ctx context.Context, req api.ListProjectsRequestObject) (api.ListProjectsResponseObject, error) {
	limit, cursor := int32(defaultPageSize), ""
	if req.Params.Limit != nil {
		limit = *req.Params.Limit
	}
	if req.Params.Cursor != nil {
		cursor = *req.Params.Cursor
	}
	page, next, err := a.projects.List(ctx, auth.From(ctx).AccountID, limit, cursor)
	if err != nil {
		return nil, err
	}
	reply := api.ListProjects200JSONResponse{Items: make([]api.Project, len(page))}
	for i, p := range page {
		reply.Items[i] = a.project(p)
	}
	if next != "" {
		reply.NextCursor = &next
	}
	return reply, nil
}

// GetProject returns one project.
func (a *API) GetProject(ctx context.Context, req api.GetProjectRequestObject) (api.GetProjectResponseObject, error) {
	project, err := a.projects.Get(ctx, auth.From(ctx).AccountID, req.ProjectID)
	if err != nil {
		return nil, err
	}
	return api.GetProject200JSONResponse(a.project(project)), nil
}

// UpdateProject changes a project.
func (a *API) UpdateProject(ctx context.Context, req api.UpdateProjectRequestObject) (api.UpdateProjectResponseObject, error) {
	change := Change{Name: req.Body.Name, Description: req.Body.Description, DataRetentionDays: req.Body.DataRetentionDays,
		TimeZone: req.Body.TimeZone, WeekStart: (*string)(req.Body.WeekStart), Currency: req.Body.Currency,
		DialectsOff: dialectNames(req.Body.DialectsOff)}
	project, err := a.projects.Update(ctx, auth.From(ctx).AccountID, req.ProjectID, change)
	if err != nil {
		return nil, err
	}
	return api.UpdateProject200JSONResponse(a.project(project)), nil
}

// DeleteProject deletes a project.
func (a *API) DeleteProject(ctx context.Context, req api.DeleteProjectRequestObject) (api.DeleteProjectResponseObject, error) {
	if err := a.projects.Delete(ctx, req.ProjectID); err != nil {
		return nil, err
	}
	return api.DeleteProject204Response{}, nil
}

// GetProjectDeletion tells how far the removal of a deleted project is.
func (a *API) GetProjectDeletion(ctx context.Context, req api.GetProjectDeletionRequestObject) (api.GetProjectDeletionResponseObject, error) {
	d, err := a.projects.Deletion(ctx, auth.From(ctx).AccountID, req.ProjectID)
	if err != nil {
		return nil, err
	}
	status := api.DeletionPending
	if d.Running {
		status = api.DeletionRunning
	}
	return api.GetProjectDeletion200JSONResponse{ProjectID: d.ProjectID, Status: status, DeletedAt: d.DeletedAt,
		EventsDeleted: d.EventsDeleted, EventsLeft: d.EventsLeft}, nil
}

// RotateKeys replaces a project's key pair.
func (a *API) RotateKeys(ctx context.Context, req api.RotateKeysRequestObject) (api.RotateKeysResponseObject, error) {
	grace := time.Duration(0)
	if req.Body != nil && req.Body.GraceSeconds != nil {
		grace = time.Duration(*req.Body.GraceSeconds) * time.Second
	}
	project, pair, err := a.projects.RotateKeys(ctx, auth.From(ctx).AccountID, req.ProjectID, grace)
	if err != nil {
		return nil, err
	}
	return api.RotateKeys200JSONResponse(a.withSecret(project, pair)), nil
}

// CreateWriteKey creates a write key.
func (a *API) CreateWriteKey(ctx context.Context, req api.CreateWriteKeyRequestObject) (api.CreateWriteKeyResponseObject, error) {
	name := ""
	if req.Body.Name != nil {
		name = *req.Body.Name
	}
	key, err := a.projects.CreateWriteKey(ctx, req.ProjectID, name, req.Body.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return api.CreateWriteKey201JSONResponse(apiWriteKey(key)), nil
}

// ListWriteKeys lists a project's write keys.
func (a *API) ListWriteKeys(ctx context.Context, req api.ListWriteKeysRequestObject) (api.ListWriteKeysResponseObject, error) {
	keys, err := a.projects.WriteKeys(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListWriteKeys200JSONResponse{Items: make([]api.WriteKey, len(keys))}
	for i, k := range keys {
		reply.Items[i] = apiWriteKey(k)
	}
	return reply, nil
}

// UpdateWriteKey replaces the origins of a write key, and its name if there is one.
func (a *API) UpdateWriteKey(ctx context.Context, req api.UpdateWriteKeyRequestObject) (api.UpdateWriteKeyResponseObject, error) {
	key, err := a.projects.UpdateWriteKey(ctx, req.ProjectID, req.KeyID, req.Body.Name, req.Body.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return api.UpdateWriteKey200JSONResponse(apiWriteKey(key)), nil
}

// DeleteWriteKey ends a write key.
func (a *API) DeleteWriteKey(ctx context.Context, req api.DeleteWriteKeyRequestObject) (api.DeleteWriteKeyResponseObject, error) {
	if err := a.projects.DeleteWriteKey(ctx, req.ProjectID, req.KeyID); err != nil {
		return nil, err
	}
	return api.DeleteWriteKey204Response{}, nil
}

// CreateAPIKey creates an API key.
func (a *API) CreateAPIKey(ctx context.Context, req api.CreateAPIKeyRequestObject) (api.CreateAPIKeyResponseObject, error) {
	want := NewKey{Name: req.Body.Name, ExpiresAt: req.Body.ExpiresAt, Scopes: make([]string, len(req.Body.Scopes))}
	for i, scope := range req.Body.Scopes {
		want.Scopes[i] = string(scope)
	}
	key, pair, err := a.projects.CreateAPIKey(ctx, auth.From(ctx).AccountID, req.ProjectID, want)
	if err != nil {
		return nil, err
	}
	return api.CreateAPIKey201JSONResponse{APIKey: apiAPIKey(key), APIKeySecret: pair.Secret}, nil
}

// ListAPIKeys lists a project's API keys.
func (a *API) ListAPIKeys(ctx context.Context, req api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	keys, err := a.projects.APIKeys(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListAPIKeys200JSONResponse{Items: make([]api.APIKey, len(keys))}
	for i, k := range keys {
		reply.Items[i] = apiAPIKey(k)
	}
	return reply, nil
}

// UpdateAPIKey changes an API key.
func (a *API) UpdateAPIKey(ctx context.Context, req api.UpdateAPIKeyRequestObject) (api.UpdateAPIKeyResponseObject, error) {
	key, err := a.projects.UpdateAPIKey(ctx, req.ProjectID, req.APIKeyID, KeyChange{Name: req.Body.Name, ExpiresAt: req.Body.ExpiresAt})
	if err != nil {
		return nil, err
	}
	return api.UpdateAPIKey200JSONResponse(apiAPIKey(key)), nil
}

// RevokeAPIKey ends an API key.
func (a *API) RevokeAPIKey(ctx context.Context, req api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	if err := a.projects.RevokeAPIKey(ctx, req.ProjectID, req.APIKeyID); err != nil {
		return nil, err
	}
	return api.RevokeAPIKey204Response{}, nil
}

// ListMembers lists a project's members.
func (a *API) ListMembers(ctx context.Context, req api.ListMembersRequestObject) (api.ListMembersResponseObject, error) {
	members, err := a.projects.Members(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListMembers200JSONResponse{Items: make([]api.Member, len(members))}
	for i, m := range members {
		reply.Items[i] = apiMember(m)
	}
	return reply, nil
}

// UpdateMember changes a member's role.
func (a *API) UpdateMember(ctx context.Context, req api.UpdateMemberRequestObject) (api.UpdateMemberResponseObject, error) {
	member, err := a.projects.UpdateMember(ctx, auth.From(ctx).AccountID, req.ProjectID, req.AccountID, auth.Role(req.Body.Role))
	if err != nil {
		return nil, err
	}
	return api.UpdateMember200JSONResponse(apiMember(member)), nil
}

// RemoveMember removes a member from a project.
func (a *API) RemoveMember(ctx context.Context, req api.RemoveMemberRequestObject) (api.RemoveMemberResponseObject, error) {
	revoke := req.Params.RevokeKeys != nil && *req.Params.RevokeKeys
	keys, err := a.projects.RemoveMember(ctx, auth.From(ctx).AccountID, req.ProjectID, req.AccountID, revoke)
	if err != nil {
		return nil, err
	}
	reply := api.RemoveMember200JSONResponse{APIKeys: make([]api.APIKey, len(keys)), KeysRevoked: revoke}
	for i, k := range keys {
		reply.APIKeys[i] = apiAPIKey(k)
	}
	return reply, nil
}

func apiAPIKey(k APIKey) api.APIKey {
	scopes := make([]api.KeyScope, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = api.KeyScope(s)
	}
	return api.APIKey{ID: k.ID, Name: k.Name, Main: k.Main, Scopes: scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt}
}

func apiMember(m Member) api.Member {
	return api.Member{AccountID: m.AccountID, Email: openapi_types.Email(m.Email), Role: api.Role(m.Role), AddedAt: m.AddedAt}
}

func (a *API) project(p Project) api.Project {
	return api.Project{
		ID: p.ID, Name: p.Name, Description: p.Description, DataRetentionDays: p.DataRetentionDays,
		TimeZone: p.TimeZone, WeekStart: api.WeekStart(p.WeekStart), Currency: p.Currency,
		Dialects: apiDialects(a.projects.on(p.DialectsOff)), DialectsOff: apiDialects(p.DialectsOff), Role: api.Role(p.Role), APIKeyID: p.APIKeyID,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

func apiDialects(names []string) []api.Dialect {
	out := make([]api.Dialect, len(names))
	for k, name := range names {
		out[k] = api.Dialect(name)
	}
	return out
}

// dialectNames is nil where the request does not say.
func dialectNames(sent *api.DialectsOff) *[]string {
	if sent == nil {
		return nil
	}
	out := make([]string, len(*sent))
	for k, d := range *sent {
		out[k] = string(d)
	}
	return &out
}

func (a *API) withSecret(p Project, pair Pair) api.ProjectWithSecret {
	return api.ProjectWithSecret{Project: a.project(p), APIKeyID: pair.ID, APIKeySecret: pair.Secret}
}

func apiWriteKey(k WriteKey) api.WriteKey {
	return api.WriteKey{ID: k.ID, Name: k.Name, Key: k.Key, AllowedOrigins: k.AllowedOrigins, CreatedAt: k.CreatedAt}
}
