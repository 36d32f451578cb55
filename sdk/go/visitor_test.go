package nimbus_test

import (
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// kept is a store.
type kept struct{ sync.Map }

func (k *kept) Get(name string) string {
	v, _ := k.Load(name)
	s, _ := v.(string)
	return s
}

func (k *kept) Set(name, value string) { k.Store(name, value) }

// props are those of an event.
func props(t *testing.T, e *nimbus.Event) map[string]any {
	t.Helper()
	var all map[string]any
	must(t, json.Unmarshal(e.Props, &all))
	return all
}

// What every SDK does for one person at one device, by the names of testvectors/behaviours.json.
var ofVisitors = map[string]func(*testing.T){
	"visitor_has_ids": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		v := x.Visitor(nimbus.VisitorConfig{})
		must(t, v.Track(t.Context(), "before", map[string]any{"n": 1}), v.SetPeopleOnce(t.Context(), map[string]any{"source": "ad"}),
			v.Identify(t.Context(), "ada", map[string]any{"plan": "pro"}), v.Page(t.Context(), nil), v.AddPeople(t.Context(), map[string]any{"views": 1}))
		anonymous, session := v.AnonymousID(), v.SessionID()
		e := sent.Events(t)
		for k, user := range []string{"", "ada"} {
			if e[k].UserID != user || e[k].AnonymousID != anonymous || props(t, &e[k])["session_id"] != session || anonymous == "" || session == "" {
				t.Errorf("event %+v", e[k])
			}
		}
		equal(t, briefs(sent.Operations(t)), []string{"set_once " + anonymous + ` {"source":"ad"}`, "set ada " + anonymous + ` {"plan":"pro"}`, "add ada " + anonymous + ` {"views":1}`})
	},
	"visitor_lasts": func(t *testing.T) {
		store := &kept{}
		x, sent := nimbustest.Tracker(t)
		first := x.Visitor(nimbus.VisitorConfig{Store: store})
		must(t, first.Register(map[string]any{"version": "1.2"}), first.Identify(t.Context(), "ada", nil), first.Track(t.Context(), "e", nil))
		second := x.Visitor(nimbus.VisitorConfig{Store: store})
		must(t, second.Track(t.Context(), "e", nil))
		e := sent.Events(t)
		if e[1].UserID != "ada" || e[1].AnonymousID != e[0].AnonymousID || string(e[1].Props) == "" || props(t, &e[1])["version"] != "1.2" ||
			props(t, &e[1])["session_id"] != props(t, &e[0])["session_id"] {
			t.Errorf("events %+v", e)
		}
	},
	"visitor_is_of_a_group": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		v := x.Visitor(nimbus.VisitorConfig{})
		must(t, v.Group(t.Context(), "company", "acme", map[string]any{"plan": "team"}), v.Track(t.Context(), "e", nil))
		if e := sent.Events(t); props(t, &e[0])["company"] != "acme" {
			t.Errorf("events %+v", e)
		}
		equal(t, briefs(sent.Operations(t)), []string{`set company acme {"plan":"team"}`})
	},
	"reset_begins_anew": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		v := x.Visitor(nimbus.VisitorConfig{})
		must(t, v.Register(map[string]any{"version": "1.2"}), v.Identify(t.Context(), "ada", nil), v.Track(t.Context(), "e", nil))
		v.Reset()
		must(t, v.Track(t.Context(), "e", nil))
		e := sent.Events(t)
		before, after := props(t, &e[0]), props(t, &e[1])
		if e[1].UserID != "" || e[1].AnonymousID == e[0].AnonymousID || after["session_id"] == before["session_id"] || after["version"] != nil || before["version"] == nil {
			t.Errorf("events %+v", e)
		}
	},
	"another_person_begins_anew": func(t *testing.T) {
		x, sent := nimbustest.Tracker(t)
		v := x.Visitor(nimbus.VisitorConfig{})
		must(t, v.Identify(t.Context(), "ada", nil), v.Identify(t.Context(), "ada", nil), v.Identify(t.Context(), "bob", nil))
		o := sent.Operations(t)
		if o[0].AnonymousID != o[1].AnonymousID || o[2].AnonymousID == o[0].AnonymousID || o[2].UserID != "bob" {
			t.Errorf("operations %+v", o)
		}
	},
	"session_ends_when_idle": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, _ := nimbustest.Tracker(t)
			v := x.Visitor(nimbus.VisitorConfig{})
			must(t, v.Track(t.Context(), "e", nil))
			first := v.SessionID()
			<-time.After(30 * time.Minute)
			must(t, v.Track(t.Context(), "e", nil))
			if v.SessionID() != first {
				t.Error("it ended after 30 minutes, and not after more")
			}
			<-time.After(20 * time.Minute)
			if v.SessionID() != first {
				t.Error("it ended after 20 minutes")
			}
			<-time.After(20 * time.Minute)
			if second := v.SessionID(); second == first {
				t.Error("asking for it kept it open")
			} else if must(t, v.Track(t.Context(), "e", nil)); v.SessionID() != second {
				t.Error("the event is of another session than the one that was asked for")
			}
		})
	},
	"session_ends_after_a_day": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, _ := nimbustest.Tracker(t)
			v := x.Visitor(nimbus.VisitorConfig{})
			must(t, v.Track(t.Context(), "e", nil))
			first := v.SessionID()
			for range 24 * 3 {
				<-time.After(20 * time.Minute)
				must(t, v.Track(t.Context(), "e", nil))
			}
			if v.SessionID() != first {
				t.Error("it ended before the day was over")
			}
			<-time.After(time.Minute)
			if v.SessionID() == first {
				t.Error("it is longer than a day")
			}
		})
	},
}
