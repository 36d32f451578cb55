package sample_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/sample"
)

func TestHourIsReproducibleAndItsKeysAreUnique(t *testing.T) {
	t.Parallel()
	shop := sample.Shop{Seed: 1, People: 200, SessionsPerHour: 30}
	seen := map[string]bool{}
	names := map[string]int{}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for h := range 48 {
		at := start.Add(time.Duration(h) * time.Hour)
		events := shop.Hour(at)
		if !reflect.DeepEqual(events, shop.Hour(at.Add(59*time.Minute))) {
			t.Fatalf("hour %d is not the same the second time", h)
		}
		for _, e := range events {
			if seen[e.IdempotencyKey] {
				t.Fatalf("key %s stands twice", e.IdempotencyKey)
			}
			seen[e.IdempotencyKey] = true
			names[e.Name]++
		}
	}
	if !(names["page_view"] > names["product_viewed"] && names["product_viewed"] > names["added_to_cart"] &&
		names["added_to_cart"] > names["purchased"] && names["purchased"] > 0) {
		t.Errorf("the funnel does not narrow: %v", names)
	}
}
