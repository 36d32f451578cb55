package nimbus

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Config says where a [Tracker] sends events and how. URL, ProjectID and one kind of credentials are required. The
// meaning of a field's zero value stands behind the semicolon.
//
// The credentials are those of the project. KeyID and Secret together sign every request. Secret alone is sent as it
// is, for networks that are trusted. WriteKey is for programs that users can take apart, such as apps, in which a
// secret is no secret.
type Config struct {
	URL       string // the server, such as https://nimbus.example.com; required
	ProjectID string // the project's UUID; required

	KeyID    string // the id of the key pair, nk_…, to sign each request with the secret; the secret is sent instead
	Secret   string // the project's secret, ns_…; a WriteKey is required
	WriteKey string // the project's public key, for programs that cannot keep a secret, nw_…; a Secret is required

	FlushEvents   int           // a batch is due at so many events, and has no more, up to 10,000 and QueueEvents; 500
	FlushBytes    int           // the same in bytes, 64 KiB to 10 MiB and up to a third of QueueBytes; 1 MiB
	FlushInterval time.Duration // send an event after this time, whatever else waits; 1 s

	QueueEvents int        // how many events may wait, besides those being sent; 10,000
	QueueBytes  int        // how many bytes they may have, at least 64 KiB; 32 MiB
	WhenFull    FullPolicy // what Track does when the queue is full: Refuse, DropOldest or Block; Refuse

	RequestTimeout time.Duration // how long one attempt may take; 30 s
	MinBackoff     time.Duration // the longest first pause before another attempt, doubled each time; 200 ms
	MaxBackoff     time.Duration // the longest pause of all; 30 s
	MaxAttempts    int           // how often to try before giving events up; for as long as it takes

	CompressAbove int // compress bodies of more bytes than this, negative for never; 1 KiB

	SpoolDir  string        // keeps undelivered events in this directory, by project; there is no spool
	SpoolSync time.Duration // how often the spool is forced to disk, negative for before each Track returns; 1 s

	HTTPClient *http.Client // sends the requests: proxies, TLS, tracing; one with the default transport
	Logger     *slog.Logger // gets failures and losses, and no event; slog.Default()
	Debug      bool         // log what is taken, with all it says, and what is stored, as Info; only failures are logged

	BeforeSend          func(*Event) bool     // may change an event before it is kept anywhere, or drop it by false; all are kept as they are
	BeforeSendOperation func(*Operation) bool // the same for operations; all are kept as they are

	OnDrop          func(Event, error)     // gets each event that will not be stored, with the reason; they are only logged
	OnDropOperation func(Operation, error) // the same for operations; they are only logged
}

// FullPolicy says what [Tracker.Track] does when the queue is full.
type FullPolicy int

// The policies.
const (
	Refuse     FullPolicy = iota // return ErrQueueFull: the program goes on, and knows
	DropOldest                   // make room by dropping the oldest event, which is reported to OnDrop
	Block                        // wait for room until the context of the call ends
)

// The limits of the server, and the least of FlushBytes and QueueBytes: the largest event has room in it.
const (
	maxBatchEvents = 10_000
	maxBatchBytes  = 10 << 20
	leastBytes     = 64 << 10
)

// complete returns the configuration with its defaults, or every mistake in it.
func (c Config) complete() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("nimbus: "+format, args...)) }

	c.URL = strings.TrimRight(c.URL, "/")
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.RawQuery != "" || u.Fragment != "" {
		bad("Config.URL %q is not the http or https URL of a server", c.URL)
	}
	if id, err := uuid.Parse(c.ProjectID); err != nil {
		bad("Config.ProjectID %q is not a UUID", c.ProjectID)
	} else {
		c.ProjectID = id.String()
	}
	switch {
	case c.WriteKey != "" && (c.KeyID != "" || c.Secret != ""):
		bad("Config has a WriteKey and a KeyID or Secret; it needs one of them")
	case c.WriteKey == "" && c.Secret == "":
		bad("Config has no credentials: set KeyID and Secret, or Secret, or WriteKey")
	}

	c.FlushEvents = cmp.Or(c.FlushEvents, 500)
	c.FlushBytes = cmp.Or(c.FlushBytes, 1<<20)
	c.FlushInterval = cmp.Or(c.FlushInterval, time.Second)
	c.QueueEvents = cmp.Or(c.QueueEvents, 10_000)
	c.QueueBytes = cmp.Or(c.QueueBytes, 32<<20)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 30*time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 200*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 30*time.Second)
	c.CompressAbove = cmp.Or(c.CompressAbove, 1<<10)
	c.SpoolSync = cmp.Or(c.SpoolSync, time.Second)
	if c.FlushEvents < 1 || c.FlushEvents > maxBatchEvents {
		bad("Config.FlushEvents %d is not 1 to %d", c.FlushEvents, maxBatchEvents)
	}
	if c.FlushBytes < leastBytes || c.FlushBytes > maxBatchBytes {
		bad("Config.FlushBytes %d is not %d to %d", c.FlushBytes, leastBytes, maxBatchBytes)
	}
	if c.QueueEvents < 1 {
		bad("Config.QueueEvents %d is not positive", c.QueueEvents)
	}
	if c.QueueBytes < leastBytes {
		bad("Config.QueueBytes %d is less than %d, in which the largest event has room", c.QueueBytes, leastBytes)
	}
	// A queue that is full must be due: in the other two thirds the largest event has room.
	c.FlushEvents, c.FlushBytes = min(c.FlushEvents, c.QueueEvents), min(c.FlushBytes, c.QueueBytes/3)
	if c.FlushInterval < 0 || c.RequestTimeout < 0 || c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff {
		bad("Config has a negative duration, or a MaxBackoff below MinBackoff")
	}
	if c.MaxAttempts < 0 {
		bad("Config.MaxAttempts %d is negative", c.MaxAttempts)
	}
	if c.WhenFull < Refuse || c.WhenFull > Block {
		bad("Config.WhenFull %d is none of Refuse, DropOldest and Block", c.WhenFull)
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	c.HTTPClient = posting(c.HTTPClient)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.OnDrop == nil {
		c.OnDrop = func(Event, error) {}
	}
	if c.OnDropOperation == nil {
		c.OnDropOperation = func(Operation, error) {}
	}
	return c, errors.Join(errs...)
}
