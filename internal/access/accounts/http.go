package accounts

import (
	"context"
	"errors"
	"net/http"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// API is this slice's part of api.StrictServerInterface.
type API struct{ service *Service }

// NewAPI returns the operations of the service.
func NewAPI(service *Service) *API { return &API{service: service} }

// Register creates an account and logs it in.
func (a *API) Register(ctx context.Context, request api.RegisterRequestObject) (api.RegisterResponseObject, error) {
	session, err := a.service.Register(ctx, NewAccount{Email: string(request.Body.Email), Password: request.Body.Password,
		Invitation: given(request.Body.Invitation), SetupToken: given(request.Body.SetupToken)})
	if err != nil {
		return nil, err
	}
	body, cookie := sessionReply(session, wantsCookie(request.Body.Session))
	return api.Register201JSONResponse{Body: body, Headers: api.Register201ResponseHeaders{SetCookie: cookie}}, nil
}

// Login opens a session.
func (a *API) Login(ctx context.Context, request api.LoginRequestObject) (api.LoginResponseObject, error) {
	session, err := a.service.Login(ctx, request.Body.Email, request.Body.Password, auth.RequestOf(ctx).Network)
	if err != nil {
		return nil, err
	}
	body, cookie := sessionReply(session, wantsCookie(request.Body.Session))
	return api.Login200JSONResponse{Body: body, Headers: api.Login200ResponseHeaders{SetCookie: cookie}}, nil
}

// GetAuthMethods says how one can log in.
func (a *API) GetAuthMethods(ctx context.Context, _ api.GetAuthMethodsRequestObject) (api.GetAuthMethodsResponseObject, error) {
	m := a.service.Methods(ctx)
	return api.GetAuthMethods200JSONResponse{Password: true, Oidc: api.OidcMethod{Enabled: m.Provider != "", Name: some(m.Provider)},
		Registration: api.Registration(m.Registration), Empty: m.Empty, SetupToken: m.SetupToken, PasswordResetByMail: m.ResetByMail}, nil
}

// RequestPasswordReset has a link mailed.
func (a *API) RequestPasswordReset(ctx context.Context, request api.RequestPasswordResetRequestObject) (api.RequestPasswordResetResponseObject, error) {
	if err := a.service.RequestReset(ctx, string(request.Body.Email)); err != nil {
		return nil, err
	}
	return api.RequestPasswordReset202Response{}, nil
}

// CompletePasswordReset sets a new password with a link.
func (a *API) CompletePasswordReset(ctx context.Context, request api.CompletePasswordResetRequestObject) (api.CompletePasswordResetResponseObject, error) {
	session, err := a.service.Reset(ctx, request.Body.Token, request.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	body, cookie := sessionReply(session, wantsCookie(request.Body.Session))
	return api.CompletePasswordReset200JSONResponse{Body: body, Headers: api.CompletePasswordReset200ResponseHeaders{SetCookie: cookie}}, nil
}

// StartOidcLogin sends the browser to the identity provider.
func (a *API) StartOidcLogin(ctx context.Context, request api.StartOidcLoginRequestObject) (api.StartOidcLoginResponseObject, error) {
	returnTo := "/"
	if request.Params.ReturnTo != nil {
		returnTo = *request.Params.ReturnTo
	}
	target, sealed, err := a.service.StartOIDC(ctx, returnTo, given(request.Params.Invitation))
	if err != nil {
		return failedLogin(err)
	}
	return redirect{target, []string{loginCookie(sealed, loginTime)}}, nil
}

// FinishOidcLogin logs in a person who comes back from the identity provider.
func (a *API) FinishOidcLogin(ctx context.Context, request api.FinishOidcLoginRequestObject) (api.FinishOidcLoginResponseObject, error) {
	p := request.Params
	session, returnTo, err := a.service.FinishOIDC(ctx, given(p.NimbusOidc),
		OIDCAnswer{State: given(p.State), Code: given(p.Code), Issuer: given(p.Iss), Error: given(p.Error)})
	if err != nil {
		return failedLogin(err)
	}
	return redirect{returnTo, []string{loginCookie("", -time.Second), sessionCookie(session.RefreshToken, session.RefreshTTL)}}, nil
}

// redirect is a 302 with any number of cookies; the generated one has room for one.
type redirect struct {
	location string
	cookies  []string
}

func (r redirect) send(w http.ResponseWriter) error {
	for _, c := range r.cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.Header().Set("Location", r.location)
	w.WriteHeader(http.StatusFound)
	return nil
}

// VisitStartOidcLoginResponse sends it.
func (r redirect) VisitStartOidcLoginResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitFinishOidcLoginResponse sends it.
func (r redirect) VisitFinishOidcLoginResponse(w http.ResponseWriter) error { return r.send(w) }

// failedLogin sends the browser to the page that explains the failure: a person is looking, and not a program. The cookie
// stays, because it may be of a login that goes on in another tab.
func failedLogin(err error) (redirect, error) {
	var failure LoginFailure
	if !errors.As(err, &failure) {
		return redirect{}, err
	}
	return redirect{location: "/login?error=" + string(failure)}, nil
}

// loginCookie is what the browser keeps while its person is at the provider. Lax, because it must come along when the
// provider sends the browser back.
func loginCookie(sealed string, lives time.Duration) string {
	c := http.Cookie{ //nolint:gosec // G124: as with sessionCookie
		Name: auth.LoginCookie, Value: sealed, Path: "/v1/auth/oidc", MaxAge: int(lives / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	return c.String()
}

func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Refresh exchanges the refresh token that the request was authenticated with, for one that goes where it came from.
func (a *API) Refresh(ctx context.Context, _ api.RefreshRequestObject) (api.RefreshResponseObject, error) {
	caller := auth.From(ctx)
	session, err := a.service.Refresh(ctx, caller.RefreshToken)
	if err != nil {
		return nil, err
	}
	body, cookie := sessionReply(session, caller.InCookie)
	return api.Refresh200JSONResponse{Body: body, Headers: api.Refresh200ResponseHeaders{SetCookie: cookie}}, nil
}

// Logout ends the session of the caller.
func (a *API) Logout(ctx context.Context, _ api.LogoutRequestObject) (api.LogoutResponseObject, error) {
	caller := auth.From(ctx)
	if err := a.service.Logout(ctx, caller.AccountID, caller.SessionID); err != nil {
		return nil, err
	}
	var cookie *string
	if caller.InCookie {
		cookie = new(sessionCookie("", -time.Second))
	}
	return api.Logout204Response{Headers: api.Logout204ResponseHeaders{SetCookie: cookie}}, nil
}

// ListSessions returns the sessions of the caller.
func (a *API) ListSessions(ctx context.Context, _ api.ListSessionsRequestObject) (api.ListSessionsResponseObject, error) {
	caller := auth.From(ctx)
	sessions, err := a.service.Sessions(ctx, caller.AccountID)
	if err != nil {
		return nil, err
	}
	reply := api.ListSessions200JSONResponse{Items: make([]api.SessionInfo, len(sessions))}
	for i, s := range sessions {
		reply.Items[i] = api.SessionInfo{ID: s.ID, CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt,
			IP: some(s.IP), UserAgent: some(s.UserAgent), Current: s.ID == caller.SessionID}
	}
	return reply, nil
}

// RevokeSession ends a session of the caller.
func (a *API) RevokeSession(ctx context.Context, request api.RevokeSessionRequestObject) (api.RevokeSessionResponseObject, error) {
	if err := a.service.RevokeSession(ctx, auth.From(ctx).AccountID, request.SessionID); err != nil {
		return nil, err
	}
	return api.RevokeSession204Response{}, nil
}

// some is nil for what is not known.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// GetMe returns the account of the caller.
func (a *API) GetMe(ctx context.Context, _ api.GetMeRequestObject) (api.GetMeResponseObject, error) {
	account, err := a.service.Me(ctx, auth.From(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return api.GetMe200JSONResponse(accountBody(account)), nil
}

// ChangePassword replaces the password of the caller and all his sessions.
func (a *API) ChangePassword(ctx context.Context, request api.ChangePasswordRequestObject) (api.ChangePasswordResponseObject, error) {
	session, err := a.service.ChangePassword(ctx, auth.From(ctx).AccountID, request.Body.CurrentPassword, request.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	body, cookie := sessionReply(session, wantsCookie(request.Body.Session))
	return api.ChangePassword200JSONResponse{Body: body, Headers: api.ChangePassword200ResponseHeaders{SetCookie: cookie}}, nil
}

func wantsCookie(kind *api.SessionKind) bool { return kind != nil && *kind == api.SessionCookie }

// sessionReply returns the body and, when the refresh token goes there, the cookie.
func sessionReply(s *Session, inCookie bool) (api.Session, *string) {
	body := sessionBody(s)
	if !inCookie {
		return body, nil
	}
	body.RefreshToken = ""
	return body, new(sessionCookie(s.RefreshToken, s.RefreshTTL))
}

// sessionCookie is the cookie that httpapi reads a refresh token from. No script can read it, no page of another site can
// make a browser send it, and no other path gets it. What leaves over https gets Secure and the prefix __Host- from httpapi.
func sessionCookie(token string, lives time.Duration) string {
	c := http.Cookie{ //nolint:gosec // G124: httpapi knows whether it leaves over https; Secure over http would lose the session
		Name: auth.RefreshCookie, Value: token, Path: "/v1/auth", MaxAge: int(lives / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	return c.String()
}

func sessionBody(s *Session) api.Session {
	return api.Session{
		AccessToken:  s.AccessToken,
		RefreshToken: s.RefreshToken,
		TokenType:    api.Bearer,
		ExpiresIn:    int32(s.ExpiresIn / time.Second),
		Account:      accountBody(s.Account),
	}
}

func accountBody(a Account) api.Account {
	return api.Account{ID: a.ID, Email: openapi_types.Email(a.Email), CreatedAt: a.CreatedAt.UTC(), Operator: a.Operator}
}
