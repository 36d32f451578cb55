package accounts

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// The operations of this slice, as the strict server asks for them.
var _ interface {
	Register(context.Context, api.RegisterRequestObject) (api.RegisterResponseObject, error)
	Login(context.Context, api.LoginRequestObject) (api.LoginResponseObject, error)
	Refresh(context.Context, api.RefreshRequestObject) (api.RefreshResponseObject, error)
	Logout(context.Context, api.LogoutRequestObject) (api.LogoutResponseObject, error)
	GetMe(context.Context, api.GetMeRequestObject) (api.GetMeResponseObject, error)
	ChangePassword(context.Context, api.ChangePasswordRequestObject) (api.ChangePasswordResponseObject, error)
} = (*API)(nil)

// answer checks the status of a reply and reads its body.
func answer(t *testing.T, write func(http.ResponseWriter) error, status int) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if w.Code != status {
		t.Fatalf("status %d, want %d", w.Code, status)
	}
	if w.Body.Len() == 0 {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func wantSessionBody(t *testing.T, body map[string]any) (access, refresh string) {
	t.Helper()
	account, ok := body["account"].(map[string]any)
	if !ok || account["email"] != testEmail || account["id"] == "" || len(account) != 4 || len(body) != 5 ||
		body["token_type"] != "Bearer" || body["expires_in"] != 3600.0 {
		t.Fatalf("body %v", body)
	}
	if at, err := time.Parse(time.RFC3339, account["created_at"].(string)); err != nil || at.Location() != time.UTC {
		t.Fatalf("created_at %v", account["created_at"])
	}
	return body["access_token"].(string), body["refresh_token"].(string)
}

func TestASessionFromRegisteringToLoggingOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := NewAPI(b.Service)
	as := func(p *auth.Principal, err error) context.Context {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return auth.WithPrincipal(t.Context(), p)
	}

	registered, err := a.Register(t.Context(), api.RegisterRequestObject{
		Body: &api.RegisterRequest{Email: openapi_types.Email("Ada@Example.com"), Password: testPassword}})
	if err != nil {
		t.Fatal(err)
	}
	access, refresh := wantSessionBody(t, answer(t, registered.VisitRegisterResponse, http.StatusCreated))

	me, err := a.GetMe(as(b.VerifyAccess(t.Context(), access)), api.GetMeRequestObject{})
	if err != nil {
		t.Fatal(err)
	}
	if body := answer(t, me.VisitGetMeResponse, http.StatusOK); body["email"] != testEmail || body["operator"] != true || len(body) != 4 {
		t.Errorf("body %v", body)
	}

	refreshed, err := a.Refresh(as(b.VerifyRefresh(t.Context(), refresh)), api.RefreshRequestObject{})
	if err != nil {
		t.Fatal(err)
	}
	access, _ = wantSessionBody(t, answer(t, refreshed.VisitRefreshResponse, http.StatusOK))

	changed, err := a.ChangePassword(as(b.VerifyAccess(t.Context(), access)), api.ChangePasswordRequestObject{
		Body: &api.ChangePasswordRequest{CurrentPassword: testPassword, NewPassword: otherGood}})
	if err != nil {
		t.Fatal(err)
	}
	_, refresh = wantSessionBody(t, answer(t, changed.VisitChangePasswordResponse, http.StatusOK))

	loggedIn, err := a.Login(t.Context(), api.LoginRequestObject{Body: &api.LoginRequest{Email: testEmail, Password: otherGood}})
	if err != nil {
		t.Fatal(err)
	}
	access, _ = wantSessionBody(t, answer(t, loggedIn.VisitLoginResponse, http.StatusOK))

	// Logging out takes an access token or a refresh token.
	for _, ctx := range []context.Context{as(b.VerifyAccess(t.Context(), access)), as(b.VerifyRefresh(t.Context(), refresh))} {
		out, err := a.Logout(ctx, api.LogoutRequestObject{})
		if err != nil {
			t.Fatal(err)
		}
		answer(t, out.VisitLogoutResponse, http.StatusNoContent)
		_, err = a.Logout(ctx, api.LogoutRequestObject{})
		wantCode(t, err, problem.CodeSessionEnded)
	}
	if n := b.liveSessions(t); n != 0 {
		t.Errorf("%d sessions live", n)
	}
}

func TestOperationsPassProblemsOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	a := NewAPI(b.Service)
	if err := b.Logout(t.Context(), s.Account.ID, mustVerify(t, b, s).SessionID); err != nil {
		t.Fatal(err)
	}
	gone := auth.WithPrincipal(t.Context(), &auth.Principal{RefreshToken: s.RefreshToken})
	var got []problem.Code
	for _, call := range []func() (any, error){
		func() (any, error) {
			return a.Register(t.Context(), api.RegisterRequestObject{Body: &api.RegisterRequest{Email: testEmail, Password: testPassword}})
		},
		func() (any, error) {
			return a.Login(t.Context(), api.LoginRequestObject{Body: &api.LoginRequest{Email: testEmail, Password: otherGood}})
		},
		func() (any, error) { return a.Refresh(gone, api.RefreshRequestObject{}) },
		func() (any, error) { return a.Logout(gone, api.LogoutRequestObject{}) },
		func() (any, error) { return a.GetMe(gone, api.GetMeRequestObject{}) },
		func() (any, error) {
			return a.ChangePassword(gone, api.ChangePasswordRequestObject{
				Body: &api.ChangePasswordRequest{CurrentPassword: testPassword, NewPassword: "weak"}})
		},
	} {
		reply, err := call()
		p, ok := err.(*problem.Error) //nolint:errorlint // the operation itself must return the problem, bare
		if !ok || reply != nil {
			t.Fatalf("got %v, %v", reply, err)
		}
		got = append(got, p.Code)
	}
	want := []problem.Code{problem.CodeEmailTaken, problem.CodeInvalidCredentials, problem.CodeSessionEnded,
		problem.CodeSessionEnded, problem.CodeSessionEnded, problem.CodeValidation}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func mustVerify(t *testing.T, b *testBundle, s *Session) *auth.Principal {
	t.Helper()
	p, err := b.VerifyAccess(t.Context(), s.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
