package nimbus

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sender delivers the batches of one tracker, in its goroutine.
type sender struct {
	*Tracker
	limit int           // bytes of a body; less than configured once the server has found one too large
	skew  time.Duration // the server's clock minus ours, as far as it has said
	plain bool          // something on the way does not take compressed bodies
}

// send delivers batches. It ends when the tracker is closed and empty, or with ctx.
func (t *Tracker) send(ctx context.Context) {
	defer close(t.stopped)
	s := &sender{Tracker: t, limit: t.cfg.FlushBytes}
	for {
		batch := s.next(ctx)
		if batch == nil {
			return
		}
		for _, one := range byKind(batch) {
			if ctx.Err() == nil { // else the one before may be in flight still, and they are settled in order
				s.deliver(ctx, one)
			}
		}
	}
}

// kind is what a request carries: of either, only its own.
type kind struct {
	path    string
	between string // the project's id and the items, in the body
	code    string // of the problem that names what is wrong with each of them
	noun    string
}

var (
	ofEvents = &kind{path: "/v1/events", between: `","events":[`, code: "all_events_rejected", noun: "events"}
	ofOps    = &kind{path: "/v1/people/operations", between: `","operations":[`,
		code: "all_operations_rejected", noun: "operations"}
)

const (
	maxHead       = len(`{"project_id":"","operations":[`) // and the id of the project, which is always as long
	bodyTail      = `]}`
	idLength      = 36
	maxOperations = 1000 // of a request
)

func kindOf(items []item) *kind {
	if items[0].isOperation() {
		return ofOps
	}
	return ofEvents
}

// byKind cuts items, which are sorted by kind, into what one request may carry.
func byKind(items []item) (batches [][]item) {
	for start := 0; start < len(items); {
		end := start + 1
		for end < len(items) && items[end].isOperation() == items[start].isOperation() &&
			(!items[start].isOperation() || end-start < maxOperations) {
			end++
		}
		batches = append(batches, items[start:end])
		start = end
	}
	return batches
}

