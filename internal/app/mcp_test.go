package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
)

// headers sends headers with every message of an assistant.
type headers map[string]string

func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// assistant connects the client of the protocol's own SDK to /mcp.
func assistant(t *testing.T, a *apptest.App, h headers) *sdk.ClientSession {
	t.Helper()
	s, err := connectTo(t, a.URL, h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connectTo(t *testing.T, at string, h headers) (*sdk.ClientSession, error) {
	t.Helper()
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&sdk.StreamableClientTransport{Endpoint: at + "/mcp", HTTPClient: &http.Client{Transport: h}, MaxRetries: -1}, nil)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func keyOf(x *apptest.Tenant) headers { return headers{"X-API-Key": x.Secret} }

// toolNames are the tools that an assistant sees, in alphabetical order.
func toolNames(t *testing.T, s *sdk.ClientSession) []string {
	t.Helper()
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(list.Tools))
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

// callTool calls a tool and returns the texts of its result.
func callTool(t *testing.T, s *sdk.ClientSession, name string, args map[string]any) (texts []string, failed bool) {
	t.Helper()
	r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, c := range r.Content {
		text, ok := c.(*sdk.TextContent)
		if !ok {
			t.Fatalf("%s answers with %T", name, c)
		}
		texts = append(texts, text.Text)
	}
	return texts, r.IsError
}

// refusedTool calls a tool that must be refused, and returns why.
func refusedTool(t *testing.T, s *sdk.ClientSession, name string, args map[string]any) string {
	t.Helper()
	texts, failed := callTool(t, s, name, args)
	if !failed || len(texts) != 1 {
		t.Fatalf("%s %v: want to be refused, got %q", name, args, texts)
	}
	return texts[0]
}

func toolsOf(visible func(*contract.Operation) bool) []string {
	var names []string
	for _, id := range api.OperationIDs {
		if op := api.Operations[id]; op.Tool && visible(op) {
			names = append(names, id)
		}
	}
	return names
}

var funnelOf = map[string]any{"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z",
	"steps": []any{map[string]any{"event": "view"}, map[string]any{"event": "buy"}}}

func TestAnAssistantAsksAFunnel(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_PUBLIC_URL=https://nimbus.example/stats")
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "view", "user_id": "u1"}, apptest.Event{"name": "buy", "user_id": "u1"}, apptest.Event{"name": "view", "user_id": "u2"})
	s := assistant(t, a, keyOf(x))
	if !strings.Contains(s.InitializeResult().Instructions, "catalogue") {
		t.Errorf("the assistant is not told where to begin: %q", s.InitializeResult().Instructions)
	}

	texts, failed := callTool(t, s, "askFunnel", funnelOf)
	if failed || len(texts) != 3 {
		t.Fatalf("want the definition, the link and the answer, got %q", texts)
	}
	direct := x.With("X-API-Key", x.Secret).Do("POST", "/v1/insights/funnel", withProject(x, funnelOf)).Want(200)
	var told, asked struct {
		Counts []int
		Meta   struct{ Definition string }
	}
	direct.JSON(&asked)
	if err := json.Unmarshal([]byte(texts[2]), &told); err != nil {
		t.Fatalf("%s: %v", texts[2], err)
	}
	if !slices.Equal(told.Counts, []int{2, 1}) || !slices.Equal(told.Counts, asked.Counts) {
		t.Errorf("the tool says %v, the operation %v", told.Counts, asked.Counts)
	}
	if texts[0] != asked.Meta.Definition || texts[0] == "" {
		t.Errorf("definition %q, want %q", texts[0], asked.Meta.Definition)
	}
	link, err := url.Parse(strings.TrimPrefix(texts[1], "In the dashboard: "))
	if err != nil {
		t.Fatal(err)
	}
	var question map[string]any
	if err := json.Unmarshal([]byte(link.Query().Get("question")), &question); err != nil {
		t.Fatalf("%s: %v", link, err)
	}
	if link.Host != "nimbus.example" || link.Path != "/stats/projects/"+x.ProjectID.String()+"/insights" || question["kind"] != "funnel" || question["project_id"] != nil {
		t.Errorf("link %s with the question %v", link, question)
	}

	texts, failed = callTool(t, s, "askPeople", map[string]any{"at": map[string]any{"step": 2, "lost": true},
		"question": map[string]any{"kind": "funnel", "from": funnelOf["from"], "to": funnelOf["to"], "steps": funnelOf["steps"]}})
	if answer := texts[len(texts)-1]; failed || !strings.Contains(answer, `"u2"`) || strings.Contains(answer, `"u1"`) {
		t.Errorf("the people who were lost: %q", texts)
	}
	texts, failed = callTool(t, s, "getPerson", map[string]any{"person": "u1"})
	if failed || !strings.HasSuffix(texts[0], "/people/u1") {
		t.Errorf("one person: %q", texts)
	}
	texts, failed = callTool(t, s, "listCatalogueEvents", map[string]any{"q": "bu", "limit": 5})
	if failed || !strings.Contains(texts[0], `"buy"`) || strings.Contains(texts[0], `"view"`) {
		t.Errorf("the catalogue: %q", texts)
	}
}

