package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

func ExampleClient_errors() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"type":"/docs/errors#database_unavailable","title":"The database cannot be reached","status":503,
			"detail":"Nothing was stored.","code":"database_unavailable","request_id":"01JH8V5T7Z"}`))
	}))
	defer server.Close()
	client, err := api.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.GetMeWithResponse(context.Background())
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
	for item, err := range api.Pages(func(cursor *string) ([]string, *string, error) {
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
