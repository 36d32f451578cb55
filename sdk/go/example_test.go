package nimbus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// recorded is where the examples send their events.
func recorded() nimbus.Config {
	return nimbus.Config{
		URL:        "https://nimbus.example.com",
		ProjectID:  "3fa85f64-5717-4562-b3fc-2c963f66afa6",
		KeyID:      "nk_1",
		Secret:     "ns_1",
		HTTPClient: &http.Client{Transport: &nimbustest.Recorder{}},
		Logger:     slog.New(slog.DiscardHandler),
	}
}

func ExampleNew() {
	ctx := context.Background()
	tracker, err := nimbus.New(recorded())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := tracker.Track(ctx, "signed_up", map[string]any{"plan": "pro"}, nimbus.WithUserID("user_123")); err != nil {
		fmt.Println(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // how long the end of the program may wait
	defer cancel()
	if err := tracker.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(tracker.Stats().Delivered, "delivered")
	// Output: 1 delivered
}

func ExampleTracker_Track_refused() {
	tracker, err := nimbus.New(recorded())
	if err != nil {
		fmt.Println(err)
		return
	}
	err = tracker.Track(context.Background(), "", nil)
	var refused *nimbus.RejectedError
	if errors.As(err, &refused) {
		for _, f := range refused.Fields {
			fmt.Println(f.Pointer, f.Code)
		}
	}
	// Output: /name length
}

func ExampleAPI_errors() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"type":"/docs/errors#database_unavailable","title":"The database cannot be reached","status":503,
			"detail":"Nothing was stored.","code":"database_unavailable","request_id":"01JH8V5T7Z"}`))
	}))
	defer server.Close()
	api, err := nimbus.NewAPI(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = api.GetMeWithResponse(context.Background())
	var e *nimbus.APIError
	if errors.As(err, &e) {
		fmt.Println(e.Code, e.Temporary(), e.RetryAfter)
	}
	// Output: database_unavailable true 5s
}

func ExamplePages() {
	pages := map[string][]string{"": {"a", "b"}, "2": {"c"}}
	next := map[string]*string{"": new(string)}
	*next[""] = "2"
	for item, err := range nimbus.Pages(func(cursor *string) ([]string, *string, error) {
		at := ""
		if cursor != nil {
			at = *cursor
		}
		return pages[at], next[at], nil
	}) {
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(item)
	}
	// Output:
	// a
	// b
	// c
}
