package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
)

// maxAnswer is how large the answer of a tool may be, in bytes: it is held in memory, and a larger one would be of no use to
// an assistant.
const maxAnswer = 1 << 20

// carried are the headers of the caller's message that the request of a tool has as well: who he is, and where he comes from.
var carried = []string{"Authorization", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Proto", "User-Agent"}

// arguments are those of one call, by name.
type arguments map[string]json.RawMessage

func readArguments(raw json.RawMessage) (arguments, error) {
	args := arguments{}
	if text := bytes.TrimSpace(raw); len(text) == 0 || string(text) == "null" {
		return args, nil
	}
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, errors.New("the arguments must be a JSON object")
	}
	return args, nil
}

// withProject adds the project of the caller's key where the tool takes one and the caller has named none.
func (t *tool) withProject(args arguments, p *auth.Principal) {
	_, named := args[projectID]
	if takes := t.op.Project != "" && t.op.Project != contract.ProjectOfCaller; takes && !named && p.Kind == auth.KindAPIKey {
		args[projectID] = json.RawMessage(`"` + p.ProjectID.String() + `"`)
	}
}

// target is the path and the query of a call, and the arguments that are left for the body. What the contract does not know
// goes along, so that the edge names it among all that is wrong. The error names every part of the path that is missing:
// without it there is no operation that could.
func (t *tool) target(args arguments) (string, arguments, error) {
	path, query, rest := t.op.Path, url.Values{}, maps.Clone(args)
	var missing []error
	for _, p := range t.op.Params {
		value, given := args[p.Name]
		switch {
		case p.In == contract.InPath && (!given || plain(value) == ""):
			missing = append(missing, fmt.Errorf("/%s (%s): is required", p.Name, contract.CodeRequired))
		case p.In == contract.InPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(plain(value)))
		case p.In == contract.InQuery && given:
			query[p.Name] = each(value)
		default:
			continue
		}
		delete(rest, p.Name)
	}
	if !t.op.Body {
		for name, value := range rest {
			query[name] = each(value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, rest, errors.Join(missing...)
}

// request is the request that a call of the tool stands for, by whoever sent the message from.
func (t *tool) request(ctx context.Context, from *http.Request, args arguments) (*http.Request, error) {
	target, rest, err := t.target(args)
	if err != nil {
		return nil, err
	}
	var body []byte
	if t.op.Body {
		if body, err = json.Marshal(rest); err != nil {
			return nil, fmt.Errorf("the arguments: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, t.op.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the request of %s: %w", t.op.ID, err)
	}
	r.RemoteAddr, r.RequestURI, r.Host, r.TLS = from.RemoteAddr, target, from.Host, from.TLS
	for _, name := range carried {
		if values := from.Header.Values(name); len(values) > 0 {
			r.Header[name] = slices.Clone(values)
		}
	}
	r.Header.Set("X-Request-Id", auth.RequestID(from.Context())) // one id in the log for the message and what it asked
	if t.op.Body {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// each is the values of a parameter: those of a list, or the one.
func each(value json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return []string{plain(value)}
	}
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = plain(item)
	}
	return out
}

// plain is a value as a parameter has it: a string without its quotes, anything else as it is.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// answer is the answer to the request of a tool. Of one that is too large the rest is not kept.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	over   bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.over = a.over || a.body.Len()+len(b) > maxAnswer; !a.over {
		a.body.Write(b)
	}
	return len(b), nil
}

// result is what the assistant is told. What was counted and where to look at it come first, because an assistant that cuts
// a long answer short cuts its end.
func (a *answer) result(link string) *sdk.CallToolResult {
	switch {
	case a.over:
		return failure(fmt.Sprintf("The answer is larger than %d bytes. Ask for less: a smaller limit, a shorter range, fewer groups.", maxAnswer))
	case a.status != http.StatusOK:
		return failure(a.problem())
	}
	said := struct {
		Definition string
		Meta       struct{ Definition string }
	}{}
	_ = json.Unmarshal(a.body.Bytes(), &said) // an answer without a definition has none
	var content []sdk.Content
	for _, line := range []string{said.Definition + said.Meta.Definition, link} {
		if line != "" {
			content = append(content, &sdk.TextContent{Text: line})
		}
	}
	return &sdk.CallToolResult{Content: append(content, &sdk.TextContent{Text: strings.TrimSpace(a.body.String())})}
}

// problem is the problem of the answer in words: every bad argument with what is wrong, so that the assistant can ask again.
func (a *answer) problem() string {
	var p struct {
		Code, Title, Detail string
		RequestID           string `json:"request_id"`
		Errors              []struct{ Pointer, Code, Detail string }
	}
	if json.Unmarshal(a.body.Bytes(), &p) != nil || p.Code == "" {
		return fmt.Sprintf("The server answered %d.", a.status)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s). %s", p.Title, p.Code, p.Detail)
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n%s (%s): %s", e.Pointer, e.Code, e.Detail)
	}
	if after := a.header.Get("Retry-After"); after != "" {
		fmt.Fprintf(&b, "\nTry again in %s s.", after)
	}
	if a.status >= http.StatusInternalServerError {
		fmt.Fprintf(&b, "\nrequest_id: %s", p.RequestID)
	}
	return b.String()
}

// failure is the result of a call that got no answer, which the assistant reads as well.
func failure(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}