// next waits for a batch that is due and takes it from the queue. It returns nil when the tracker is closed and empty.
func (s *sender) next(ctx context.Context) []item {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.mu.Lock()
		if len(s.queue) > 0 {
			front := &s.queue[0]
			wait := time.Until(front.queued.Add(s.cfg.FlushInterval))
			if wait <= 0 || front.number <= s.flushTo || len(s.queue) >= s.cfg.FlushEvents || s.bytes >= s.limit {
				batch := s.take()
				s.mu.Unlock()
				return batch
			}
			timer.Reset(wait)
		} else if s.closed {
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// take moves the oldest items from the queue to inFlight: as many as a request may carry, at least one. There they are kind
// by kind, the one first that was there first: so a program that always tracks both sends two requests and not one for each
// item. The order of operations among events means nothing to the server, which goes by their time. The caller holds mu.
func (s *sender) take() []item {
	size, n := maxHead+idLength+len(bodyTail), 0
	for n < len(s.queue) && n < s.cfg.FlushEvents {
		size += len(s.queue[n].json) + 1
		if n > 0 && size > s.limit {
			break
		}
		n++
	}
	s.inFlight = make([]item, 0, n)
	for _, other := range [...]bool{false, true} {
		for k := range s.queue[:n] {
			if (s.queue[k].isOperation() != s.queue[0].isOperation()) == other {
				s.inFlight = append(s.inFlight, s.queue[k])
			}
		}
	}
	clear(s.queue[:n]) // so that they can be collected
	if n == len(s.queue) {
		s.queue = s.queue[:0] // what comes next has room
	} else {
		s.queue = s.queue[n:]
	}
	for k := range s.inFlight {
		s.bytes -= len(s.inFlight[k].json)
	}
	s.full = false
	s.broadcast() // there is room
	return s.inFlight
}

// deliver sends the items until the server has answered for each, or ctx ends. Settled items leave inFlight.
func (s *sender) deliver(ctx context.Context, items []item) {
	result, err := s.attempts(ctx, items)
	var refused *APIError
	switch {
	case err == nil:
		s.settle(items, result.Errors, nil, uint64(result.Duplicates))
	case ctx.Err() != nil: // they stay in flight, and Close reports them
	case !errors.As(err, &refused):
		s.settle(items, nil, err, 0)
	case refused.Status == http.StatusRequestEntityTooLarge && len(items) > 1:
		half := len(items) / 2
		s.cfg.Logger.Warn("nimbus: the batch is too large, so it is sent in halves", kindOf(items).noun, len(items), "error", err)
		s.limit = min(s.limit, max(bytesOf(items)/2, leastBytes))
		s.deliver(ctx, items[:half])
		if ctx.Err() == nil { // else the first half may be in flight still, and halves are settled in order
			s.deliver(ctx, items[half:])
		}
	case refused.Code == kindOf(items).code:
		s.settle(items, refused.Errors, err, 0)
	default:
		s.settle(items, nil, err, 0)
	}
}

func bytesOf(items []item) int {
	n := 0
	for k := range items {
		n += len(items[k].json)
	}
	return n
}

// settle reports the refused and the lost items and takes all of them from inFlight. Items with errors are rejected;
// the others are delivered or, when lost is not nil, dropped.
func (s *sender) settle(items []item, errs []FieldError, lost error, duplicates uint64) {
	bad := make(map[int]*RejectedError)
	for _, e := range errs {
		if e.Index == nil || *e.Index < 0 || *e.Index >= len(items) {
			continue // not of an event, or not an answer of Nimbus
		}
		k := *e.Index
		if bad[k] == nil {
			bad[k] = &RejectedError{}
		}
		pointer := strings.TrimPrefix(e.Pointer, "/"+kindOf(items).noun+"/"+strconv.Itoa(k))
		bad[k].Fields = append(bad[k].Fields, FieldError{Pointer: pointer, Code: e.Code, Detail: e.Detail})
	}
	for k := range items {
		switch rejected := bad[k]; {
		case rejected != nil:
			s.report(&items[k], rejected)
		case lost != nil:
			s.report(&items[k], lost)
		}
	}
	s.logSettled(items, bad, lost)
	if s.spool != nil {
		s.spool.settle(items)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Rejected += uint64(len(bad))
	if rest := uint64(len(items) - len(bad)); lost != nil {
		s.stats.Dropped += rest
	} else {
		s.stats.Delivered += rest
		s.stats.Duplicates += duplicates
	}
	s.inFlight = s.inFlight[len(items):] // halves are settled in order
	s.broadcast()
}

// logSettled says what became of items.
func (s *sender) logSettled(items []item, bad map[int]*RejectedError, lost error) {
	noun := kindOf(items).noun
	stored := len(items) - len(bad)
	switch {
	case lost != nil:
		s.cfg.Logger.Error("nimbus: "+noun+" will not be stored", noun, len(items), "of", len(items), "error", lost)
		stored = 0
	case len(bad) > 0:
		first := bad[slices.Min(slices.Collect(maps.Keys(bad)))]
		s.cfg.Logger.Error("nimbus: "+noun+" will not be stored", noun, len(bad), "of", len(items), "error", first)
	}
	if s.cfg.Debug && stored > 0 {
		s.cfg.Logger.Info("nimbus: stored", noun, stored)
	}
}

// attempts sends the items as one batch and retries until the answer is a success or final. Its error is an
// *APIError, the cause of ctx, or the error of the last of Config.MaxAttempts.
func (s *sender) attempts(ctx context.Context, items []item) (*ingestResult, error) {
	body, encoding := s.body(items)
	bound := s.cfg.MinBackoff
	corrected := false
	for attempt := 1; ; attempt++ {
		result, err := s.attempt(ctx, items, body, encoding, attempt > 1)
		var refused *APIError
		switch {
		case err == nil:
			return result, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.As(err, &refused) && refused.Status == http.StatusUnsupportedMediaType && encoding != "":
			s.plain = true
			body, encoding = s.body(items)
			s.cfg.Logger.Warn("nimbus: compressed bodies are not taken, so they are sent plain", "error", err)
			continue
		case refused != nil && refused.final():
			if refused.Code != "stale_timestamp" || corrected || refused.date.IsZero() {
				return nil, err
			}
			corrected = true // if that does not help, nothing will
			s.skew = time.Until(refused.date)
			s.cfg.Logger.Warn("nimbus: this machine's clock is wrong; signing by the server's", "behind_by", s.skew)
			continue
		case s.cfg.MaxAttempts > 0 && attempt >= s.cfg.MaxAttempts:
			return nil, fmt.Errorf("nimbus: given up after %d attempts: %w", attempt, err)
		}
		// Full jitter: clients that failed at the same moment must not retry at the same moment.
		wait := rand.N(bound + 1) //nolint:gosec // spreads load, keeps no secret
		if refused != nil && refused.RetryAfter > 0 {
			wait = refused.RetryAfter + rand.N(s.cfg.MinBackoff+1) //nolint:gosec // as above
		}
		bound = min(2*bound, s.cfg.MaxBackoff)
		noun := kindOf(items).noun
		s.cfg.Logger.Warn("nimbus: "+noun+" are not delivered yet",
			noun, len(items), "attempt", attempt, "again_in", wait, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// body encodes the items as a request body. It is made once, so that every attempt sends the same bytes; only after a
// 415 it is made again, without compression.
func (s *sender) body(items []item) (body []byte, encoding string) {
	var b bytes.Buffer
	b.Grow(maxHead + idLength + len(bodyTail) + bytesOf(items) + len(items))
	k := kindOf(items)
	b.WriteString(`{"project_id":"` + s.cfg.ProjectID + k.between)
	for k := range items {
		if k > 0 {
			b.WriteByte(',')
		}
		b.Write(items[k].json)
	}
	b.WriteString(bodyTail)
	if s.plain || s.cfg.CompressAbove < 0 || b.Len() <= s.cfg.CompressAbove {
		return b.Bytes(), ""
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestSpeed) // a level that exists
	_, _ = w.Write(b.Bytes())                       // to memory
	_ = w.Close()
	return z.Bytes(), "gzip"
}

// posting returns the client without the redirects that turn a POST into a GET, which would arrive without the events.
func posting(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		const enough = 10 // as net/http has it
		switch {
		case req.Method != http.MethodPost:
			return http.ErrUseLastResponse
		case client.CheckRedirect != nil:
			return client.CheckRedirect(req, via)
		case len(via) >= enough:
			return fmt.Errorf("%d redirects in a row", enough)
		}
		return nil
	}
	return &c
}

// maxAnswer bounds an answer in bytes. The server names at most 12,000 mistakes of a batch, each by a pointer of at
// most 512 characters, which take 4 KB when all are escaped. A lower bound would cut off such an answer, and the
// batch would be sent again without end.
const maxAnswer = 64 << 20

// attempt sends a body once and reads the answer.
func (s *sender) attempt(ctx context.Context, items []item, body []byte, encoding string, again bool) (
	*ingestResult, error,
) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL+kindOf(items).path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("nimbus: make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	switch {
	case s.cfg.WriteKey != "":
		req.Header.Set("X-Write-Key", s.cfg.WriteKey)
	case s.cfg.KeyID == "":
		req.Header.Set(headerKey, s.cfg.Secret)
	default:
		signRequest(req, s.cfg.KeyID, s.cfg.Secret, time.Now().Add(s.skew), body)
	}
	s.mu.Lock()
	s.stats.Requests++
	if again {
		s.stats.Retries++
	}
	s.mu.Unlock()
	res, err := s.cfg.HTTPClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("nimbus: send: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("nimbus: read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, NewAPIError(res.StatusCode, res.Header, answer)
	}
	var result ingestResult
	err = json.Unmarshal(answer, &result)
	if err != nil || result.Accepted+result.Duplicates+result.Rejected != len(items) {
		// Something else than Nimbus answered, and whether the events are stored is not known: they are sent again.
		return nil, fmt.Errorf("nimbus: a 200 that does not account for %d %s: %.200q", len(items), kindOf(items).noun, answer)
	}
	return &result, nil
}
