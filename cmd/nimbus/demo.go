package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/sample"
	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

// The demo's account. It is made in the demo's own data directory and printed, so it is no secret.
const (
	demoEmail    = "demo@example.com"
	demoPassword = "Demo-Password-1"
	demoProject  = "Demo shop"
	demoDays     = 28
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
			if seedErr = seed(running, "http://"+addr, e.log, e.stdout); seedErr != nil {
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
	client *api.Client
	url    string
	log    *slog.Logger
}

// seed makes the account, the project and the events, and prints what to do next. Running it again finds what is
// there and adds the hours since.
func seed(ctx context.Context, url string, log *slog.Logger, out io.Writer) error {
	client, err := api.New(url)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s := &shop{client: client, url: url, log: log}
	if err := s.login(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	p, err := s.project(ctx)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	sent, err := s.send(ctx, p, time.Now())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := s.annotate(ctx, p.Project.ID, time.Now()); err != nil {
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
`, url, url, demoEmail, demoPassword, p.Project.Name, p.Project.ID, p.APIKeyID, p.APIKeySecret, sent.Delivered-sent.Duplicates, sent.Duplicates, answer, p.APIKeySecret, query)
	return err
}

func (s *shop) login(ctx context.Context) error {
	err := s.client.Register(ctx, demoEmail, demoPassword)
	if problem := (*nimbus.APIError)(nil); errors.As(err, &problem) && problem.Code == "email_taken" {
		return s.client.Login(ctx, demoEmail, demoPassword)
	}
	return err
}

// project finds the demo's project or makes it. The secret is shown only once, so a project that is there gets a new
// one.
func (s *shop) project(ctx context.Context) (*api.ProjectWithSecret, error) {
	for p, err := range s.client.Projects(ctx) {
		if err != nil {
			return nil, err
		}
		if p.Name == demoProject {
			rotated, err := s.client.RotateKeysWithResponse(ctx, p.ID, api.RotateKeysRequest{})
			if err != nil {
				return nil, err
			}
			return rotated.JSON200, nil
		}
	}
	about := "A small web shop with made-up visitors."
	created, err := s.client.CreateProjectWithResponse(ctx, nil, api.CreateProjectRequest{Name: demoProject, Description: &about})
	if err != nil {
		return nil, err
	}
	return created.JSON201, nil
}

// send sends the last four weeks of the shop, in which its story goes round once.
func (s *shop) send(ctx context.Context, p *api.ProjectWithSecret, now time.Time) (nimbus.Stats, error) {
	story := sample.Story{Seed: 1, Visitors: 4}
	var lost atomic.Pointer[error]
	config := nimbus.Config{URL: s.url, ProjectID: p.Project.ID.String(), KeyID: p.APIKeyID, Secret: p.APIKeySecret,
		FlushEvents: 1000, WhenFull: nimbus.Block, Logger: s.log,
		OnDrop: func(_ nimbus.Event, why error) { lost.CompareAndSwap(nil, &why) }}
	tracker, err := nimbus.New(config)
	if err != nil {
		return nimbus.Stats{}, err
	}
	profiles, err := nimbus.New(config) // of its own, so that what was sent is told in events
	if err != nil {
		return nimbus.Stats{}, errors.Join(err, tracker.Close(ctx))
	}
	for at := now.Add(-demoDays * 24 * time.Hour); err == nil && !at.After(now); at = at.Add(time.Hour) {
		err = s.hour(ctx, tracker, profiles, story.Hour(at), now)
	}
	err = errors.Join(err, tracker.Close(ctx), profiles.Close(ctx))
	if why := lost.Load(); err == nil && why != nil {
		err = fmt.Errorf("send events: %w", *why)
	}
	return tracker.Stats(), err
}

// hour tracks what has happened by now.
func (s *shop) hour(ctx context.Context, tracker, profiles *nimbus.Tracker, events []sample.Event, now time.Time) error {
	for _, e := range events {
		if e.TS.After(now) {
			continue
		}
		if err := tracker.Track(ctx, e.Name, e.Props, nimbus.WithTS(e.TS), nimbus.WithUserID(e.UserID),
			nimbus.WithAnonymousID(e.AnonymousID), nimbus.WithIdempotencyKey(e.IdempotencyKey)); err != nil {
			return err
		}
		if e.Profile == nil {
			continue
		}
		props, err := json.Marshal(e.Profile)
		if err != nil {
			return err
		}
		if err := profiles.Change(ctx, nimbus.Operation{Op: nimbus.OpSet, UserID: e.UserID, TS: e.TS,
			IdempotencyKey: e.IdempotencyKey, Props: props}); err != nil {
			return err
		}
	}
	return nil
}

// annotate says on the charts what happened in the story, once.
func (s *shop) annotate(ctx context.Context, project api.ProjectPath, now time.Time) error {
	list, err := s.client.ListAnnotationsWithResponse(ctx, project, nil)
	if err != nil {
		return err
	}
	if len(list.JSON200.Items) > 0 {
		return nil
	}
	campaign, outage, mended := sample.Campaign(now)
	for _, a := range []api.CreateAnnotationRequest{{TS: campaign, Text: "The sale begins: ads on phones"}, {TS: outage, Until: &mended, Text: "Payments fail"}} {
		if a.TS.After(now) {
			continue
		}
		if _, err := s.client.CreateAnnotationWithResponse(ctx, project, nil, a); err != nil {
			return err
		}
	}
	return nil
}

// answer asks for the last seven days and draws them.
func (s *shop) answer(ctx context.Context, p *api.ProjectWithSecret) (string, error) {
	bucket, limit := api.Bucket1D, int32(7)
	res, err := s.client.QueryMetricsWithResponse(ctx, &api.QueryMetricsParams{ProjectID: p.Project.ID, Bucket: &bucket, Limit: &limit})
	if err != nil {
		return "", err
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
