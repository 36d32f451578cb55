package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/sample"
	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// The demo's account. It is made in the demo's own data directory and printed, so it is no secret.
const (
	demoEmail    = "demo@example.com"
	demoPassword = "Demo-Password-1"
	demoProject  = "Demo shop"
	demoDays     = 14
)

func demo(ctx context.Context, e *env) error {
	if e.cfg.Production() {
		return errors.New("demo makes an account with a well-known password and does not run in production")
	}
	a, err := app.New(ctx, e.cfg, time.Now, e.log)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	var seeding sync.WaitGroup
	var seedErr error
	err = a.Run(running, func(addr string) { // not called when the address cannot be had
		seeding.Go(func() {
			if seedErr = seed(running, "http://"+addr, e.stdout); seedErr != nil {
				cancel()
			}
		})
	})
	cancel()
	seeding.Wait()
	if ctx.Err() != nil {
		seedErr = nil // stopped in the middle of it; the next run goes on from there
	}
	return errors.Join(seedErr, err)
}

// shop is what the demo works on: the server's API through the Go SDK, as any program would use it.
type shop struct {
	client *nimbus.ClientWithResponses
	url    string
	bearer nimbus.RequestEditorFn
}

// seed makes the account, the project and the events, and prints what to do next. Running it again finds what is
// there and adds the hours since.
func seed(ctx context.Context, url string, out io.Writer) error {
	client, err := nimbus.NewClientWithResponses(url)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s := &shop{client: client, url: url}
	if err := s.login(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	p, err := s.project(ctx)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	accepted, duplicates, err := s.send(ctx, p, time.Now())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	answer, err := s.answer(ctx, p)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	query := fmt.Sprintf("%s/v1/metrics?project_id=%s&bucket=1d&limit=7&breakdown=name", url, p.Project.ID)
	_, err = fmt.Fprintf(out, `
Nimbus is running.

  Dashboard      %s
  API and docs   %s/docs
  Log in         %s   %s
  Project        %s   %s
  API key        %s   %s
  Sent           %d events through the Go SDK (%d were there already)

First answer, events per day:
%s
Ask it yourself:

  curl -s -H 'X-API-Key: %s' '%s'

It stays up until Ctrl-C.
`, url, url, demoEmail, demoPassword, p.Project.Name, p.Project.ID, p.APIKeyID, p.APIKeySecret, accepted, duplicates, answer, p.APIKeySecret, query)
	return err
}

func (s *shop) login(ctx context.Context) error {
	reg, err := s.client.RegisterWithResponse(ctx, nimbus.RegisterRequest{Email: demoEmail, Password: demoPassword})
	if err != nil {
		return err
	}
	session := reg.JSON201
	if reg.StatusCode() == http.StatusConflict {
		login, err := s.client.LoginWithResponse(ctx, nimbus.LoginRequest{Email: demoEmail, Password: demoPassword})
		if err != nil {
			return err
		}
		session = login.JSON200
	}
	if session == nil {
		return fmt.Errorf("log in: %s %s", reg.Status(), reg.Body)
	}
	s.bearer = func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+session.AccessToken)
		return nil
	}
	return nil
}

// project finds the demo's project or makes it. The secret is shown only once, so a project that is there gets a new
// one.
func (s *shop) project(ctx context.Context) (*nimbus.ProjectWithSecret, error) {
	list, err := s.client.ListProjectsWithResponse(ctx, nil, s.bearer)
	if err != nil {
		return nil, err
	}
	if list.JSON200 == nil {
		return nil, fmt.Errorf("list projects: %s %s", list.Status(), list.Body)
	}
	for _, p := range list.JSON200.Items {
		if p.Name == demoProject {
			rotated, err := s.client.RotateKeysWithResponse(ctx, p.ID, nimbus.RotateKeysRequest{}, s.bearer)
			if err != nil {
				return nil, err
			}
			if rotated.JSON200 == nil {
				return nil, fmt.Errorf("rotate keys: %s %s", rotated.Status(), rotated.Body)
			}
			return rotated.JSON200, nil
		}
	}
	about := "A small web shop with made-up visitors."
	created, err := s.client.CreateProjectWithResponse(ctx, nimbus.CreateProjectRequest{Name: demoProject, Description: &about}, s.bearer)
	if err != nil {
		return nil, err
	}
	if created.JSON201 == nil {
		return nil, fmt.Errorf("create project: %s %s", created.Status(), created.Body)
	}
	return created.JSON201, nil
}

// send sends the last two weeks of the shop in signed batches.
func (s *shop) send(ctx context.Context, p *nimbus.ProjectWithSecret, now time.Time) (accepted, duplicates int, err error) {
	const batchSize = 1000
	shopfloor := sample.Shop{Seed: 1, People: 600, SessionsPerHour: 12}
	sign := nimbus.SigningEditor(p.APIKeyID, p.APIKeySecret, time.Now)
	var batch []nimbus.Event
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		res, err := s.client.IngestEventsWithResponse(ctx, nil, nimbus.IngestRequest{ProjectID: p.Project.ID, Events: batch}, sign)
		if err != nil {
			return err
		}
		if res.JSON200 == nil || res.JSON200.Rejected > 0 {
			return fmt.Errorf("send events: %s %s", res.Status(), res.Body)
		}
		accepted += int(res.JSON200.Accepted)
		duplicates += int(res.JSON200.Duplicates)
		batch = batch[:0]
		return nil
	}
	for at := now.Add(-demoDays * 24 * time.Hour); !at.After(now); at = at.Add(time.Hour) {
		for _, ev := range shopfloor.Hour(at) {
			if ev.TS.After(now) {
				continue
			}
			props, err := json.Marshal(ev.Props)
			if err != nil {
				return 0, 0, err
			}
			batch = append(batch, nimbus.Event{Name: ev.Name, TS: ev.TS, UserID: ev.UserID, AnonymousID: ev.AnonymousID,
				IdempotencyKey: ev.IdempotencyKey, Props: props})
			if len(batch) == batchSize {
				if err := flush(); err != nil {
					return 0, 0, err
				}
			}
		}
	}
	return accepted, duplicates, flush()
}

// answer asks for the last seven days and draws them.
func (s *shop) answer(ctx context.Context, p *nimbus.ProjectWithSecret) (string, error) {
	bucket, limit := nimbus.Bucket1D, int32(7)
	res, err := s.client.QueryMetricsWithResponse(ctx, &nimbus.QueryMetricsParams{ProjectID: p.Project.ID, Bucket: &bucket, Limit: &limit}, s.bearer)
	if err != nil {
		return "", err
	}
	if res.JSON200 == nil {
		return "", fmt.Errorf("query metrics: %s %s", res.Status(), res.Body)
	}
	// Of a count every number is there: null stands for the mean of nothing.
	number := func(v *float64) float64 {
		if v == nil {
			return 0
		}
		return *v
	}
	top := 1.0
	for _, pt := range res.JSON200.Series {
		top = max(top, number(pt.Value))
	}
	var b strings.Builder
	for _, pt := range res.JSON200.Series {
		const width = 40
		fmt.Fprintf(&b, "\n  %s %7.0f  %s", pt.TS.Format("Mon 2006-01-02"), number(pt.Value), strings.Repeat("#", int(number(pt.Value)/top*width)))
	}
	fmt.Fprintf(&b, "\n  total %.0f, exact, from %s, in %.1f ms\n", number(res.JSON200.Total), res.JSON200.Meta.Source, res.JSON200.Meta.TookMs)
	return b.String(), nil
}
