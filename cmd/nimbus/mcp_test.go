package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bahagh/nimbus/test/apptest"
)

// speak starts nimbus mcp as a client of the protocol does, and connects to it.
func speak(t *testing.T, settings ...string) *sdk.ClientSession {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "mcp") // it ends with its input
	cmd.Env, cmd.Dir = environment(settings...), t.TempDir()
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("nimbus mcp ends with its input, and with: %v", err)
		}
	})
	return s
}

func TestMCPOffersTheToolsOfARunningNimbus(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	var away atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler) // closes the connection without an answer
		}
		a.API.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	x.Ingest(apptest.Event{"name": "view", "user_id": "u1"}, apptest.Event{"name": "buy", "user_id": "u1"}, apptest.Event{"name": "view", "user_id": "u2"})
	s := speak(t, "NIMBUS_MCP_URL="+front.URL+"/", "NIMBUS_MCP_KEY="+x.Secret)
	if !strings.Contains(s.InitializeResult().Instructions, "catalogue") {
		t.Errorf("the assistant is not told where to begin: %q", s.InitializeResult().Instructions)
	}
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list.Tools, func(tool *sdk.Tool) bool { return tool.Name == "askFunnel" }) {
		t.Errorf("no askFunnel among %d tools", len(list.Tools))
	}
	funnel := map[string]any{"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "steps": []any{map[string]any{"event": "view"}, map[string]any{"event": "buy"}}}
	ask := func(args map[string]any) *sdk.CallToolResult {
		t.Helper()
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "askFunnel", Arguments: args})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	counts := func(r *sdk.CallToolResult) []int {
		t.Helper()
		var answer struct{ Counts []int }
		text, _ := r.Content[len(r.Content)-1].(*sdk.TextContent)
		if err := json.Unmarshal([]byte(text.Text), &answer); err != nil {
			t.Fatalf("%s: %v", text.Text, err)
		}
		return answer.Counts
	}
	if got := counts(ask(funnel)); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("the funnel has %v, want [2 1]", got)
	}
	bad := ask(map[string]any{"from": "yesterday"})
	if text, _ := bad.Content[0].(*sdk.TextContent); !bad.IsError || !strings.Contains(text.Text, "\n/from (") || !strings.Contains(text.Text, "\n/steps (required)") {
		t.Errorf("a bad question: %+v", text)
	}
	if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "deleteProject"}); err == nil || !strings.Contains(err.Error(), "unknown tool") {
		t.Errorf("what is no tool: %v", err)
	}

	// While the server is away an assistant is told so, and when it is back the same process goes on.
	away.Store(true)
	missed := ask(funnel)
	if text, _ := missed.Content[0].(*sdk.TextContent); !missed.IsError || !strings.Contains(text.Text, front.URL+" cannot be asked") {
		t.Errorf("without the server: %+v", text)
	}
	away.Store(false)
	if got := counts(ask(funnel)); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("when the server is back the funnel has %v, want [2 1]", got)
	}
}

func TestMCPSaysWhatToDoWhenItCannotStart(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	for _, c := range []struct {
		settings []string
		code     int
		want     string
	}{
		{nil, 2, "NIMBUS_MCP_KEY is missing"},
		{[]string{"NIMBUS_MCP_URL=" + a.URL, "NIMBUS_MCP_KEY=no-key"}, 1, "the key is refused (NIMBUS_MCP_KEY): 401"},
		{[]string{"NIMBUS_MCP_URL=" + a.URL + "/elsewhere", "NIMBUS_MCP_KEY=no-key"}, 1, "there is no /mcp at that address (NIMBUS_MCP_URL)"},
		{[]string{"NIMBUS_MCP_URL=http://127.0.0.1:1", "NIMBUS_MCP_KEY=no-key"}, 1, "http://127.0.0.1:1 cannot be asked (NIMBUS_MCP_URL)"},
	} {
		if r := nimbus(t, c.settings, "mcp"); r.code != c.code || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
			t.Errorf("%v: %d %q, want %d with %q", c.settings, r.code, r.stderr, c.code, c.want)
		}
	}
}
