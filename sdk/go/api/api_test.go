package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// wait moves the clock of the bubble.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// answered is an API whose server is this handler, without a network between them.
func answered(t *testing.T, handler http.HandlerFunc) *api.Client {
	t.Helper()
	client, err := api.New("http://nimbus.test", api.WithHTTPClient(doerFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		handler(w, r)
		return w.Result(), r.Context().Err()
	})))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const account = `{"id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","email":"ada@example.com","created_at":"2026-01-01T00:00:00Z"}`

// replySession answers with the session of this name: its tokens are access-name, good for an hour, and refresh-name.
func replySession(t *testing.T, w http.ResponseWriter, name string) {
	t.Helper()
	reply(t, w, http.StatusOK, "application/json", fmt.Sprintf(`{"access_token":"access-%s","refresh_token":"refresh-%[1]s","token_type":"Bearer","expires_in":3600,"account":%s}`, name, account))
}

func replyUnauthenticated(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	reply(t, w, http.StatusUnauthorized, "application/problem+json", `{"type":"t","title":"t","status":401,"detail":"d","request_id":"r","code":"unauthenticated"}`)
}

func login(t *testing.T, client *api.Client) {
	t.Helper()
	if err := client.Login(t.Context(), "ada@example.com", "Right-Horse-7"); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsASuccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status    int
		mediaType string
		success   bool
	}{
		"JSON":                {200, "application/json", true},
		"JSON with a charset": {200, "application/json; charset=utf-8", true},
		"lines of JSON":       {200, "application/x-ndjson", true},
		"a problem":           {404, "application/problem+json", false},
		"a page":              {200, "text/html", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := answered(t, func(w http.ResponseWriter, _ *http.Request) { reply(t, w, c.status, c.mediaType, `{}`) })
			got, err := client.ExportAuditWithResponse(t.Context(), project, nil)
			var failed *nimbus.APIError
			if c.success && (err != nil || string(got.Body) != "{}") || !c.success && (!errors.As(err, &failed) || failed.Status != c.status) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestASessionThatIsOverCanBeFollowedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		client := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/v1/auth/login":
				logins++
				replySession(t, w, fmt.Sprint(logins))
			case r.Header.Get("Authorization") == "Bearer access-2":
				reply(t, w, http.StatusOK, "application/json", account)
			default:
				replyUnauthenticated(t, w)
			}
		})
		login(t, client)
		wait(t, 30*24*time.Hour)
		var problem *nimbus.APIError
		if _, err := client.GetMeWithResponse(t.Context()); !errors.As(err, &problem) || problem.Code != "unauthenticated" {
			t.Errorf("error %v", err)
		}
		login(t, client)
		if _, err := client.GetMeWithResponse(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A login while a session is being renewed counts, not the renewed session.
func TestALoginIsNotUndoneByARenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		renewed := make(chan struct{})
		client := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/auth/login":
				logins++
				replySession(t, w, fmt.Sprint(logins))
			case "/v1/auth/refresh":
				<-renewed
				replySession(t, w, "1-renewed")
			default:
				reply(t, w, http.StatusOK, "application/json", account)
			}
		})
		login(t, client)
		wait(t, 2*time.Hour)
		done := make(chan error)
		go func() {
			_, err := client.GetMeWithResponse(t.Context())
			done <- err
		}()
		synctest.Wait()
		login(t, client)
		close(renewed)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if token, err := client.Token(t.Context()); err != nil || token != "access-2" {
			t.Errorf("token %q, %v", token, err)
		}
	})
}

// The refresh token works once, so the answer of the caller who was chosen to renew is everybody's.
func TestARenewalOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		client := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/auth/login":
				replySession(t, w, "1")
			case "/v1/auth/refresh":
				refreshes++
				if r.Header.Get("Authorization") != "Bearer refresh-1" {
					replyUnauthenticated(t, w)
					return
				}
				wait(t, time.Second) // the answer is on its way
				replySession(t, w, "2")
			default:
				reply(t, w, http.StatusOK, "application/json", account)
			}
		})
		login(t, client)
		wait(t, 2*time.Hour)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begun := time.Now()
		if _, err := client.GetMeWithResponse(impatient); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Millisecond {
			t.Errorf("error %v after %s", err, time.Since(begun))
		}
		if token, err := client.Token(t.Context()); err != nil || token != "access-2" || refreshes != 1 {
			t.Errorf("token %q, %v, after %d refreshes", token, err, refreshes)
		}
	})
}

// A server that never answers holds up the renewal only so long: the next call tries again.
func TestARenewalThatHangsIsBrokenOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		client := answered(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/auth/login" {
				replySession(t, w, "1")
			} else if refreshes++; refreshes == 1 {
				<-r.Context().Done()
			} else {
				replySession(t, w, "2")
			}
		})
		login(t, client)
		wait(t, 2*time.Hour)
		if _, err := client.Token(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if token, err := client.Token(t.Context()); err != nil || token != "access-2" {
			t.Errorf("token %q, %v", token, err)
		}
	})
}