func withProject(x *apptest.Tenant, q map[string]any) map[string]any {
	out := map[string]any{"project_id": x.ProjectID}
	for name, value := range q {
		out[name] = value
	}
	return out
}

func TestAnAssistantReadsSavedInsights(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	id := savedInsight(x)
	s := assistant(t, a, keyOf(x))
	if texts, failed := callTool(t, s, "listInsights", nil); failed || !strings.Contains(texts[1], id) {
		t.Errorf("the list: %q", texts)
	}
	texts, failed := callTool(t, s, "getInsight", map[string]any{"insight_id": id})
	if want := a.URL + "/projects/" + x.ProjectID.String() + "/reports/" + id; failed || texts[0] != "In the dashboard: "+want {
		t.Errorf("got %q, want a link to %s", texts, want)
	}
}

func TestAnAssistantIsToldEveryArgumentThatIsWrong(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	s := assistant(t, a, keyOf(x))
	for _, c := range []struct {
		tool string
		args map[string]any
		want []string
	}{
		{"askFunnel", map[string]any{"from": "yesterday", "steps": []any{}, "windows": 1},
			[]string{"validation_failed", "\n/from (", "\n/to (required)", "\n/steps (", "\n/windows (unknown_member)"}},
		{"listCatalogueEvents", map[string]any{"days": "many", "limit": 0, "colour": "red"},
			[]string{"validation_failed", "\n/days (", "\n/limit (", "\n/colour (unknown_parameter)"}},
		{"getPerson", map[string]any{}, []string{"/person (required)"}},
		{"getInsight", map[string]any{"insight_id": uuid.NewString()}, []string{"not_found"}},
	} {
		got := refusedTool(t, s, c.tool, c.args)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in %q", c.tool, want, got)
			}
		}
	}
	if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "deleteProject"}); err == nil || !strings.Contains(err.Error(), "unknown tool") {
		t.Errorf("what is no tool: %v", err)
	}
}

// An assistant sees what its caller may call, and what it does not see it cannot do either.
func TestAnAssistantMayWhatItsCallerMay(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	other.Ingest(apptest.Event{"name": "view", "user_id": "u"})

	full := assistant(t, a, keyOf(x))
	if got, want := toolNames(t, full), toolsOf(func(op *contract.Operation) bool { return takes(op, "apiKey") }); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("the main key sees %q, want %q", got, want)
	}
	theirs := withProject(other, funnelOf)
	absent := withProject(other, funnelOf)
	absent["project_id"] = uuid.NewString()
	if got := refusedTool(t, full, "askFunnel", theirs); !strings.Contains(got, "not_found") || got != refusedTool(t, full, "askFunnel", absent) {
		t.Errorf("another project: %q", got)
	}

	_, secret := apiKey(x, map[string]any{"name": "k", "scopes": []string{"metrics:read"}})
	numbers := assistant(t, a, headers{"X-API-Key": secret})
	if got, want := toolNames(t, numbers), toolsOf(func(op *contract.Operation) bool { return takes(op, "apiKey") && op.Scope == "metrics:read" }); !slices.Equal(got, want) {
		t.Errorf("a key for numbers sees %q, want %q", got, want)
	}
	if got := refusedTool(t, numbers, "getPerson", map[string]any{"person": "u"}); !strings.Contains(got, "insufficient_scope") || !strings.Contains(got, "events:read") {
		t.Errorf("a person, with a key for numbers: %q", got)
	}

	account := assistant(t, a, headers{"Authorization": "Bearer " + x.AccessToken})
	if got, want := toolNames(t, account), toolsOf(func(*contract.Operation) bool { return true }); !slices.Equal(got, want) {
		t.Errorf("an account sees %q, want %q", got, want)
	}
	if got := refusedTool(t, account, "askFunnel", funnelOf); !strings.Contains(got, "/project_id (required)") {
		t.Errorf("an account without a project: %q", got)
	}
	if texts, failed := callTool(t, account, "askFunnel", withProject(x, funnelOf)); failed {
		t.Errorf("an account: %q", texts)
	}
	if got := refusedTool(t, account, "askFunnel", theirs); !strings.Contains(got, "not_found") {
		t.Errorf("an account that is no member: %q", got)
	}
}

