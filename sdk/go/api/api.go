// Package api calls everything that a Nimbus server offers: to ask questions, to read events, to manage projects.
//
//	client, err := api.New("https://nimbus.example.com", api.WithRequestEditorFn(nimbus.SecretEditor(secret)))
//	…
//	for event, err := range client.Events(ctx, api.ListEventsParams{ProjectID: id}) { … }
//
// A [Client] has a method …WithResponse for each operation of the contract, with typed errors, sessions that renew
// themselves, and iterators over lists. The types and methods in client.gen.go are generated from
// openapi/nimbus.yaml, so that they say exactly what the server says.
//
// To send events, use the Tracker of package nimbus, the folder above.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/oapi-codegen/runtime/types"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// Client is the generated client with errors, sessions and iterators. An answer other than a success is an error, a
// *[nimbus.APIError], so that the field of the success (JSON200, JSON201) is there whenever the error is nil. After
// [Client.Login] requests carry an access token, which is renewed in time. Lists are ranged over page by page.
//
// It is safe for concurrent use.
type Client struct {
	*ClientWithResponses

	// OnSession gets each new session, from Login and whenever the tokens are renewed, before it is used; a renewal
	// calls it in a goroutine of its own. Set it before the first call. A program that keeps sessions must keep the
	// last, because a refresh token works once.
	OnSession func(Session)

	plain *ClientWithResponses // without the session: to log in and to renew
	http  HttpRequestDoer

	renewing chan struct{} // capacity 1: the call that renews holds it
	mu       sync.Mutex
	session  *Session // nil before Login
	renewAt  time.Time
}

// New returns a client of the server at this URL, which may have a path. Options are those of the generated client,
// such as [WithHTTPClient]; without Login, credentials come from an editor: [nimbus.SigningEditor] or
// [nimbus.SecretEditor] in [WithRequestEditorFn].
func New(url string, options ...ClientOption) (*Client, error) {
	generated, err := NewClient(url, options...)
	if err != nil {
		return nil, fmt.Errorf("nimbus: %w", err)
	}
	c := &Client{http: generated.Client, renewing: make(chan struct{}, 1)}
	plain := *generated
	plain.Client = doer(c.exchange)
	c.plain = &ClientWithResponses{ClientInterface: &plain}
	generated.Client = doer(c.do)
	c.ClientWithResponses = &ClientWithResponses{ClientInterface: generated}
	return c, nil
}

// Register creates an account and logs in as it.
func (c *Client) Register(ctx context.Context, email, password string) error {
	reply, err := c.plain.RegisterWithResponse(ctx, RegisterRequest{Email: types.Email(email), Password: password})
	if err != nil {
		return err
	}
	c.Resume(*reply.JSON201)
	return nil
}

// Login logs in. What is called from then on is called as this account.
func (c *Client) Login(ctx context.Context, email, password string) error {
	reply, err := c.plain.LoginWithResponse(ctx, LoginRequest{Email: email, Password: password})
	if err != nil {
		return err
	}
	c.Resume(*reply.JSON200)
	return nil
}

// Resume goes on with a session from somewhere else: from registering, or one that OnSession has kept. The age of its
// access token is not known: when it has expired, the first request finds out and renews it.
func (c *Client) Resume(s Session) {
	if c.OnSession != nil {
		c.OnSession(s)
	}
	// Early enough for a request that is under way when it expires.
	const margin = 30 * time.Second
	lifetime := time.Duration(s.ExpiresIn) * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.renewAt = &s, time.Now().Add(lifetime-min(margin, lifetime/2))
}

// Token returns an access token that is good for now, renewed if need be; empty before Login. It is for requests that
// are not made by this client, such as a WebSocket's.
func (c *Client) Token(ctx context.Context) (string, error) {
	token, due := c.current()
	if !due {
		return token, nil
	}
	return c.renew(ctx, token)
}

func (c *Client) current() (token string, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return "", false
	}
	return c.session.AccessToken, !time.Now().Before(c.renewAt)
}

// renewTimeout is how long the server has to renew a session.
const renewTimeout = 30 * time.Second

// renew replaces the session of this access token. Of concurrent callers one does it, since the refresh token works
// once. For the same reason it goes on when that caller gives up: the next refresh token would be lost with the
// answer.
func (c *Client) renew(ctx context.Context, old string) (string, error) {
	select {
	case c.renewing <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	var token string
	var err error
	done := make(chan struct{})
	go func() {
		defer func() { <-c.renewing }()
		defer close(done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		token, err = c.refresh(ctx, old)
	}()
	select {
	case <-done:
		return token, err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// refresh asks for the next session, if no other call has.
func (c *Client) refresh(ctx context.Context, old string) (string, error) {
	c.mu.Lock()
	s := *c.session
	c.mu.Unlock()
	if s.AccessToken != old {
		return s.AccessToken, nil // another call has
	}
	reply, err := c.plain.RefreshWithResponse(ctx, func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+s.RefreshToken)
		return nil
	})
	if token, _ := c.current(); token != old {
		return token, nil // there was a login meanwhile
	}
	if err != nil {
		return "", err
	}
	if reply.JSON200 == nil {
		return "", fmt.Errorf("nimbus: renew the session: %s", reply.Status())
	}
	c.Resume(*reply.JSON200)
	return reply.JSON200.AccessToken, nil
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(req *http.Request) (*http.Response, error) { return d(req) }

// do sends a request of the generated client.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization")+req.Header.Get("X-Api-Key")+req.Header.Get("X-Api-Signature") != "" {
		return c.exchange(req)
	}
	token, err := c.Token(req.Context())
	if err != nil {
		return nil, err
	}
	if token == "" {
		return c.exchange(req)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.exchange(req)
	var expired *nimbus.APIError
	if !errors.As(err, &expired) || expired.Code != "token_expired" || req.Body != nil && req.GetBody == nil {
		return res, err
	}
	// Our clock and the server's differ, or the session was resumed.
	if token, err = c.renew(req.Context(), token); err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, fmt.Errorf("nimbus: send the body again: %w", err)
		}
	}
	again.Header.Set("Authorization", "Bearer "+token)
	return c.exchange(again)
}

// maxAnswer bounds what is read of an answer that is no success. The longest names 12,000 mistakes of a batch.
const maxAnswer = 64 << 20

// exchange sends a request and turns an answer that is no success into an error. A success is JSON or lines of it,
// whatever the status: the contract gives a server that is not ready such a body, and a proxy's page may come with a
// 200.
func (c *Client) exchange(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "nimbus-go/"+nimbus.Version)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("nimbus: %s %s: %w", req.Method, req.URL.Path, err)
	}
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // empty after an error
	switch {
	case mediaType == "application/json", mediaType == "application/x-ndjson",
		res.StatusCode == http.StatusNoContent, res.StatusCode == http.StatusAccepted:
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("nimbus: read the answer: %w", err)
	}
	return nil, nimbus.NewAPIError(res.StatusCode, res.Header, body)
}
