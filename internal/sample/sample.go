// Package sample makes realistic events: the same ones for the same hour, so that sending them again stores nothing.
//
// They are those of a small web shop. People come in sessions, at the hours people are awake; a few come often and
// most once; each session goes down a funnel from a page view to a purchase and may leave at any step.
package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Event is one event of the shop.
type Event struct {
	Name           string
	TS             time.Time
	UserID         string // empty for visitors who are not known
	AnonymousID    string
	IdempotencyKey string
	Props          map[string]any
	Profile        map[string]any // what becomes known of the user with it
}

// Shop says how much happens.
type Shop struct {
	Seed            uint64
	People          int // who may come
	SessionsPerHour int // on average over the day
}

var (
	plans    = []string{"free", "free", "free", "pro", "pro", "team"}
	pages    = []string{"/", "/", "/pricing", "/products", "/products", "/blog", "/about", "/docs"}
	sources  = []string{"google", "google", "google", "direct", "direct", "newsletter", "twitter", "github"}
	devices  = []string{"mobile", "mobile", "desktop", "desktop", "desktop", "tablet"}
	products = []string{"Mug", "T-shirt", "Notebook", "Sticker set", "Cap", "Poster", "Backpack"}
)

// Hour returns the events of the sessions that begin in the hour of t, ordered as they happen in each session. A
// session may run into the next hour.
func (s *Shop) Hour(t time.Time) []Event {
	start := t.UTC().Truncate(time.Hour)
	hour := uint64(start.Unix() / 3600)
	r := rand.New(rand.NewPCG(s.Seed, hour)) //nolint:gosec // reproducible, not secret
	// Fewer at night: a day is a wave with its top in the afternoon.
	wave := 1 + 0.7*math.Sin(float64(start.Hour()-9)/24*2*math.Pi)
	if d := start.Weekday(); d == time.Saturday || d == time.Sunday {
		wave *= 0.6
	}
	sessions := int(math.Round(float64(s.SessionsPerHour) * wave * (0.8 + 0.4*r.Float64())))
	var out []Event
	for k := range sessions {
		out = append(out, s.session(r, start, fmt.Sprintf("%d-%d", hour, k))...)
	}
	return out
}

func (s *Shop) session(r *rand.Rand, start time.Time, id string) []Event {
	// Squaring favours low numbers: a few people come often.
	person := int(float64(s.People) * math.Pow(r.Float64(), 2.5))
	anonymous := fmt.Sprintf("anon_%d", person)
	user := ""
	if r.Float64() < 0.4 {
		user = fmt.Sprintf("user_%d", person)
	}
	at := start.Add(time.Duration(r.Int64N(int64(time.Hour)))).Truncate(time.Millisecond)
	base := map[string]any{"source": pick(r, sources), "device": pick(r, devices)}
	if user != "" {
		base["plan"] = plans[person%len(plans)]
	}
	var out []Event
	add := func(name string, props map[string]any) {
		for k, v := range base {
			props[k] = v
		}
		out = append(out, Event{Name: name, TS: at, UserID: user, AnonymousID: anonymous,
			IdempotencyKey: fmt.Sprintf("sample-%d-%s-%d", s.Seed, id, len(out)), Props: props})
		at = at.Add(time.Duration(5+r.IntN(90)) * time.Second)
	}
	for range 1 + r.IntN(4) {
		add("page_view", map[string]any{"page": pick(r, pages)})
	}
	if r.Float64() < 0.15 {
		add("search", map[string]any{"query": pick(r, products), "results": r.IntN(20)})
	}
	if user == "" && r.Float64() < 0.08 {
		user = fmt.Sprintf("user_%d", person)
		add("sign_up", map[string]any{"method": pick(r, []string{"email", "google", "github"})})
	}
	product, price := pick(r, products), 5+r.IntN(60)
	steps := []struct {
		name string
		goes float64
	}{{"product_viewed", 0.6}, {"added_to_cart", 0.4}, {"checkout_started", 0.6}, {"purchased", 0.7}}
	for _, step := range steps {
		if r.Float64() > step.goes {
			break
		}
		props := map[string]any{"product": product}
		if step.name == "purchased" {
			props["amount"] = price
			props["currency"] = "EUR"
		}
		add(step.name, props)
	}
	return out
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }
