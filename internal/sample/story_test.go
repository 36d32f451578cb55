package sample_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/sample"
)

// fourWeeks is what the story tells of four weeks, hour by hour.
func fourWeeks() [][]sample.Event {
	story := sample.Story{Seed: 1, Visitors: 6}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	hours := make([][]sample.Event, 28*24)
	for h := range hours {
		hours[h] = story.Hour(start.Add(time.Duration(h) * time.Hour))
	}
	return hours
}

func TestStoryIsReproducibleAndItsKeysAreUnique(t *testing.T) {
	t.Parallel()
	story := sample.Story{Seed: 1, Visitors: 6}
	at := time.Date(2026, 3, 4, 14, 0, 0, 0, time.UTC)
	if !reflect.DeepEqual(story.Hour(at), story.Hour(at.Add(59*time.Minute))) {
		t.Error("an hour is not the same the second time")
	}
	seen := map[string]bool{}
	for _, events := range fourWeeks() {
		for _, e := range events {
			if seen[e.IdempotencyKey] {
				t.Fatalf("key %s stands twice", e.IdempotencyKey)
			}
			seen[e.IdempotencyKey] = true
		}
	}
}

func TestStoryHasSomethingForEachKindOfQuestion(t *testing.T) {
	t.Parallel()
	names := map[string]int{}
	days := map[string]map[string]bool{} // of each browser
	linked := map[string]string{}        // the user of a browser
	visitors := map[time.Weekday]int{}
	for _, events := range fourWeeks() {
		for _, e := range events {
			names[e.Name]++
			if e.Name == "page_view" {
				visitors[e.TS.Weekday()]++
			}
			if days[e.AnonymousID] == nil {
				days[e.AnonymousID] = map[string]bool{}
			}
			days[e.AnonymousID][e.TS.Format(time.DateOnly)] = true
			if e.UserID == "" {
				continue
			}
			if other, ok := linked[e.AnonymousID]; ok && other != e.UserID {
				t.Fatalf("browser %s is of %s and of %s", e.AnonymousID, other, e.UserID)
			}
			linked[e.AnonymousID] = e.UserID
		}
	}
	steps := []string{"page_view", "product_viewed", "added_to_cart", "checkout_started", "purchased"}
	for i, name := range steps[1:] {
		if names[name] == 0 || names[name] >= names[steps[i]] {
			t.Errorf("the funnel does not narrow at %s: %v", name, names)
		}
	}
	for _, name := range []string{"sign_up", "search", "plan_upgraded", "payment_failed"} {
		if names[name] == 0 {
			t.Errorf("no %s in four weeks: %v", name, names)
		}
	}
	back := 0
	for _, on := range days {
		if len(on) > 1 {
			back++
		}
	}
	if share := float64(back) / float64(len(days)); share < 0.1 || share > 0.5 {
		t.Errorf("%.0f%% come on more than one day", 100*share)
	}
	if visitors[time.Tuesday] <= visitors[time.Sunday] {
		t.Errorf("a Sunday is as busy as a Tuesday: %v", visitors)
	}
	t.Log(names, len(days), back)
}

func TestStoryMakesKnownWhoSignsUp(t *testing.T) {
	t.Parallel()
	plans, companies := map[any]int{}, map[any]bool{}
	for _, events := range fourWeeks() {
		for _, e := range events {
			if (e.Profile != nil) != (e.Name == "sign_up" || e.Name == "plan_upgraded") || e.Profile != nil && e.UserID == "" {
				t.Fatalf("%s of %q makes known %v", e.Name, e.UserID, e.Profile)
			}
			if company := e.Props["company"]; company != nil && e.UserID == "" {
				t.Fatalf("%s has a company before anybody signed up", e.Name)
			} else if company != nil {
				companies[company] = true
			}
			plans[e.Profile["plan"]]++
		}
	}
	if plans["free"] < 100 || plans["pro"] < 10 || plans["pro"] > plans["free"] || len(companies) < 5 {
		t.Errorf("plans %v, companies %v", plans, companies)
	}
}

func TestStorysDaysAreFound(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 30, 10, 0, 0, 0, time.UTC)
	campaign, outage, mended := sample.Campaign(now)
	for _, at := range []time.Time{campaign, outage, mended} {
		if at.After(now.AddDate(0, 0, 1)) || at.Before(now.AddDate(0, 0, -28)) {
			t.Errorf("%s is not in the four weeks before %s", at, now)
		}
	}
	story := sample.Story{Seed: 1, Visitors: 20}
	failed := 0
	for at := outage; at.Before(mended); at = at.Add(time.Hour) {
		for _, e := range story.Hour(at) {
			if e.Name == "payment_failed" {
				failed++
			}
		}
	}
	if failed == 0 {
		t.Error("no payment failed in the outage")
	}
}
