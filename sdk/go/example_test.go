package nimbus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
