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
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/projects"
	"github.com/bahagh/nimbus/internal/sample"
)

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
	defer res.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if res.StatusCode != status {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (w *world) register(ctx context.Context) error {
	var s struct {
		AccessToken string `json:"access_token"`
	}
	email := uuid.NewString() + "@example.com"
	if err := w.call(ctx, "POST", "/v1/auth/register", map[string]string{"email": email, "password": "Bench-Password-1"}, &s, 201); err != nil {
		return err
	}
	w.token = s.AccessToken
	var p struct {
		Project struct{ ID uuid.UUID }
		KeyID   string `json:"api_key_id"`
		Secret  string `json:"api_key_secret"`
	}
	if err := w.call(ctx, "POST", "/v1/projects", map[string]string{"name": "bench"}, &p, 201); err != nil {
		return err
	}
	w.projectID, w.keyID, w.secret = p.Project.ID, p.KeyID, p.Secret
	return nil
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

func (w *world) body(events []sample.Event) ([]byte, error) {
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
	}{ProjectID: w.projectID}
	for _, e := range events {
		out.Events = append(out.Events, event{e.Name, e.TS, e.UserID, e.AnonymousID, e.IdempotencyKey, e.Props})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b, nil
}

// send signs and sends one body; a 503 is tried again, as an SDK would.
func (w *world) send(ctx context.Context, body []byte) error {
	for {
		ts := strconv.FormatInt(time.Now().Unix(), 10)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v1/events", bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("make a request: %w", err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key-Id", w.keyID)
		req.Header.Set("X-Api-Timestamp", ts)
		req.Header.Set("X-Api-Signature", projects.Sign(w.secret, ts, http.MethodPost, "/v1/events", body))
		res, err := w.client.Do(req)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // read to its end
		switch {
		case err != nil:
			return fmt.Errorf("read the answer: %w", err)
		case res.StatusCode == http.StatusOK:
			return nil
		case res.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("send: %d %s", res.StatusCode, answer)
		}
	}
}

// load is what one measurement of ingestion found.
type load struct {
	events  int
	took    time.Duration
	latency []time.Duration // of each request, sorted
}

func (l *load) perSecond() float64 { return float64(l.events) / l.took.Seconds() }

func (l *load) quantile(q float64) time.Duration {
	return l.latency[min(len(l.latency)-1, int(float64(len(l.latency))*q))]
}

// drive sends prepared bodies over so many connections until they are used up.
func (w *world) drive(ctx context.Context, bodies [][]byte, batch, connections int) (*load, error) {
	var next atomic.Int64
	latencies := make([][]time.Duration, connections)
	errs := make([]error, connections)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range connections {
		wg.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(bodies) {
					return
				}
				at := time.Now()
				if errs[c] = w.send(ctx, bodies[k]); errs[c] != nil {
					return
				}
				latencies[c] = append(latencies[c], time.Since(at))
			}
		})
	}
	wg.Wait()
	l := &load{events: len(bodies) * batch, took: time.Since(start), latency: slices.Concat(latencies...)}
	slices.Sort(l.latency)
	return l, errors.Join(errs...)
}

func (w *world) bodies(s *stream, n, batch int) ([][]byte, error) {
	out := make([][]byte, n)
	for k := range out {
		var err error
		if out[k], err = w.body(s.next(batch)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
