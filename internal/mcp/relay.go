package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Relay speaks the protocol over standard input and output for a Nimbus elsewhere, whose tools it offers and to which it passes
// every call on.
type Relay struct {
	URL string // of the Nimbus
	Key string // the secret of an API key
	In  io.ReadCloser
	Out io.WriteCloser
}

// Run serves until the input ends. The error says what to do when the Nimbus cannot be reached or refuses the key, which is
// found out before anything is answered.
func (r *Relay) Run(ctx context.Context) error {
	far := &far{url: strings.TrimSuffix(r.URL, "/"), key: r.Key}
	first, err := far.session(ctx)
	if err != nil {
		return err
	}
	defer far.close()
	known := first.InitializeResult()
	near := sdk.NewServer(known.ServerInfo, &sdk.ServerOptions{
		Instructions: known.Instructions, Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	near.AddReceivingMiddleware(far.pass)
	if err := near.Run(ctx, &sdk.IOTransport{Reader: r.In, Writer: r.Out}); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		return fmt.Errorf("speak with the client: %w", err)
	}
	return nil
}

// far is the Nimbus whose tools are offered.
type far struct {
	url, key string

	mu      sync.Mutex
	current *sdk.ClientSession // nil after it has failed
}

// session is the connection to the Nimbus, a new one after the last has failed.
func (f *far) session(ctx context.Context) (*sdk.ClientSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		return f.current, nil
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "nimbus mcp", Version: "1"}, nil)
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{
		Endpoint: f.url + "/mcp", HTTPClient: &http.Client{Transport: withKey{f.key}}, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	var no *refusal
	switch {
	case errors.As(err, &no):
		return nil, no
	case err != nil:
		return nil, fmt.Errorf("%s cannot be asked (NIMBUS_MCP_URL): %w", f.url, err)
	}
	f.current = session
	return session, nil
}

// failed forgets a connection, so that the next call makes another: the Nimbus may have been restarted.
func (f *far) failed(session *sdk.ClientSession) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == session {
		f.current = nil
		_ = session.Close() // it has failed
	}
}

func (f *far) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		_ = f.current.Close() // nothing is kept there
	}
}

// pass answers the list of tools and their calls from afar, and leaves the rest of the protocol to the library.
func (f *far) pass(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		switch p := req.GetParams().(type) {
		case *sdk.ListToolsParams:
			return asked(ctx, f, func(s *sdk.ClientSession) (*sdk.ListToolsResult, error) {
				return s.ListTools(ctx, &sdk.ListToolsParams{Cursor: p.Cursor})
			})
		case *sdk.CallToolParamsRaw:
			args := p.Arguments
			if len(args) == 0 {
				args = json.RawMessage("{}")
			}
			result, err := asked(ctx, f, func(s *sdk.ClientSession) (*sdk.CallToolResult, error) {
				return s.CallTool(ctx, &sdk.CallToolParams{Name: p.Name, Arguments: args})
			})
			if err != nil && !answered(err) && ctx.Err() == nil {
				return failure(err.Error()), nil
			}
			return result, err
		}
		return next(ctx, method, req)
	}
}

// asked asks the Nimbus, once more over a new connection when the first one fails.
func asked[R any](ctx context.Context, f *far, ask func(*sdk.ClientSession) (R, error)) (result R, err error) {
	for range 2 {
		var session *sdk.ClientSession
		if session, err = f.session(ctx); err != nil {
			return result, err
		}
		result, err = ask(session)
		if err == nil || answered(err) || ctx.Err() != nil {
			return result, err
		}
		f.failed(session)
		if no := (*refusal)(nil); errors.As(err, &no) {
			return result, no
		}
	}
	return result, fmt.Errorf("%s cannot be asked: %w", f.url, err)
}

// rejectedByTransport is the code of the library's own error for a message that could not be sent.
const rejectedByTransport = -32005

// answered says that an error is the answer of the Nimbus: the message got there.
func answered(err error) bool {
	wire := (*jsonrpc.Error)(nil)
	return errors.As(err, &wire) && wire.Code != rejectedByTransport
}

// withKey sends the key with every request.
type withKey struct{ key string }

// refusal is the answer of a Nimbus that takes no messages from the key, or of a server that is none.
type refusal struct {
	status int
	detail string
}

func (r *refusal) Error() string {
	if r.status == http.StatusNotFound {
		return "there is no /mcp at that address (NIMBUS_MCP_URL)"
	}
	return fmt.Sprintf("the key is refused (NIMBUS_MCP_KEY): %d %s", r.status, r.detail)
}

// RoundTrip implements http.RoundTripper.
func (w withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-API-Key", w.key)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch res.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		defer res.Body.Close()
		var p struct{ Detail string }
		_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&p) // without one the status says enough
		return nil, &refusal{res.StatusCode, p.Detail}
	}
	return res, nil
}
