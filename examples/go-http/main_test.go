package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func TestRequestsAndOrdersArrive(t *testing.T) {
	t.Parallel()
	app := apptest.Boot(t)
	x := app.Tenant(t)
	env := map[string]string{"NIMBUS_URL": app.URL, "NIMBUS_PROJECT_ID": x.ProjectID.String(), "NIMBUS_KEY_ID": x.KeyID, "NIMBUS_SECRET": x.Secret}
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- run(ctx, func(name string) string { return env[name] }, "127.0.0.1:0", func(addr string) { ready <- addr })
	}()
	url := "http://"
	select {
	case addr := <-ready:
		url += addr
	case err := <-done:
		t.Fatal(err)
	}
	for _, r := range []struct {
		method, path string
		status       int
	}{{"GET", "/", 200}, {"POST", "/orders/42", 202}, {"POST", "/orders/42", 202}, {"GET", "/nowhere", 404}} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, url+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-User", "ada")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != r.status {
			t.Errorf("%s %s: %d", r.method, r.path, res.StatusCode)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var page struct {
		Items []struct {
			Name   string
			UserID string `json:"user_id"`
			Props  map[string]any
		}
	}
	x.Do("GET", "/v1/events?order=asc&project_id="+x.ProjectID.String(), nil).Want(200).JSON(&page)
	got := map[any]int{}
	for _, e := range page.Items {
		if e.UserID != "ada" {
			t.Errorf("event %+v", e)
		}
		if e.Name == "ordered" {
			got["ordered "+e.Props["order"].(string)]++
		} else {
			got[e.Props["route"]]++
		}
	}
	want := map[any]int{"GET /{$}": 1, "POST /orders/{id}": 2, "": 1, "ordered 42": 1}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%v: %d, want %d, of %v", k, got[k], n, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
