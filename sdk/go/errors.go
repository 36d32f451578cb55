package nimbus

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Errors of [Tracker.Track], and reasons that OnDrop gets.
var (
	// ErrQueueFull means that there was no room: under Refuse for the new event, under DropOldest for the oldest.
	ErrQueueFull = errors.New("nimbus: the queue is full")
	// ErrClosed means that the tracker was closed before the call.
	ErrClosed = errors.New("nimbus: the tracker is closed")
	// ErrNotDelivered means that the tracker was closed, and its time was up, before the server had answered for the
	// event. It may have been stored all the same, if only the answer was missing.
	ErrNotDelivered = errors.New("nimbus: the tracker was closed before the event was delivered")
	// ErrBeforeSend means that Config.BeforeSend or BeforeSendOperation returned false.
	ErrBeforeSend = errors.New("nimbus: dropped before it was sent, by the program")
)

// APIError is an answer other than a success: the problem document (RFC 9457) that the server wrote. Switch on Code.
//
// An answer that Nimbus did not write, such as the page of a proxy, has its status, an empty Code, and the beginning
// of what was answered, or where it redirects to, as Detail. What tells them apart is that Nimbus answers with a
// problem document (Content-Type application/problem+json) that has a code.
type APIError struct {
	Status    int          `json:"status"`            // of HTTP
	Code      string       `json:"code"`              // stable and documented; empty in an answer of something else
	Type      string       `json:"type"`              // a link to the description of the code
	Title     string       `json:"title"`             // the kind of error, the same for every error of this code
	Detail    string       `json:"detail"`            // what went wrong this time, and what to do
	RequestID string       `json:"request_id"`        // for asking the operator
	Errors    []FieldError `json:"errors,omitempty"`  // every bad field
	Version   int64        `json:"version,omitempty"` // of version_conflict: the version that is there

	RetryAfter time.Duration `json:"-"` // how long the server asks to wait, 10 minutes at most; 0 when it does not say
	date       time.Time     // the server's clock; zero when it does not say
}

// Error says what went wrong, for the log.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nimbus: %d %s", e.Status, cmp.Or(e.Code, e.Title))
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for k, f := range e.Errors {
		if k == 3 {
			fmt.Fprintf(&b, "; and %d more", len(e.Errors)-k)
			break
		}
		fmt.Fprintf(&b, "; %s %s", f.Pointer, f.Detail)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Temporary reports whether the same request may succeed later: after a 408, a 429, a 5xx, and any answer that Nimbus
// did not write. An ingress answers 404 while a server is deployed, a firewall 403, a login proxy 401.
func (e *APIError) Temporary() bool {
	return e.Code == "" || !e.refused() || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests
}

// refused reports whether the status is a 4xx.
func (e *APIError) refused() bool {
	return e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError
}

// final reports whether a retry is useless. A 413 is final from a proxy too: it would refuse the same events again,
// and they would block all others.
func (e *APIError) final() bool {
	return !e.Temporary() || e.Status == http.StatusRequestEntityTooLarge
}

// NewAPIError reads an answer that is no success. The tracker and package api make their errors with it; so can any
// other client.
func NewAPIError(status int, header http.Header, body []byte) *APIError {
	e := &APIError{}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type")) // empty after an error
	if mediaType != "application/problem+json" || json.Unmarshal(body, e) != nil || e.Code == "" {
		const enough = 200
		detail := strings.ToValidUTF8(string(body[:min(len(body), enough)]), "")
		if to := header.Get("Location"); to != "" {
			detail = "redirected to " + to
		}
		*e = APIError{Title: http.StatusText(status), Detail: detail, RequestID: header.Get("X-Request-Id")}
	}
	e.Status = status
	e.date, _ = http.ParseTime(header.Get("Date")) // zero after an error
	e.RetryAfter = retryAfter(header.Get("Retry-After"), cmp.Or(e.date, time.Now()))
	return e
}

// longestRetryAfter bounds what a server, or whatever answers in its place, can make us wait.
const longestRetryAfter = 10 * time.Minute

// retryAfter reads the header: seconds, or a date, which proxies send. The date is compared with now by the same
// clock, that of the answer. It returns 0 for none and for what cannot be read.
func retryAfter(value string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // of a number too large the largest is returned
		return time.Duration(min(seconds, uint64(longestRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), longestRetryAfter))
}

// RejectedError says what is wrong with one event, which will never be stored. Its pointers begin at the event: /name.
type RejectedError struct {
	Fields []FieldError
}

// Error names every bad field.
func (e *RejectedError) Error() string {
	parts := make([]string, len(e.Fields))
	for k, f := range e.Fields {
		parts[k] = strings.TrimSpace(f.Pointer + " " + f.Detail)
	}
	return "nimbus: refused: " + strings.Join(parts, "; ")
}

// UndeliveredError says that [Tracker.Flush] or [Tracker.Close] ended before everything was delivered.
type UndeliveredError struct {
	Count   int   // of events
	Spooled bool  // they are in the spool, and the project's next tracker on it sends them
	Cause   error // that of the context
}

// Error says how many.
func (e *UndeliveredError) Error() string {
	if e.Spooled {
		return fmt.Sprintf("nimbus: %d events are not delivered yet and stay in the spool: %v", e.Count, e.Cause)
	}
	return fmt.Sprintf("nimbus: %d events are not delivered: %v", e.Count, e.Cause)
}

// Unwrap returns the cause.
func (e *UndeliveredError) Unwrap() error { return e.Cause }
