package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// The real SDKs, pinned in test/vendors, report success for every call, and what they sent is stored once.
func TestRealSDKsOfVendors(t *testing.T) {
	t.Parallel()
	const order = `Order Completed u:u-1 at 2026-01-15T10:30:00.123Z {"deep":{"a":{"b":"c"}},"list":[1,"two",{"three":3}],"s":"žluťoučký 🐎","total":42.5}`
	for sdk, want := range map[string][]string{
		"segment-node": {order, "$pageview u:u-1", "$screen u:u-1", "Seen a:anon-1", `set user u-1 anon-1 {"plan": "pro"}`, "set user u-1 anon-2 {}",
			`set group group acme {"seats": 5}`, `union user u-1 {"group": ["acme"]}`},
		"rudder-node": {order, "$pageview u:u-1", "Seen a:anon-1", `set user u-1 anon-1 {"plan": "pro"}`, `set group group acme {"seats": 5}`, `union user u-1 {"group": ["acme"]}`},
		"mixpanel-node": {order, "B0 u:u-1 at 2026-01-15T10:30:00.123Z", "B1 u:u-1 at 2026-01-15T10:30:00.123Z", "Imported u:u-1 at 2026-01-15T10:30:00.123Z",
			"I0 u:u-1 at 2026-01-15T10:30:00.123Z", `set user u-1 {"plan": "pro"}`, `add user u-1 {"logins": 2}`, `set group company acme {"name": "Acme"}`, "set user u-1 anon-1 {}"},
		"posthog-node":    posthogSDK(order),
		"posthog-node-v1": posthogSDK(order),
		"umami-node":      {"$pageview nobody", "Order Completed nobody", `set user u-1 {"id": "u-1", "plan": "pro"}`},
	} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			s := vendorSender(t, apptest.Boot(t))
			dir := filepath.Join("..", "..", "test", "vendors")
			send := osexec.CommandContext(t.Context(), "node", "send.mjs", sdk, s.app.URL, s.key, s.Secret)
			send.Dir = dir
			if out, err := send.CombinedOutput(); err != nil {
				t.Fatalf("%v (npm ci installs the SDKs): %s", err, out)
			}
			got := describe(s.stored(t))
			slices.Sort(want)
			if !slices.EqualFunc(got, want, strings.HasPrefix) {
				t.Errorf("stored:\n%s\nwant, each as the beginning:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// The same in a real browser, from a page of another origin: with preflights, credentials and what a page sends by itself.
func TestRealSDKsOfVendorsInBrowsers(t *testing.T) {
	t.Parallel()
	for sdk, want := range map[string][]string{
		"segment-browser": {"$pageview u:u-1", "Order Completed a:", `set user u-1 `}, "posthog-browser": {"Order Completed a:", "set user u-1 "},
		"mixpanel-browser": {"Order Completed a:", "set user u-1 "}, "plausible": {"Order Completed nobody"},
	} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			s := vendorSender(t, apptest.Boot(t))
			send := osexec.CommandContext(t.Context(), "node", "browser.mjs", sdk, s.app.URL, s.key)
			send.Dir = filepath.Join("..", "..", "test", "vendors")
			if out, err := send.CombinedOutput(); err != nil {
				t.Fatalf("%v (npm ci installs the SDKs): %s", err, out)
			}
			got := describe(s.stored(t))
			for _, w := range want {
				if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, w) }) {
					t.Errorf("%q is not stored:\n%s", w, strings.Join(got, "\n"))
				}
			}
			if n := strings.Count(strings.Join(got, "\n"), "Order Completed"); n != 1 {
				t.Errorf("the event is stored %d times", n)
			}
		})
	}
}

// Through a server that is away at first and then loses its answer, the SDKs that try again still store each event once.
func TestRealSDKsOfVendorsThroughFaults(t *testing.T) {
	t.Parallel()
	for _, sdk := range []string{"segment-node", "rudder-node", "posthog-node", "posthog-node-v1"} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			s := vendorSender(t, apptest.Boot(t))
			front := faulty(t, s.app.URL)
			send := osexec.CommandContext(t.Context(), "node", "send.mjs", sdk, front.URL, s.key, s.Secret)
			send.Dir = filepath.Join("..", "..", "test", "vendors")
			if out, err := send.CombinedOutput(); err != nil {
				t.Fatalf("%v (npm ci installs the SDKs): %s", err, out)
			}
			counts := map[string]int{}
			for _, e := range s.stored(t).Events {
				counts[e.Name]++
			}
			for _, name := range []string{"Order Completed", "Seen"} {
				if counts[name] != 1 {
					t.Errorf("%s is stored %d times: %v", name, counts[name], counts)
				}
			}
		})
	}
}

// faulty stands before a server: the first request gets a 503, the answers to the second and the third are lost.
func faulty(t *testing.T, target string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	var requests atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch requests.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "away", http.StatusServiceUnavailable)
		case 2, 3:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // closes the connection
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front
}

func posthogSDK(order string) []string {
	return []string{order, "Grouped u:u-1", "Seen a:0190a1b2-0000-7000-8000-0000000000aa", `union user u-1 {"company": ["acme"]}`, `set user u-1 {"plan": "pro"}`,
		"set user u-1 anon-1 {}", `set group company acme {"name": "Acme"}`}
}

// own is the props that the test sends, without those of the SDK.
func own(props []byte) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(props, &all) != nil {
		return ""
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return !slices.Contains([]string{"total", "s", "list", "deep"}, name)
	})
	b, _ := json.Marshal(all)
	return string(b)
}

// describe is what was stored, a sorted line each: without its context, and with its time where the SDK was given one.
func describe(all storedAll) (lines []string) {
	for _, e := range all.Events {
		who := "nobody"
		switch {
		case e.UserID != nil:
			who = "u:" + *e.UserID
		case e.AnonymousID != nil:
			who = "a:" + *e.AnonymousID
		}
		line := e.Name + " " + who
		if e.TS.Year() == 2026 && e.TS.Month() == 1 {
			line += " at " + e.TS.Format("2006-01-02T15:04:05.999Z07:00") + " " + own(e.Props)
		}
		lines = append(lines, line)
	}
	for _, o := range all.Operations {
		line := o.Op + " " + map[int]string{1: "user", 2: "anonymous", 3: "group"}[o.Kind]
		if o.GroupType != nil && *o.GroupType != "" {
			line += " " + *o.GroupType
		}
		line += " " + o.Key
		if o.AnonymousID != nil {
			line += " " + *o.AnonymousID
		}
		lines = append(lines, fmt.Sprintf("%s %s", line, o.Props))
	}
	slices.Sort(lines)
	return lines
}
