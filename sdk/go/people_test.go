package nimbus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// must ends a test whose calls fail.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// brief is an operation on one line, without its time and key.
func brief(o *nimbus.Operation) string {
	parts := []string{string(o.Op)}
	for _, id := range []string{o.UserID, o.AnonymousID, o.Group.Type, o.Group.Key, string(o.Props), strings.Join(o.Names, ",")} {
		if id != "" {
			parts = append(parts, id)
		}
	}
	return strings.Join(parts, " ")
}

func briefs(operations []nimbus.Operation) (all []string) {
	for k := range operations {
		all = append(all, brief(&operations[k]))
	}
	return all
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// What every SDK does about people, by the names of testvectors/behaviours.json.
var ofPeople = map[string]func(*testing.T){
	"tracks_pages_and_screens": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		must(t, x.Page(t.Context(), map[string]any{"page": "/"}, nimbus.WithUserID("u")),
			x.Screen(t.Context(), "Cart", map[string]any{"items": 2}), x.Screen(t.Context(), "Home", nil))
		var got []string
		for _, e := range sent.Events(t) {
			var props map[string]any
			must(t, json.Unmarshal(e.Props, &props))
			got = append(got, fmt.Sprint(e.Name, " ", e.UserID, " ", props))
		}
		equal(t, got, []string{"$pageview u map[page:/]", "$screen  map[items:2 name:Cart]", "$screen  map[name:Home]"})
	},
	"sends_operations": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		ctx, one := t.Context(), map[string]any{"n": 1}
		ada := nimbus.WithUserID("ada")
		must(t, x.SetPeople(ctx, one, ada), x.SetPeopleOnce(ctx, one, nimbus.WithAnonymousID("a")), x.AddPeople(ctx, one, ada), x.AppendPeople(ctx, one, ada),
			x.UnionPeople(ctx, one, ada), x.RemovePeople(ctx, one, ada), x.UnsetPeople(ctx, []string{"n", "m"}, ada), x.DeletePerson(ctx, ada),
			x.Group(ctx, "company", "acme", one), x.AddPeople(ctx, one, nimbus.WithGroup("company", "acme")), x.Group(ctx, "company", "new", nil),
			x.Change(ctx, nimbus.Operation{Op: nimbus.OpSet, UserID: "bob", Props: json.RawMessage(`{"n": 2}`)}))
		x.flush()
		r := s.report("requests=1").Requests
		if len(r) != 1 || !strings.HasSuffix(r[0].Path, "/v1/people/operations") || r[0].ProjectID != project.String() || r[0].Signature != "valid" {
			t.Fatalf("requests %+v", r)
		}
		equal(t, briefs(r[0].Operations), []string{`set ada {"n":1}`, `set_once a {"n":1}`, `add ada {"n":1}`, `append ada {"n":1}`, `union ada {"n":1}`,
			`remove ada {"n":1}`, "unset ada n,m", "delete ada", `set company acme {"n":1}`, `add company acme {"n":1}`, "set company new {}", `set bob {"n":2}`})
	},
	"gives_each_operation_a_time_and_a_key": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		before, at := time.Now().Truncate(time.Microsecond), time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
		must(t, x.DeletePerson(t.Context(), nimbus.WithUserID("u")), x.DeletePerson(t.Context(), nimbus.WithUserID("u")),
			x.DeletePerson(t.Context(), nimbus.WithUserID("u"), nimbus.WithTS(at), nimbus.WithIdempotencyKey("mine")))
		after := time.Now()
		x.flush()
		got := s.report("requests=1")
		o := got.Requests[0].Operations
		if o[0].TS.Before(before) || o[0].TS.After(after) || !o[2].TS.Equal(at) || o[2].IdempotencyKey != "mine" {
			t.Errorf("operations %+v", o)
		}
		if slices.Sort(got.Stored); len(slices.Compact(got.Stored)) != 3 {
			t.Errorf("stored %v", got.Stored)
		}
	},
	"identify_links_two_ids": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		must(t, x.Identify(t.Context(), "u", map[string]any{"plan": "pro"}, nimbus.WithAnonymousID("a")), x.Identify(t.Context(), "u", nil), x.Alias(t.Context(), "u", "phone"))
		equal(t, briefs(sent.Operations(t)), []string{`set u a {"plan":"pro"}`, "set u {}", "set u phone {}"})
	},
	"sends_a_request_of_each_kind": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) { c.FlushEvents, c.QueueEvents = 6000, 6000 })
		const each = 2500
		for k := range each {
			n := strconv.Itoa(k)
			must(t, x.Track(t.Context(), n, nil), x.DeletePerson(t.Context(), nimbus.WithUserID("u"+n)))
		}
		x.flush()
		var got, order []string
		for _, r := range s.report("").Requests {
			got = append(got, fmt.Sprintf("%d+%d", len(r.Events), len(r.Operations)))
			for k := range r.Operations {
				order = append(order, strings.TrimPrefix(r.Operations[k].UserID, "u"))
			}
		}
		equal(t, got, []string{"2500+0", "0+1000", "0+1000", "0+500"})
		if !slices.IsSortedFunc(order, func(a, b string) int { return len(a) - len(b) }) || order[each-1] != strconv.Itoa(each-1) {
			t.Error("the operations are not in order")
		}
	},
	"retries_operations": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503}, {"drop": "after"}]}`)
		x := s.tracker()
		must(t, x.AddPeople(t.Context(), map[string]any{"n": 1}, nimbus.WithUserID("u")), x.DeletePerson(t.Context(), nimbus.WithUserID("v")))
		x.flush()
		got := s.report("")
		if len(got.Requests) != 3 || got.Requests[0].Text != got.Requests[2].Text || len(got.Stored) != 2 {
			t.Errorf("%d requests, %v stored", len(got.Requests), got.Stored)
		}
		if stats := x.Stats(); stats.Delivered != 2 || stats.Duplicates != 2 || stats.Retries != 2 {
			t.Errorf("stats %+v", stats)
		}
	},
	"reports_operations": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
			{"index": 1, "pointer": "/operations/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}},
			{"status": 422, "body": {"type":"t","title":"t","status":422,"detail":"d","request_id":"r","code":"all_operations_rejected",
			"errors":[{"index":0,"pointer":"/operations/0/ts","code":"maximum","detail":"y"}]}}, {"status": 403}]}`)
		x := s.tracker()
		for _, batch := range [][]string{{"good", "bad"}, {"alone"}, {"final"}, {"next"}} {
			for _, id := range batch {
				must(t, x.DeletePerson(t.Context(), nimbus.WithUserID(id)))
			}
			x.flush()
		}
		var got []string
		for _, c := range x.droppedOperations() {
			var refused *nimbus.RejectedError
			var problem *nimbus.APIError
			switch {
			case errors.As(c.why, &refused):
				got = append(got, c.operation.UserID+" "+refused.Fields[0].Pointer)
			case errors.As(c.why, &problem):
				got = append(got, c.operation.UserID+" "+problem.Code)
			}
		}
		equal(t, got, []string{"bad /ts", "alone /ts", "final scripted"})
		if stats := x.Stats(); stats.Tracked != 5 || stats.Delivered != 2 || stats.Rejected != 2 || stats.Dropped != 1 || len(x.dropped()) != 0 {
			t.Errorf("stats %+v", stats)
		}
	},
	"refuses_a_bad_operation_at_once": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		var vectors []struct {
			Name       string
			Local      bool
			Operations []nimbus.Operation
			Verdicts   [][]struct{ Pointer, Code string }
		}
		raw, err := os.ReadFile("../../testvectors/operations.json")
		must(t, err, json.Unmarshal(raw, &vectors))
		fine := 0
		for _, v := range vectors {
			for k, o := range v.Operations {
				var got, want []string
				var refused *nimbus.RejectedError
				switch err := x.Change(t.Context(), o); {
				case errors.As(err, &refused):
					for _, f := range refused.Fields {
						got = append(got, f.Pointer+" "+f.Code)
					}
				case err != nil:
					t.Error(err)
				default:
					fine++
				}
				for _, f := range v.Verdicts[k] {
					want = append(want, f.Pointer+" "+f.Code)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, operation %d: %q, want %q", v.Name, k, got, want)
				}
			}
		}
		if n := len(sent.Operations(t)); n != fine || n == 0 || x.Stats().Refused == 0 {
			t.Errorf("%d sent of %d", n, fine)
		}
	},
	"junk_identifies_nobody": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		var vectors struct{ Junk, Fine []string }
		raw, err := os.ReadFile("../../testvectors/junk.json")
		must(t, err, json.Unmarshal(raw, &vectors))
		v := x.Visitor(nimbus.VisitorConfig{})
		for _, id := range vectors.Junk {
			for _, err := range []error{x.Identify(t.Context(), id, nil, nimbus.WithAnonymousID("a")), x.Alias(t.Context(), "u", id), x.Alias(t.Context(), id, "a"),
				v.Identify(t.Context(), id, nil)} {
				var refused *nimbus.RejectedError
				if !errors.As(err, &refused) || refused.Fields[0].Code != "nobody" {
					t.Errorf("%q: %v", id, err)
				}
			}
			must(t, v.Track(t.Context(), "e", nil, nimbus.WithUserID(id)))
		}
		for _, id := range vectors.Fine {
			must(t, x.Identify(t.Context(), id, nil))
		}
		if n := len(sent.Operations(t)); n != len(vectors.Fine) || n == 0 {
			t.Errorf("%d operations", n)
		}
		for _, e := range sent.Events(t) {
			if e.UserID != "" || e.AnonymousID != v.AnonymousID() {
				t.Errorf("event %+v", e)
			}
		}
	},
	"before_send_changes": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t, func(c *nimbus.Config) {
			c.BeforeSend = func(e *nimbus.Event) bool {
				e.Name, e.Props = strings.ToLower(e.Name), json.RawMessage(strings.ReplaceAll(string(e.Props), "secret", "***"))
				return true
			}
			c.BeforeSendOperation = func(o *nimbus.Operation) bool { o.UserID = "x-" + o.UserID; return true }
		})
		must(t, x.Track(t.Context(), "Paid", map[string]any{"card": "secret"}), x.Track(t.Context(), "PLAIN", nil), x.SetPeople(t.Context(), map[string]any{"n": 1}, nimbus.WithUserID("u")))
		var refused *nimbus.RejectedError
		if err := x.Track(t.Context(), "", nil); !errors.As(err, &refused) {
			t.Errorf("what it makes is not checked: %v", err)
		}
		equal(t, briefs(sent.Operations(t)), []string{`set x-u {"n":1}`})
		if e := sent.Events(t); len(e) != 2 || e[0].Name != "paid" || string(e[0].Props) != `{"card":"***"}` || e[1].Name != "plain" || e[1].Props != nil {
			t.Errorf("events %+v", e)
		}
	},
	"before_send_drops": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) {
			c.BeforeSend = func(e *nimbus.Event) bool { return e.Name != "secret" }
			c.BeforeSendOperation = func(*nimbus.Operation) bool { return false }
		})
		x.track("a", "secret", "b")
		must(t, x.DeletePerson(t.Context(), nimbus.WithUserID("u")))
		x.flush()
		if r := s.report("").Requests; len(r) != 1 || r[0].names() != "a b" {
			t.Errorf("requests %+v", r)
		}
		drops, operations := x.dropped(), x.droppedOperations()
		if len(drops) != 1 || drops[0].event.Name != "secret" || !errors.Is(drops[0].why, nimbus.ErrBeforeSend) ||
			len(operations) != 1 || operations[0].operation.UserID != "u" || !errors.Is(operations[0].why, nimbus.ErrBeforeSend) {
			t.Errorf("dropped %+v, %+v", drops, operations)
		}
		if stats := x.Stats(); stats.Tracked != 4 || stats.Dropped != 2 || stats.Delivered != 2 {
			t.Errorf("stats %+v", stats)
		}
	},
	"registers_props": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		list := []int{1}
		must(t, x.Register(map[string]any{"version": "1.2", "list": list}))
		list[0] = 2
		type checkout struct {
			Total   int64  `json:"total"`
			Version string `json:"version,omitempty"`
		}
		must(t, x.Track(t.Context(), "e", nil), x.Track(t.Context(), "e", checkout{Total: 1<<53 + 1, Version: "own"}),
			x.Track(t.Context(), "e", json.RawMessage(`{"far":1e400}`)))
		x.Unregister("version", "absent")
		must(t, x.Track(t.Context(), "e", map[string]any{"n": 1}))
		x.Unregister("list")
		must(t, x.Track(t.Context(), "e", nil), x.SetPeople(t.Context(), map[string]any{}, nimbus.WithUserID("u")))
		var refused *nimbus.RejectedError
		if err := x.Register(map[string]any{"bad": make(chan int)}); !errors.As(err, &refused) {
			t.Errorf("error %v", err)
		}
		var got []string
		for _, e := range sent.Events(t) {
			var props map[string]json.RawMessage
			if len(e.Props) > 0 {
				must(t, json.Unmarshal(e.Props, &props))
			}
			got = append(got, fmt.Sprintf("%s", props))
		}
		equal(t, got, []string{`map[list:[1] version:"1.2"]`, `map[list:[1] total:9007199254740993 version:"own"]`, `map[far:1e400 list:[1] version:"1.2"]`, "map[list:[1] n:1]", "map[]"})
		equal(t, briefs(sent.Operations(t)), []string{"set u {}"})
	},
	"debug_says_what_happens": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) { c.Debug = true })
		x.track("signed_up")
		must(t, x.DeletePerson(t.Context(), nimbus.WithUserID("u")))
		x.flush()
		for _, want := range []string{`signed_up`, `delete`, "nimbus: stored\" events=1", "nimbus: stored\" operations=1"} {
			if log := x.log.String(); !strings.Contains(log, want) {
				t.Errorf("the log lacks %s:\n%s", want, log)
			}
		}
	},
}
