package projects

import (
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// defaultInvitationHours is the default of `expires_in_hours` in the contract.
const defaultInvitationHours = 168

// CreateInvitation invites somebody.
func (a *API) CreateInvitation(ctx context.Context, req api.CreateInvitationRequestObject) (api.CreateInvitationResponseObject, error) {
	want := NewInvitation{Role: auth.Role(req.Body.Role), Lives: defaultInvitationHours * time.Hour}
	if req.Body.Email != nil {
		want.Email = string(*req.Body.Email)
	}
	if req.Body.ExpiresInHours != nil {
		want.Lives = time.Duration(*req.Body.ExpiresInHours) * time.Hour
	}
	made, err := a.projects.Invite(ctx, auth.From(ctx).AccountID, req.ProjectID, want)
	if err != nil {
		return nil, err
	}
	return api.CreateInvitation201JSONResponse{Invitation: apiInvitation(&made.Invitation), Token: made.Token, Path: made.Path(), Mailed: made.Mailed}, nil
}

// ListInvitations lists the invitations that wait.
func (a *API) ListInvitations(ctx context.Context, req api.ListInvitationsRequestObject) (api.ListInvitationsResponseObject, error) {
	waiting, err := a.projects.Invitations(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListInvitations200JSONResponse{Items: make([]api.Invitation, len(waiting))}
	for i := range waiting {
		reply.Items[i] = apiInvitation(&waiting[i])
	}
	return reply, nil
}

// RevokeInvitation withdraws an invitation.
func (a *API) RevokeInvitation(ctx context.Context, req api.RevokeInvitationRequestObject) (api.RevokeInvitationResponseObject, error) {
	if err := a.projects.Withdraw(ctx, req.ProjectID, req.InvitationID); err != nil {
		return nil, err
	}
	return api.RevokeInvitation204Response{}, nil
}

// PreviewInvitation says what a link is an invitation to.
func (a *API) PreviewInvitation(ctx context.Context, req api.PreviewInvitationRequestObject) (api.PreviewInvitationResponseObject, error) {
	i, project, err := a.projects.Preview(ctx, req.Body.Token)
	if err != nil {
		return nil, err
	}
	return api.PreviewInvitation200JSONResponse{ProjectName: project, Role: api.Role(i.Role), Email: apiEmail(i.Email), ExpiresAt: i.ExpiresAt}, nil
}

// AcceptInvitation makes the caller a member.
func (a *API) AcceptInvitation(ctx context.Context, req api.AcceptInvitationRequestObject) (api.AcceptInvitationResponseObject, error) {
	m, err := a.projects.AcceptInvitation(ctx, req.Body.Token, auth.From(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return api.AcceptInvitation200JSONResponse{ProjectID: m.ProjectID, Role: api.Role(m.Role)}, nil
}

// ListInstanceProjects lists the projects of the server.
func (a *API) ListInstanceProjects(ctx context.Context, req api.ListInstanceProjectsRequestObject) (api.ListInstanceProjectsResponseObject, error) {
	limit, cursor := int32(defaultPageSize), ""
	if req.Params.Limit != nil {
		limit = *req.Params.Limit
	}
	if req.Params.Cursor != nil {
		cursor = *req.Params.Cursor
	}
	page, next, err := a.projects.ListAll(ctx, limit, cursor)
	if err != nil {
		return nil, err
	}
	reply := api.ListInstanceProjects200JSONResponse{Items: make([]api.InstanceProject, len(page))}
	for i := range page {
		reply.Items[i] = apiListed(&page[i])
	}
	if next != "" {
		reply.NextCursor = &next
	}
	return reply, nil
}

// UpdateInstanceProject disables or enables a project, or gives it limits of its own.
func (a *API) UpdateInstanceProject(ctx context.Context, req api.UpdateInstanceProjectRequestObject) (api.UpdateInstanceProjectResponseObject, error) {
	ruling := Ruling{Disabled: req.Body.Disabled}
	if l := req.Body.Limits; l != nil {
		ruling.Limits = &OwnLimits{EventsPerDay: l.EventsPerDay, StoredBytes: l.StoredBytes, EventNames: l.EventNames}
	}
	listed, err := a.projects.Rule(ctx, req.ProjectID, ruling)
	if err != nil {
		return nil, err
	}
	return api.UpdateInstanceProject200JSONResponse(apiListed(&listed)), nil
}

// DeleteInstanceProject deletes a project.
func (a *API) DeleteInstanceProject(ctx context.Context, req api.DeleteInstanceProjectRequestObject) (api.DeleteInstanceProjectResponseObject, error) {
	if err := a.projects.Delete(ctx, req.ProjectID); err != nil {
		return nil, err
	}
	return api.DeleteInstanceProject204Response{}, nil
}

func apiInvitation(i *Invitation) api.Invitation {
	return api.Invitation{ID: i.ID, Role: api.Role(i.Role), Email: apiEmail(i.Email), InvitedBy: apiEmail(i.InvitedBy),
		CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC()}
}

// apiEmail is nil for an address that is not there.
func apiEmail(s string) *openapi_types.Email {
	if s == "" {
		return nil
	}
	return new(openapi_types.Email(s))
}

func apiListed(l *Listed) api.InstanceProject {
	return api.InstanceProject{ID: l.ID, Name: l.Name, CreatedAt: l.CreatedAt, Disabled: l.Disabled, Owners: l.Owners,
		Members: int32(l.Members), Events: l.Events, EstimatedBytes: l.Bytes, LastEventDay: l.LastDay,
		Limits: api.OwnLimits{EventsPerDay: l.Limits.EventsPerDay, StoredBytes: l.Limits.StoredBytes, EventNames: l.Limits.EventNames}}
}
