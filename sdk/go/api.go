package nimbus

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/oapi-codegen/runtime/types"
)

// API is the generated client with what one wants around it: an answer other than a success is an error, an *[APIError], so
// that the field of the success (JSON200, JSON201) is there whenever the error is nil; after [API.Login] requests carry an
// access token, which is renewed in time; and lists are ranged over page by page.
//
// It is safe for concurrent use.
type API struct {
	*ClientWithResponses

	// OnSession gets each new session, from Login and whenever the tokens are renewed, before it is used; a renewal calls it in
	// a goroutine of its own. Set it before the first call; whoever keeps sessions must keep the last, because a refresh token
	// works once.
	OnSession func(Session)

	plain *ClientWithResponses // without the session: for what makes one
	http  HttpRequestDoer

	renewing chan struct{} // has room for the one call that renews
	mu       sync.Mutex
	session  *Session // nil before Login
	renewAt  time.Time
}

// NewAPI returns an API of the server at this URL. Options are those of the generated client, such as [WithHTTPClient];
// without Login, credentials come from an editor: [SigningEditor] or [SecretEditor] in [WithRequestEditorFn].
func NewAPI(url string, options ...ClientOption) (*API, error) {
	client, err := NewClient(url, options...)
	if err != nil {
		return nil, fmt.Errorf("nimbus: %w", err)
	}
	a := &API{http: client.Client, renewing: make(chan struct{}, 1)}
	a.plain = &ClientWithResponses{ClientInterface: &HTTPClient{Server: client.Server, Client: doer(a.exchange), RequestEditors: client.RequestEditors}}
	client.Client = doer(a.do)
	a.ClientWithResponses = &ClientWithResponses{ClientInterface: client}
	return a, nil
}

// SecretEditor sends a project's secret with each request, for networks that are trusted.
func SecretEditor(secret string) RequestEditorFn {
	return func(_ context.Context, req *http.Request) error {
		req.Header.Set("X-API-Key", secret)
		return nil
	}
}

// Register creates an account and logs in as it.
func (a *API) Register(ctx context.Context, email, password string) error {
	reply, err := a.plain.RegisterWithResponse(ctx, RegisterRequest{Email: types.Email(email), Password: password})
	if err != nil {
		return err
	}
	a.Resume(*reply.JSON201)
	return nil
}

// Login logs in. What is called from then on is called as this account.
func (a *API) Login(ctx context.Context, email, password string) error {
	reply, err := a.plain.LoginWithResponse(ctx, LoginRequest{Email: email, Password: password})
	if err != nil {
		return err
	}
	a.Resume(*reply.JSON200)
	return nil
}

// Resume goes on with a session from somewhere else: from registering, or one that OnSession has kept. How old its access
// token is, is not known, so that the first request may find out and renew it.
func (a *API) Resume(s Session) {
	if a.OnSession != nil {
		a.OnSession(s)
	}
	// Early enough for a request that is under way when it expires.
	const margin = 30 * time.Second
	lifetime := time.Duration(s.ExpiresIn) * time.Second
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session, a.renewAt = &s, time.Now().Add(lifetime-min(margin, lifetime/2))
}

// Token returns an access token that is good for now, renewed if need be; empty before Login. It is for requests that are not
// made by this client, such as a WebSocket's.
func (a *API) Token(ctx context.Context) (string, error) {
	token, due := a.current()
	if !due {
		return token, nil
	}
	return a.renew(ctx, token)
}

func (a *API) current() (token string, due bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		return "", false
	}
	return a.session.AccessToken, !time.Now().Before(a.renewAt)
}

// renewTimeout is how long the server has to renew a session.
const renewTimeout = 30 * time.Second

// renew replaces the session whose access token this is. Of all who ask at once one does it, since the refresh token works
// once; for the same reason it goes on when that one gives up, or the next refresh token would be lost with the answer.
func (a *API) renew(ctx context.Context, old string) (string, error) {
	select {
	case a.renewing <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	var token string
	var err error
	done := make(chan struct{})
	go func() {
		defer func() { <-a.renewing }()
		defer close(done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		token, err = a.refresh(ctx, old)
	}()
	select {
	case <-done:
		return token, err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// refresh is renew for the one who does it.
func (a *API) refresh(ctx context.Context, old string) (string, error) {
	a.mu.Lock()
	s := *a.session
	a.mu.Unlock()
	if s.AccessToken != old {
		return s.AccessToken, nil // someone else has
	}
	reply, err := a.plain.RefreshWithResponse(ctx, func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+s.RefreshToken)
		return nil
	})
	if token, _ := a.current(); token != old {
		return token, nil // someone has logged in meanwhile
	}
	if err != nil {
		return "", err
	}
	if reply.JSON200 == nil {
		return "", fmt.Errorf("nimbus: renew the session: %s", reply.Status())
	}
	a.Resume(*reply.JSON200)
	return reply.JSON200.AccessToken, nil
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(req *http.Request) (*http.Response, error) { return d(req) }

// do sends a request of the generated client.
func (a *API) do(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization")+req.Header.Get("X-Api-Key")+req.Header.Get(headerSignature) != "" {
		return a.exchange(req)
	}
	token, err := a.Token(req.Context())
	if err != nil {
		return nil, err
	}
	if token == "" {
		return a.exchange(req)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := a.exchange(req)
	if e, ok := err.(*APIError); !ok || e.Code != "token_expired" || req.Body != nil && req.GetBody == nil { //nolint:errorlint // exchange returns it as it is
		return res, err
	}
	// Our clock and the server's differ, or the session was resumed.
	if token, err = a.renew(req.Context(), token); err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, fmt.Errorf("nimbus: send the body again: %w", err)
		}
	}
	again.Header.Set("Authorization", "Bearer "+token)
	return a.exchange(again)
}

// exchange sends a request and turns an answer that is no success into an error. What counts is that the answer is JSON, or lines
// of it, and no problem: the contract gives a server that is not ready such a body, and a proxy's page may come with a 200.
func (a *API) exchange(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", userAgent)
	res, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("nimbus: %s %s: %w", req.Method, req.URL.Path, err)
	}
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // empty after an error
	if mediaType == "application/json" || mediaType == "application/x-ndjson" || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusAccepted {
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("nimbus: read the answer: %w", err)
	}
	return nil, newAPIError(res.StatusCode, res.Header, body)
}