func TestWithoutAKeyThereIsNoAssistant(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_ALLOWED_ORIGINS=https://tools.example")
	x := a.Tenant(t)
	message := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	// The contract has no /mcp, so the client that checks replies against it is not used.
	send := func(method string, h headers, body []byte, status int, code string) http.Header {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, a.URL+"/mcp", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		res, err := h.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var p struct{ Code string }
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != status || p.Code != code {
			t.Errorf("%s with %v: %d %q (%v), want %d %q", method, h, res.StatusCode, p.Code, err, status, code)
		}
		return res.Header
	}
	key := x.Secret
	if h := send("POST", nil, message, 401, "unauthenticated"); h.Get("WWW-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
	send("POST", headers{"X-API-Key": "no-key"}, message, 401, "invalid_key")
	if _, err := connectTo(t, a.URL, headers{"X-API-Key": "no-key"}); err == nil {
		t.Error("a client connects with a key that is none")
	}
	var public struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&public)
	send("POST", headers{"X-Write-Key": public.Key}, message, 401, "unauthenticated")

	send("POST", headers{"X-API-Key": key}, message, 200, "")
	send("POST", headers{"X-API-Key": key, "Origin": "https://tools.example"}, message, 200, "")
	send("POST", headers{"X-API-Key": key, "Origin": "https://elsewhere.example"}, message, 403, "origin_not_allowed")
	send("POST", headers{"X-API-Key": key}, slices.Concat([]byte(" ["), message, []byte("]")), 400, "malformed_json")
	send("POST", headers{"X-API-Key": key, "Content-Type": "text/plain"}, message, 415, "unsupported_media_type")
	send("POST", headers{"X-API-Key": key}, make([]byte, 2<<20), 413, "body_too_large")
	for _, method := range []string{"GET", "DELETE"} {
		if h := send(method, headers{"X-API-Key": key}, nil, 405, "method_not_allowed"); h.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: Allow is %q", method, h.Get("Allow"))
		}
	}
}

// A message counts, and what it asks counts as well: so many tools in so many messages are no way around a limit.
func TestAnAssistantIsLimitedLikeItsCaller(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_RATE_LIMIT_ENABLED=true", "NIMBUS_RATE_LIMIT_PER_MINUTE=20")
	x := a.Tenant(t)
	s := assistant(t, a, keyOf(x))
	for range 20 {
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "listInsights"})
		if err != nil { // the message itself was over the limit
			return
		}
		if text, _ := r.Content[0].(*sdk.TextContent); r.IsError {
			if !strings.Contains(text.Text, "rate_limited") || !strings.Contains(text.Text, "Try again in ") {
				t.Errorf("over the limit: %q", text.Text)
			}
			return
		}
	}
	t.Error("20 calls of 40 requests are all answered, with 20 requests a minute")
}

// What a tool asks is a request like any other: it is in the metrics of its operation, and in the log with the id of the message.
func TestACallOfAToolIsSeenAsTheRequestThatItIs(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	s := assistant(t, a, headers{"X-API-Key": x.Secret, "X-Request-Id": "from-an-assistant"})
	callTool(t, s, "askFunnel", funnelOf)
	if !strings.Contains(a.Metrics(t), `http_requests_total{method="POST",route="/v1/insights/funnel",status="200"} 1`) {
		t.Error("the request of the operation is not counted")
	}
	found := false
	for line := range strings.Lines(a.Log.String()) {
		found = found || strings.Contains(line, `"route":"/v1/insights/funnel"`) && strings.Contains(line, `"request_id":"from-an-assistant"`)
	}
	if !found {
		t.Error("the request of the tool is not in the log under the id of the message")
	}
}

// Every operation with x-tool is a tool whose arguments are described as the operation takes them: a valid request of the
// operation fits, and a project need be named only by those who have several.
func TestEveryToolIsDescribedAsItsOperation(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for _, c := range []struct {
		who   headers
		named bool
	}{{keyOf(x), false}, {headers{"Authorization": "Bearer " + x.AccessToken}, true}} {
		list, err := assistant(t, a, c.who).ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range list.Tools {
			op := api.Operations[tool.Name]
			if tool.Title == "" || !strings.HasPrefix(tool.Description, tool.Title) || tool.Annotations == nil || !tool.Annotations.ReadOnlyHint {
				t.Errorf("%s is described as %+v", tool.Name, tool)
			}
			schema := resolved(t, tool)
			args := map[string]any{}
			for name, value := range things(t, a, x, op) {
				args[name] = value
			}
			if op.Body {
				var members map[string]any
				if err := json.Unmarshal(encode(t, body(t, a, x, op, x.ProjectID.String())), &members); err != nil {
					t.Fatal(err)
				}
				for name, value := range members {
					args[name] = value
				}
			}
			if err := schema.Validate(args); err != nil {
				t.Errorf("%s: its valid arguments %v do not fit: %v", tool.Name, args, err)
			}
			if args["a stranger"] = 1; schema.Validate(args) == nil {
				t.Errorf("%s: an unknown argument fits", tool.Name)
			}
			delete(args, "a stranger")
			if _, takes := args["project_id"]; takes {
				delete(args, "project_id")
				if err := schema.Validate(args); (err == nil) == c.named {
					t.Errorf("%s: without its project: %v", tool.Name, err)
				}
			}
		}
	}
}

func resolved(t *testing.T, tool *sdk.Tool) *jsonschema.Resolved {
	t.Helper()
	var schema jsonschema.Schema
	if err := json.Unmarshal(encode(t, tool.InputSchema), &schema); err != nil {
		t.Fatalf("%s: %v", tool.Name, err)
	}
	r, err := schema.Resolve(nil)
	if err != nil {
		t.Fatalf("%s: its arguments are described by no valid schema: %v", tool.Name, err)
	}
	return r
}
