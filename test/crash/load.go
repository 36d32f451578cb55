package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/projects"
)

// load is the clients, with the events that they have sent and those that were acknowledged.
type load struct {
	url       string
	http      *http.Client
	projectID uuid.UUID
	keyID     string
	secret    string
	base      time.Time // events have a ts in the hours before
	clients   []*client

	gate     sync.RWMutex // held by each attempt; a check takes all of it
	stopping atomic.Bool
	running  sync.WaitGroup

	mu       sync.Mutex
	acked    time.Time // when the latest request began that was acknowledged
	broken   error     // the first violation
	requests int
	refused  int
	cut      int // not answered
	repeated int // events and operations
}

// client sends events and profile operations. Only its own goroutine touches it, but for checks, which hold the gate.
type client struct {
	number     int
	random     *rand.Rand
	events     stream
	operations stream
}

// stream is what a client sends of one kind, numbered from 0 on.
type stream struct {
	next  int // the number of the next new one: all before it were sent
	acked bitmap
}

// bitmap is a set of small numbers.
type bitmap struct {
	words []uint64
	count int
}

func (b *bitmap) has(k int) bool { return k>>6 < len(b.words) && b.words[k>>6]&(1<<(k&63)) != 0 }

func (b *bitmap) add(k int) {
	if b.has(k) {
		return
	}
	for k>>6 >= len(b.words) {
		b.words = append(b.words, 0)
	}
	b.words[k>>6] |= 1 << (k & 63)
	b.count++
}

// identified is how the server deduplicates what is sent again.
type identified int

const (
	byKeyAndTime identified = iota
	byKey                   // the server sets the ts
	bySignature             // no key: the very same request must be sent again
)

// request is the events, or the operations, of one client from first on, as bytes.
type request struct {
	path         string
	of           *stream
	by           identified
	first, count int
	twice        int // of them that it contains twice
	body         []byte
	timestamp    string // signed
	signature    string
	signed       time.Time
	attempts     int
}

const (
	names         = 5
	users         = 97
	subjects      = 11 // whose profiles are changed
	clientShift   = 32 // an event's seq is the client's number, then the event's; so is an operation's
	spread        = 3 * time.Hour
	attemptTime   = 40 * time.Second // longer than the server may keep a request waiting
	signatureLife = 4 * time.Minute
)

func newLoad(ctx context.Context, w *world, o Options) (*load, error) {
	l := &load{url: w.url, base: time.Now().UTC().Truncate(time.Millisecond),
		http: &http.Client{Timeout: attemptTime, Transport: &http.Transport{MaxIdleConnsPerHost: o.Clients + 1}}}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	email := uuid.NewString() + "@example.com"
	if err := l.call(ctx, "POST", "/v1/auth/register", "", map[string]string{"email": email, "password": "Crash-Password-1"}, &session); err != nil {
		return nil, err
	}
	var p struct {
		Project struct{ ID uuid.UUID }
		KeyID   string `json:"api_key_id"`
		Secret  string `json:"api_key_secret"`
	}
	if err := l.call(ctx, "POST", "/v1/projects", "Bearer "+session.AccessToken, map[string]string{"name": "crash"}, &p); err != nil {
		return nil, err
	}
	l.projectID, l.keyID, l.secret = p.Project.ID, p.KeyID, p.Secret
	for k := range o.Clients {
		l.clients = append(l.clients, &client{number: k, random: rand.New(rand.NewPCG(o.Seed, uint64(k)+1))}) //nolint:gosec // must be repeatable
	}
	return l, nil
}

// call is for the requests that are not load; authorization may be empty, and body nil.
func (l *load) call(ctx context.Context, method, path, authorization string, body, out any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, l.url+path, r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case authorization != "":
		req.Header.Set("Authorization", authorization)
	case l.secret != "":
		req.Header.Set("X-Api-Key", l.secret)
	}
	res, err := l.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s %s", path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (l *load) start(ctx context.Context) {
	for _, c := range l.clients {
		l.running.Go(func() {
			for !l.stopping.Load() && ctx.Err() == nil {
				if err := l.send(ctx, c); err != nil {
					l.mu.Lock()
					l.broken = errors.Join(l.broken, err)
					l.mu.Unlock()
					return
				}
			}
		})
	}
}

