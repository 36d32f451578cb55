package accounts

import (
	"context"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
)

// defaultPageSize is the default of `limit` in the contract.
const defaultPageSize = 50

// ListInstanceAccounts lists the accounts of the server.
func (a *API) ListInstanceAccounts(ctx context.Context, request api.ListInstanceAccountsRequestObject) (api.ListInstanceAccountsResponseObject, error) {
	limit := int32(defaultPageSize)
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	page, next, err := a.service.List(ctx, given(request.Params.Email), limit, given(request.Params.Cursor))
	if err != nil {
		return nil, err
	}
	reply := api.ListInstanceAccounts200JSONResponse{Items: make([]api.InstanceAccount, len(page)), NextCursor: some(next)}
	for i := range page {
		reply.Items[i] = listedBody(&page[i])
	}
	return reply, nil
}

// CreateInstanceAccount makes an account for somebody.
func (a *API) CreateInstanceAccount(ctx context.Context, request api.CreateInstanceAccountRequestObject) (api.CreateInstanceAccountResponseObject, error) {
	account, link, err := a.service.Create(ctx, string(request.Body.Email), request.Body.Operator != nil && *request.Body.Operator)
	if err != nil {
		return nil, err
	}
	return api.CreateInstanceAccount201JSONResponse{Account: listedBody(&account), Link: linkBody(link)}, nil
}

// UpdateInstanceAccount disables or enables an account, or makes it an operator.
func (a *API) UpdateInstanceAccount(ctx context.Context, request api.UpdateInstanceAccountRequestObject) (api.UpdateInstanceAccountResponseObject, error) {
	account, err := a.service.Update(ctx, request.AccountID, AccountChange{Disabled: request.Body.Disabled, Operator: request.Body.Operator})
	if err != nil {
		return nil, err
	}
	return api.UpdateInstanceAccount200JSONResponse(listedBody(&account)), nil
}

// DeleteInstanceAccount deletes an account.
func (a *API) DeleteInstanceAccount(ctx context.Context, request api.DeleteInstanceAccountRequestObject) (api.DeleteInstanceAccountResponseObject, error) {
	withProjects := request.Params.DeleteProjects != nil && *request.Params.DeleteProjects
	if err := a.service.Delete(ctx, request.AccountID, withProjects); err != nil {
		return nil, err
	}
	return api.DeleteInstanceAccount204Response{}, nil
}

// CreatePasswordReset makes a link to a new password.
func (a *API) CreatePasswordReset(ctx context.Context, request api.CreatePasswordResetRequestObject) (api.CreatePasswordResetResponseObject, error) {
	link, err := a.service.ResetLink(ctx, request.AccountID)
	if err != nil {
		return nil, err
	}
	return api.CreatePasswordReset201JSONResponse(linkBody(link)), nil
}

func listedBody(l *Listed) api.InstanceAccount {
	out := api.InstanceAccount{ID: l.ID, Email: openapi_types.Email(l.Email), CreatedAt: l.CreatedAt.UTC(), Operator: l.Operator,
		Disabled: l.Disabled, Projects: int32(l.Projects), Events: l.Events}
	if l.LastSeenAt != nil {
		out.LastSeenAt = new(l.LastSeenAt.UTC())
	}
	return out
}

func linkBody(l Link) api.PasswordResetLink {
	return api.PasswordResetLink{Token: l.Token, Path: l.Path(), ExpiresAt: l.ExpiresAt.UTC()}
}
