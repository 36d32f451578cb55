package mcp

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
)

// Options are what the tools are made of.
type Options struct {
	Operations map[string]*contract.Operation // the contract's table
	Spec       []byte                         // the contract itself, as YAML
	PublicURL  string                         // where people reach the dashboard; empty: where the message was sent to
	BasePath   string                         // below which browsers find it, when PublicURL is empty
}

// instructions are what an assistant is told before it sees the tools.
const instructions = `Nimbus answers questions about how people use a product, exactly, from its events.
Find the names of events, properties and values in the catalogue first: listCatalogueEvents, listCatalogueProps, listCatalogueValues.
Each answer says in words what was counted: say so with the number, and give the link to the dashboard, where people can look further.
askPeople names the people behind a number of another answer.
An error names every argument that is wrong and what it must be: mend them and ask again.`

// Handler serves the protocol over HTTP. The edge has authenticated the caller and read the body; what a tool asks goes to api,
// which is the edge again. The error is that the contract cannot be read, which the tests of the contract would have found.
func Handler(o Options, api http.Handler) func(http.ResponseWriter, *http.Request) error {
	// Reading the contract would be most of the work of a start, and many servers are never asked.
	serve := sync.OnceValues(func() (http.Handler, error) { return handler(o, api) })
	return func(w http.ResponseWriter, r *http.Request) error {
		h, err := serve()
		if err != nil {
			return err
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), messageKey{}, r)))
		return nil
	}
}

func handler(o Options, api http.Handler) (http.Handler, error) {
	doc, err := readDocument(o.Spec)
	if err != nil {
		return nil, err
	}
	all, err := doc.tools(o.Operations)
	if err != nil {
		return nil, err
	}
	s := &server{Options: o, api: api, tools: all}
	server := sdk.NewServer(&sdk.Implementation{Name: "nimbus", Title: "Nimbus", Version: doc.Info.Version}, &sdk.ServerOptions{
		Instructions: instructions, Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	for _, t := range all {
		server.AddTool(t.about, func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return s.call(ctx, t, req)
		})
	}
	server.AddReceivingMiddleware(s.listing)
	return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true,
		// The library takes a proxy on the same machine for an attack. There is nothing to protect by the name of the host: a page
		// that a name is made to resolve to has no key to send, and the edge refuses its origin.
		DisableLocalhostProtection: true,
	}), nil
}

// server answers the calls of tools.
type server struct {
	Options
	api   http.Handler
	tools []*tool
}

// messageKey finds the HTTP request of a message. The library passes the values of its context on, and not its end: an assistant
// that hangs up must end the question.
type messageKey struct{}

func messageOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(messageKey{}).(*http.Request)
	return r
}

// listing answers which tools there are with those that the caller may call.
func (s *server) listing(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		result, err := next(ctx, method, req)
		list, ok := result.(*sdk.ListToolsResult)
		if !ok || err != nil {
			return result, err
		}
		caller := auth.From(messageOf(ctx).Context())
		list.Tools = []*sdk.Tool{}
		for _, t := range s.tools {
			if !t.calledBy(caller) {
				continue
			}
			seen, err := t.seenBy(caller)
			if err != nil {
				return nil, err
			}
			list.Tools = append(list.Tools, seen)
		}
		return list, nil
	}
}

// call asks what a tool asks. What is wrong with the arguments is a result, which the assistant reads, and no error of the
// protocol, which it may not.
func (s *server) call(ctx context.Context, t *tool, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	message := messageOf(ctx)
	args, err := readArguments(req.Params.Arguments)
	if err != nil {
		return failure(err.Error()), nil
	}
	t.withProject(args, auth.From(message.Context()))
	r, err := t.request(message.Context(), message, args)
	if err != nil {
		return failure(err.Error()), nil
	}
	a := &answer{header: http.Header{}}
	s.api.ServeHTTP(a, r)
	link := t.link(s.site(message), args)
	if link != "" {
		link = "In the dashboard: " + link
	}
	return a.result(link), nil
}

// site is where the caller finds the dashboard.
func (s *server) site(message *http.Request) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	scheme := "http"
	if message.TLS != nil || message.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s%s", scheme, message.Host, s.BasePath)
}