// stop ends the load and waits for the last attempts. Calling it again is harmless.
func (l *load) stop() {
	l.stopping.Store(true)
	l.running.Wait()
}

func (l *load) violated() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// progress waits until a request that began after now is acknowledged, and returns how long that took.
func (l *load) progress(ctx context.Context, w *world) (time.Duration, error) {
	begun := time.Now()
	for {
		l.mu.Lock()
		moved := l.acked.After(begun)
		l.mu.Unlock()
		if err := errors.Join(l.violated(), w.dead()); err != nil {
			return 0, err
		}
		if moved {
			return time.Since(begun), nil
		}
		if time.Since(begun) > stuckTime {
			return 0, violation("stuck: nothing was acknowledged for %s after a kill\n%s", stuckTime, w.said.String())
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// send makes a request and retries it as an SDK does, until it is acknowledged. Some callers give up, and some send
// once more after the acknowledgement.
func (l *load) send(ctx context.Context, c *client) error {
	newRequest := l.newRequest
	if c.random.IntN(4) == 0 {
		newRequest = l.newOperations
	}
	r, err := newRequest(c)
	if err != nil {
		return err
	}
	for acked := false; ; {
		if acked, err = l.attempt(ctx, r, false); err != nil {
			return err
		}
		if acked {
			break
		}
		if l.givesUp(ctx, c, r) {
			return nil // nobody will ever know whether it was stored
		}
		_ = pause(ctx, time.Duration(5+c.random.IntN(45))*time.Millisecond)
	}
	if c.random.IntN(10) == 0 {
		_, err = l.attempt(ctx, r, true)
	}
	return err
}

func (l *load) givesUp(ctx context.Context, c *client, r *request) bool {
	return l.stopping.Load() || ctx.Err() != nil || c.random.IntN(10) == 0 ||
		(r.by == bySignature && time.Since(r.signed) > signatureLife)
}

func (l *load) newRequest(c *client) (*request, error) {
	r := c.request(&c.events, "/v1/events")
	if c.random.IntN(3) == 0 {
		r.count = 1 + c.random.IntN(300)
	}
	type event struct {
		Name  string         `json:"name"`
		TS    *time.Time     `json:"ts,omitempty"`
		User  string         `json:"user_id"`
		Key   string         `json:"idempotency_key,omitempty"`
		Seq   int64          `json:"seq"`
		Props map[string]any `json:"props"`
	}
	body := struct {
		ProjectID uuid.UUID `json:"project_id"`
		Events    []event   `json:"events"`
	}{ProjectID: l.projectID}
	for k := r.first; k < r.first+r.count; k++ {
		seq := int64(c.number)<<clientShift | int64(k)
		e := event{Name: "n" + strconv.FormatInt(seq%names, 10), User: "u" + strconv.FormatInt(seq%users, 10), Seq: seq,
			Props: map[string]any{"n": seq, "path": "/some/page"}}
		if r.by != byKey {
			ts := l.base.Add(-time.Duration(c.random.Int64N(int64(spread)))).Truncate(time.Microsecond)
			e.TS = &ts
		}
		if r.by != bySignature {
			e.Key = fmt.Sprintf("c%d-%d", c.number, k)
		}
		body.Events = append(body.Events, e)
	}
	if r.by != bySignature && c.random.IntN(20) == 0 {
		r.twice = 1
		body.Events = append(body.Events, body.Events[c.random.IntN(r.count)])
	}
	return r, r.finish(l, body)
}

// request begins a request of what comes next of a stream.
func (c *client) request(of *stream, path string) *request {
	r := &request{path: path, of: of, first: of.next, count: 1 + c.random.IntN(20)}
	switch k := c.random.IntN(20); {
	case k < 3:
		r.by = byKey
	case k < 5:
		r.by = bySignature
	}
	return r
}

// finish writes the request.
func (r *request) finish(l *load, body any) (err error) {
	r.of.next += r.count
	if r.body, err = json.Marshal(body); err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	r.sign(l)
	return nil
}

// newOperations makes a request of operations that add: one that is lost or done twice changes a sum. Each also has its number.
func (l *load) newOperations(c *client) (*request, error) {
	r := c.request(&c.operations, "/v1/people/operations")
	type operation struct {
		Op    string           `json:"op"`
		TS    *time.Time       `json:"ts,omitempty"`
		User  string           `json:"user_id"`
		Key   string           `json:"idempotency_key,omitempty"`
		Props map[string]int64 `json:"props"`
	}
	body := struct {
		ProjectID  uuid.UUID   `json:"project_id"`
		Operations []operation `json:"operations"`
	}{ProjectID: l.projectID}
	for k := r.first; k < r.first+r.count; k++ {
		seq := int64(c.number)<<clientShift | int64(k)
		o := operation{Op: "add", User: "p" + strconv.FormatInt(seq%subjects, 10), Props: map[string]int64{"visits": 1, "seq": seq}}
		if r.by != byKey {
			ts := l.base.Add(-time.Duration(c.random.Int64N(int64(spread)))).Truncate(time.Microsecond)
			o.TS = &ts
		}
		if r.by != bySignature {
			o.Key = fmt.Sprintf("c%d-%d", c.number, k)
		}
		body.Operations = append(body.Operations, o)
	}
	if r.by != bySignature && c.random.IntN(20) == 0 {
		r.twice = 1
		body.Operations = append(body.Operations, body.Operations[c.random.IntN(r.count)])
	}
	return r, r.finish(l, body)
}

func (r *request) sign(l *load) {
	r.signed = time.Now()
	r.timestamp = strconv.FormatInt(r.signed.Unix(), 10)
	r.signature = projects.Sign(l.secret, r.timestamp, http.MethodPost, r.path, r.body)
}

// attempt sends the request once. A violation is an error; anything that an SDK retries is not.
func (l *load) attempt(ctx context.Context, r *request, again bool) (acked bool, err error) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	if r.by != bySignature {
		r.sign(l)
	}
	fresh := r.attempts == 0
	r.attempts++
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+r.path, bytes.NewReader(r.body))
	if err != nil {
		return false, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key-Id", l.keyID)
	req.Header.Set("X-Api-Timestamp", r.timestamp)
	req.Header.Set("X-Api-Signature", r.signature)
	begun := time.Now()
	status, retryAfter, answer := l.do(req)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch status {
	case http.StatusOK:
	case 0:
		l.cut++
		return false, nil
	case http.StatusServiceUnavailable:
		l.refused++
		if n, err := strconv.Atoi(retryAfter); err != nil || n < 1 {
			return false, violation("a 503 without a Retry-After: %s", answer)
		}
		return false, nil
	default:
		return false, violation("an answer that is neither 200 nor 503: %d %s", status, answer)
	}
	if err := r.judge(answer, fresh, again); err != nil {
		return false, err
	}
	for k := r.first; k < r.first+r.count; k++ {
		r.of.acked.add(k)
	}
	l.requests++
	if again {
		l.repeated += r.count // events and operations
	}
	if begun.After(l.acked) {
		l.acked = begun
	}
	return true, nil
}

// do sends a request; status 0 means that there is no complete answer. The reason does not matter: the client retries.
func (l *load) do(req *http.Request) (status int, retryAfter string, answer []byte) {
	res, err := l.http.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		return 0, "", nil
	}
	return res.StatusCode, res.Header.Get("Retry-After"), answer
}

// judge checks the counts of an answer.
func (r *request) judge(answer []byte, fresh, again bool) error {
	var got struct{ Accepted, Duplicates, Rejected int }
	if err := json.Unmarshal(answer, &got); err != nil {
		return violation("an answer that cannot be read: %v: %s", err, answer)
	}
	switch {
	case got.Rejected != 0 || got.Accepted+got.Duplicates != r.count+r.twice:
		return violation("%d were sent and the answer is %s", r.count+r.twice, answer)
	case fresh && got.Duplicates != r.twice:
		return violation("%d were sent for the first time, %d of them twice, and the answer is %s", r.count, r.twice, answer)
	case again && got.Accepted != 0:
		return violation("%d were acknowledged before and the answer is %s", r.count, answer)
	}
	return nil
}

// newProbe is a load that only calls.
func newProbe(url string) *load {
	return &load{url: url, http: &http.Client{Timeout: attemptTime}}
}
