package sdktest_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// registered is an API of a new account on a running Nimbus.
func registered(t *testing.T, app *apptest.App) *api.Client {
	t.Helper()
	client, err := api.New(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	email := uuid.NewString() + "@example.com"
	if err := client.Register(t.Context(), email, apptest.Password); err != nil {
		t.Fatal(err)
	}
	if err := client.Login(t.Context(), email, apptest.Password); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestListsAreRangedOverPageByPage(t *testing.T) {
	t.Parallel()
	client := registered(t, apptest.Boot(t))
	var project *api.ProjectWithSecret
	for k := range 3 {
		made, err := client.CreateProjectWithResponse(t.Context(), nil, api.CreateProjectRequest{Name: fmt.Sprint("p", k)})
		if err != nil {
			t.Fatal(err)
		}
		project = made.JSON201
	}
	projects := map[string]bool{}
	for p, err := range client.Projects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		projects[p.Name] = true
	}
	if len(projects) != 3 {
		t.Errorf("projects %v", projects)
	}
	tracker, err := nimbus.New(nimbus.Config{URL: client.ClientInterface.(*api.HTTPClient).Server, ProjectID: project.Project.ID.String(),
		KeyID: project.APIKeyID, Secret: project.APIKeySecret})
	if err != nil {
		t.Fatal(err)
	}
	const events = 25
	for k := range events {
		if err := tracker.Track(t.Context(), "e", nil, nimbus.WithTS(time.Now().Add(time.Duration(k-events)*time.Second)), nimbus.WithSeq(int64(k+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := tracker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	limit := int32(10)
	params := api.ListEventsParams{ProjectID: project.Project.ID, Limit: &limit}
	next := int64(events)
	for e, err := range client.Events(t.Context(), params) {
		if err != nil {
			t.Fatal(err)
		}
		if *e.Seq != next {
			t.Fatalf("event %d where %d was to come", *e.Seq, next)
		}
		next--
	}
	if next != 0 {
		t.Errorf("%d events are missing", next)
	}
	for _, err := range client.Events(t.Context(), params) {
		if err != nil {
			t.Error(err)
		}
		break // and a range that ends early asks for no more
	}
	if _, err := client.CreateWriteKeyWithResponse(t.Context(), project.Project.ID, nil, api.WriteKeyRequest{AllowedOrigins: []string{}}); err != nil {
		t.Fatal(err)
	}
	keys := 0
	for key, err := range client.WriteKeys(t.Context(), project.Project.ID) {
		if err != nil || key.Key == "" {
			t.Fatal(err)
		}
		keys++
	}
	if keys != 1 {
		t.Errorf("%d write keys", keys)
	}
	reader, err := api.New(client.ClientInterface.(*api.HTTPClient).Server, api.WithRequestEditorFn(nimbus.SecretEditor(project.APIKeySecret)))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range reader.Events(t.Context(), params) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAnswerThatIsNoSuccessIsATypedError(t *testing.T) {
	t.Parallel()
	client := registered(t, apptest.Boot(t))
	_, err := client.CreateProjectWithResponse(t.Context(), nil, api.CreateProjectRequest{})
	var e *nimbus.APIError
	if !errors.As(err, &e) || e.Code != "validation_failed" || e.Status != 422 || e.RequestID == "" || len(e.Errors) != 1 || e.Errors[0].Pointer != "/name" || e.Temporary() {
		t.Errorf("error %#v", err)
	}
	var problem *nimbus.APIError
	for _, err := range client.Events(t.Context(), api.ListEventsParams{ProjectID: uuid.New()}) {
		if !errors.As(err, &problem) || problem.Code != "not_found" {
			t.Errorf("error %v", err)
		}
	}
	if problem == nil {
		t.Error("a range over what is not there has no error")
	}
	if err := client.Login(t.Context(), "nobody@example.com", "Wrong-Horse-7"); !errors.As(err, &problem) || problem.Code != "invalid_credentials" {
		t.Errorf("error %v", err)
	}
	if health, err := client.GetHealthWithResponse(t.Context()); err != nil || health.JSON200 == nil {
		t.Errorf("health %v, %v", health, err)
	}
}

// However many calls find the access token expired, the refresh token, which works once, is used once.
func TestAnExpiredTokenIsRenewedOnceForAllWhoNeedIt(t *testing.T) {
	t.Parallel()
	app := apptest.Boot(t)
	client := registered(t, app)
	var sessions atomic.Int32
	client.OnSession = func(api.Session) { sessions.Add(1) }
	for round := int32(1); round <= 2; round++ {
		app.Clock.Add(2 * time.Hour)
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				if _, err := client.CreateProjectWithResponse(t.Context(), nil, api.CreateProjectRequest{Name: "p"}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if n := sessions.Load(); n != round {
			t.Errorf("%d sessions after %d expiries", n, round)
		}
	}
	app.Clock.Add(30 * 24 * time.Hour)
	var problem *nimbus.APIError
	if _, err := client.GetMeWithResponse(t.Context()); !errors.As(err, &problem) || problem.Status != 401 {
		t.Errorf("a session that is over: %v", err)
	}
}
