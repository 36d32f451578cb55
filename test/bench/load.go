package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/sample"
)

// refusal is an answer with another status than was wanted.
type refusal struct {
	to     string
	status int
	answer []byte
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %d %s", r.to, r.status, r.answer) }

// call sends JSON and decodes the answer, which must have the status.
func (w *world) call(ctx context.Context, method, path string, body, out any, status int) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body = nil
		req.ContentLength = 0
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if res.StatusCode != status {
		return &refusal{method + " " + path, res.StatusCode, answer}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// register makes the account and the project that all questions are asked of.
func (w *world) register(ctx context.Context) (err error) {
	if err = w.account(ctx); err != nil {
		return err
	}
	w.project, err = w.create(ctx)
	return err
}

// account makes an account, which owns what is created from then on.
func (w *world) account(ctx context.Context) error {
	var s struct {
		AccessToken string `json:"access_token"`
	}
	email := uuid.NewString() + "@example.com"
	if err := w.call(ctx, "POST", "/v1/auth/register", map[string]string{"email": email, "password": "Bench-Password-1"}, &s, 201); err != nil {
		return err
	}
	w.token = s.AccessToken
	return nil
}

// project is one to send to.
type project struct {
	id            uuid.UUID
	keyID, secret string
}

func (w *world) create(ctx context.Context) (*project, error) {
	var p struct {
		Project struct{ ID uuid.UUID }
		KeyID   string `json:"api_key_id"`
		Secret  string `json:"api_key_secret"`
	}
	if err := w.call(ctx, "POST", "/v1/projects", map[string]string{"name": "bench"}, &p, 201); err != nil {
		return nil, err
	}
	return &project{p.Project.ID, p.KeyID, p.Secret}, nil
}

// tenants makes projects of other accounts, each with as many as it may own by default.
func (w *world) tenants(ctx context.Context, n int) (all []*project, err error) {
	const perAccount = 100
	own := w.token
	defer func() { w.token = own }()
	for k := range n {
		if k%perAccount == 0 {
			if err := w.account(ctx); err != nil {
				return nil, err
			}
		}
		p, err := w.create(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// stream makes the shop's events without end, hour after hour, each with its own key.
type stream struct {
	shop   sample.Shop
	hour   time.Time
	buffer []sample.Event
}

func newStream(seed uint64, start time.Time) *stream {
	return &stream{shop: sample.Shop{Seed: seed, People: 100_000, SessionsPerHour: 2_000}, hour: start}
}

func (s *stream) next(n int) []sample.Event {
	for len(s.buffer) < n {
		s.buffer = append(s.buffer, s.shop.Hour(s.hour)...)
		s.hour = s.hour.Add(time.Hour)
	}
	out := s.buffer[:n:n]
	s.buffer = s.buffer[n:]
	return out
}

func (p *project) body(events []sample.Event) ([]byte, error) {
	type event struct {
		Name        string         `json:"name"`
		TS          time.Time      `json:"ts"`
		UserID      string         `json:"user_id,omitempty"`
		AnonymousID string         `json:"anonymous_id,omitempty"`
		Key         string         `json:"idempotency_key"`
		Props       map[string]any `json:"props"`
	}
	out := struct {
		ProjectID uuid.UUID `json:"project_id"`
		Events    []event   `json:"events"`
	}{ProjectID: p.id}
	for _, e := range events {
		out.Events = append(out.Events, event{e.Name, e.TS, e.UserID, e.AnonymousID, e.IdempotencyKey, e.Props})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b, nil
}

// load is the result of one measurement of ingestion.
type load struct {
	events  int
	took    time.Duration
	latency []time.Duration // of each request, sorted
}

func (l *load) perSecond() float64 { return float64(l.events) / l.took.Seconds() }

func (l *load) quantile(q float64) time.Duration {
	return l.latency[min(len(l.latency)-1, int(float64(len(l.latency))*q))]
}

// drive sends prepared requests over a number of connections until all are sent.
func (w *world) drive(ctx context.Context, requests [][]byte, batch, connections int) (*load, error) {
	var next atomic.Int64
	latencies := make([][]time.Duration, connections)
	errs := make([]error, connections)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range connections {
		wg.Go(func() {
			conn, err := w.dial(ctx)
			if err != nil {
				errs[c] = err
				return
			}
			defer conn.conn.Close()
			for {
				k := int(next.Add(1)) - 1
				if k >= len(requests) {
					return
				}
				at := time.Now()
				if errs[c] = conn.send(requests[k]); errs[c] != nil {
					return
				}
				latencies[c] = append(latencies[c], time.Since(at))
			}
		})
	}
	wg.Wait()
	l := &load{events: len(requests) * batch, took: time.Since(start), latency: slices.Concat(latencies...)}
	slices.Sort(l.latency)
	return l, errors.Join(errs...)
}

// requests prepares n signed requests with the next events of the stream, for the projects in round-robin order.
func requests(s *stream, of []*project, n, batch int) ([][]byte, error) {
	out := make([][]byte, n)
	for k := range out {
		p := of[k%len(of)]
		body, err := p.body(s.next(batch))
		if err != nil {
			return nil, err
		}
		out[k] = p.request(body)
	}
	return out, nil
}
