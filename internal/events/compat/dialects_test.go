package compat_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/compat/mixpanel"
	"github.com/bahagh/nimbus/internal/events/compat/plausible"
	"github.com/bahagh/nimbus/internal/events/compat/posthog"
	"github.com/bahagh/nimbus/internal/events/compat/segment"
	"github.com/bahagh/nimbus/internal/events/compat/umami"
)

var dialects = map[string]compat.Dialect{"segment": segment.Dialect{}, "mixpanel": mixpanel.Dialect{}, "posthog": posthog.Dialect{},
	"umami": umami.Dialect{}, "plausible": plausible.Dialect{}}

// Whatever is sent to whichever operation, it is read without a panic, each answer is whole, and each item's props are JSON
// that can be stored.
func FuzzDialects(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "vendors", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var file struct {
			Calls []struct{ Body json.RawMessage }
		}
		if err := json.Unmarshal(b, &file); err != nil {
			f.Fatal(err)
		}
		for _, c := range file.Calls {
			f.Add([]byte(c.Body))
		}
	}
	for _, odd := range []string{"", "{", "[]", "[[]]", "[null]", `{"batch":[{}]}`, `{"batch":[{"type":"track","userId":1,"event":2,"properties":3}]}`, "data=", "data=e30=",
		`{"payload":{"data":[]}}`, `{"p":"{\"a\":1}"}`, "\xed\xa0\xbd\xed\xb0\x8e", `{"event":"e","properties":{"distinct_id":"\ud800"}}`, `{"a\u0000":{"b":[1e999,{"c":"\u0000"}]}}`} {
		f.Add([]byte(odd))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for id, op := range api.VendorOperations {
			d := dialects[op.Dialect]
			r, err := http.NewRequestWithContext(t.Context(), op.Method, "http://nimbus.example"+op.Path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			call := &compat.Call{Operation: id, Request: r, Param: func(string) string { return "nw_1" }, Body: body, Now: time.Now()}
			if stub := d.Stub(call); stub != nil {
				whole(t, id, *stub)
				continue
			}
			b, err := d.Read(call)
			if err != nil {
				whole(t, id, d.Refused(call, compat.Failure{Kind: compat.Undecodable, Detail: err.Error()}))
				continue
			}
			for k := range b.Items {
				item := &b.Items[k]
				storable(t, id, item.Event.Props)
				for _, o := range item.Ops {
					storable(t, id, o.Props)
				}
				if item.Reason == "" && item.Event.Name == "" && len(item.Ops) == 0 {
					// $identify of nobody new, an empty $set: nothing to store, and nothing wrong
					if op.Dialect != "posthog" {
						t.Errorf("%s: %q is neither stored nor bad", id, item.Raw)
					}
				}
				d.Again(id, item.Raw)
			}
			whole(t, id, d.Stored(call, b))
		}
	})
}

func whole(t *testing.T, id string, a compat.Answer) {
	t.Helper()
	if a.Status == 0 || a.Type == "" || len(a.Body) == 0 || a.Type == "application/json" && !json.Valid(a.Body) {
		t.Errorf("%s answers %d %s %q", id, a.Status, a.Type, a.Body)
	}
}

func storable(t *testing.T, id string, props []byte) {
	t.Helper()
	if props != nil && (!json.Valid(props) || len(props) > 64<<10 || bytes.Contains(props, []byte(`\u0000`))) {
		t.Errorf("%s: props %.300q", id, props)
	}
}
