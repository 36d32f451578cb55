package imports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/events/compat"
	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// Options say what is read and where it goes.
type Options struct {
	Format    string // one of Formats
	URL       string // of the Nimbus
	ProjectID string
	KeyID     string // with Secret: requests are signed
	Secret    string // an API secret with the scope events:write; else WriteKey
	WriteKey  string

	Columns   map[string]string // of csv: the column of each of Fields; the usual names when empty
	Delimiter rune              // of csv: between columns; 0 is a comma
	Zone      *time.Location    // of times that say none; nil is UTC
	StateDir  string            // of state files; beside the source when empty
	Again     bool              // begin at the beginning, whatever the state says
	Refused   string            // file for lines that were not understood; empty for none
	Requests  int               // under way at once; 0 is 4

	HTTPClient *http.Client // http.DefaultTransport when nil
	Logger     *slog.Logger // gets the waits of the SDK; nil for none
	Progress   func(Progress)
}

// Progress is how far a source is.
type Progress struct {
	Source     string
	Read, Size int64 // bytes; Size is 0 when it is not known
	Records    int   // answered for, those of earlier runs included
	Run        int   // of this run
	Took       time.Duration
}

// Reason counts the records that were not understood for one reason.
type Reason struct {
	Count  int    `json:"count"`
	Part   string `json:"part"` // where the first one stands
	Line   int    `json:"line"`
	Detail string `json:"detail"`
}

// Report is what became of the records of a source, in all runs.
type Report struct {
	Records    int               `json:"records"`
	Events     int               `json:"events"`     // sent, and answered for
	Operations int               `json:"operations"` // on profiles, likewise
	Refused    map[string]Reason `json:"refused"`
	Duplicates int               `json:"-"` // of this run: events and operations that were there
}

func newReport() Report { return Report{Refused: make(map[string]Reason)} }

// RefusedRecords is how many records were not understood.
func (r *Report) RefusedRecords() (n int) {
	for _, reason := range r.Refused {
		n += reason.Count
	}
	return n
}

// Reasons are those for which records were refused, the most frequent first.
func (r *Report) Reasons() []string {
	return slices.SortedFunc(maps.Keys(r.Refused), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Refused[b].Count, r.Refused[a].Count), cmp.Compare(a, b))
	})
}

func (r *Report) add(reason, detail, part string, line int) {
	was, seen := r.Refused[reason]
	if !seen {
		was = Reason{Part: part, Line: line, Detail: detail}
	}
	was.Count++
	r.Refused[reason] = was
}

// Importer imports sources, one after the other.
type Importer struct {
	o       Options
	archive compat.Archive
	lanes   []*lane
	refused *refusedFile
}

// The defaults and bounds of an import.
const (
	defaultRequests = 4
	chunkRecords    = 1000    // in a request, about: an order of magnitude below what the server takes
	chunkBytes      = 4 << 20 // of the lines in a request
	saveEvery       = time.Second
)

// New returns an importer, or every mistake in the options.
func New(o Options) (*Importer, error) {
	o.Requests = cmp.Or(o.Requests, defaultRequests)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	archive, err := o.archive()
	if err != nil {
		return nil, err
	}
	im := &Importer{o: o, archive: archive}
	for range o.Requests {
		l, err := newLane(&o, archive)
		if err != nil {
			return nil, errors.Join(err, im.Close(context.Background()))
		}
		im.lanes = append(im.lanes, l)
	}
	if o.Refused != "" {
		if im.refused, err = openRefused(o.Refused); err != nil {
			return nil, errors.Join(err, im.Close(context.Background()))
		}
	}
	return im, nil
}

// Close ends the importer.
func (im *Importer) Close(ctx context.Context) error {
	var errs []error
	for _, l := range im.lanes {
		errs = append(errs, l.tracker.Close(ctx))
	}
	if im.refused != nil {
		errs = append(errs, im.refused.close())
	}
	return errors.Join(errs...)
}

// Import imports a file or what a URL answers, from where an earlier run ended. The report is right also beside an error:
// what it counts has been answered for, and another run goes on behind it.
//
// Errors: of reading the source or writing the state; a *nimbus.APIError that waiting does not change, such as that of a
// wrong key; the cause of ctx.
func (im *Importer) Import(ctx context.Context, from string) (Report, error) {
	s, err := open(ctx, from)
	if err != nil {
		return newReport(), err
	}
	defer func() { _ = s.close() }() // it was only read
	path := im.o.statePath(from)
	if im.o.Again {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return newReport(), err
		}
	}
	state, err := readState(path, im.o.job(), s.begin)
	if err != nil {
		return newReport(), err
	}
	r := &run{im: im, source: s, state: state, path: path, began: time.Now(), from: state.Records}
	if err := im.refused.begin(&r.state); err != nil {
		return r.state.Report, err
	}
	err = r.all(ctx)
	return r.state.Report, err
}

// run is the import of one source.
type run struct {
	im     *Importer
	source *source
	state  State
	path   string
	began  time.Time
	saved  time.Time
	from   int // records that earlier runs have answered for
}

// all reads, sends and keeps the state until the source ends, or one of them fails.
func (r *run) all(parent context.Context) error {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	todo := make(chan *chunk)
	done := make(chan *chunk, len(r.im.lanes))
	go r.read(ctx, todo, stop)
	running := len(r.im.lanes)
	ended := make(chan struct{}, running)
	for _, l := range r.im.lanes {
		go func() {
			for c := range todo {
				if err := l.send(ctx, c); err != nil {
					stop(err)
					continue // so that the reader is never blocked
				}
				done <- c
			}
			ended <- struct{}{}
		}()
	}
	waiting := make(map[int]*chunk) // sent before an earlier one was
	next := 0
	for running > 0 {
		select {
		case c := <-done:
			waiting[c.number] = c
		case <-ended:
			running--
		}
		for len(done) > 0 {
			c := <-done
			waiting[c.number] = c
		}
		for c := waiting[next]; c != nil; c = waiting[next] {
			delete(waiting, next)
			next++
			if err := r.commit(c); err != nil {
				stop(err)
			}
		}
	}
	cause := context.Cause(ctx)
	r.state.Ended = cause == nil
	return errors.Join(cause, r.save())
}

// read cuts the source into chunks.
func (r *run) read(ctx context.Context, todo chan<- *chunk, stop context.CancelCauseFunc) {
	defer close(todo)
	c := &chunk{}
	size, seen := 0, 0
	give := func() bool {
		select {
		case todo <- c:
		case <-ctx.Done():
			return false
		}
		c, size = &chunk{number: c.number + 1}, 0
		return true
	}
	err := r.source.records(&r.im.o, func(rec record) bool {
		if seen++; seen <= r.from {
			return ctx.Err() == nil
		}
		c.records = append(c.records, rec)
		size += len(rec.text)
		return len(c.records) < chunkRecords && size < chunkBytes || give()
	})
	if err != nil {
		stop(err)
	} else if len(c.records) > 0 {
		give()
	}
}

// commit counts a chunk, of which all before it are counted.
func (r *run) commit(c *chunk) error {
	report := &r.state.Report
	r.state.Records += len(c.records)
	report.Records = r.state.Records
	report.Events += c.events
	report.Operations += c.operations
	report.Duplicates += c.duplicates
	for k := range c.refused {
		f := &c.refused[k]
		report.add(f.reason, f.detail, f.record.part, f.record.line)
	}
	if err := r.im.refused.write(c.refused, r.im.o.Delimiter); err != nil {
		return err
	}
	r.im.o.Progress(Progress{Source: r.source.name, Read: r.source.read.Load(), Size: r.source.size, Records: r.state.Records,
		Run: r.state.Records - r.from, Took: time.Since(r.began)})
	if time.Since(r.saved) < saveEvery {
		return nil
	}
	return r.save()
}

// save writes the state, after what it says of the file of refused lines.
func (r *run) save() error {
	var err error
	if r.state.Refused, err = r.im.refused.flush(); err != nil {
		return err
	}
	r.saved = time.Now()
	if err := r.state.write(r.path); err != nil {
		return fmt.Errorf("keep the state of the import: %w", err)
	}
	return nil
}

// chunk is some records that are sent together.
type chunk struct {
	number                         int
	records                        []record
	events, operations, duplicates int
	refused                        []refusal
}

// refusal is a record that was not understood.
type refusal struct {
	record         *record
	reason, detail string
}

// newTracker makes what a lane sends with.
func newTracker(o *Options, l *lane) (*nimbus.Tracker, error) {
	return nimbus.New(nimbus.Config{URL: o.URL, ProjectID: o.ProjectID, KeyID: o.KeyID, Secret: o.Secret, WriteKey: o.WriteKey,
		FlushEvents: 10_000, FlushBytes: 8 << 20, FlushInterval: time.Minute, // a chunk goes when all of it is there
		CompressAbove: compressAbove(o.URL), QueueEvents: 1_000_000, QueueBytes: 256 << 20, WhenFull: nimbus.Block, HTTPClient: o.HTTPClient, Logger: l.logger(o.Logger),
		OnDrop:          func(e nimbus.Event, why error) { l.dropped(sending{e.IdempotencyKey, false}, why) },
		OnDropOperation: func(op nimbus.Operation, why error) { l.dropped(sending{op.IdempotencyKey, true}, why) }})
}

// compressAbove is negative, for never, where the server is on this machine: both sides would work for nothing.
func compressAbove(address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return -1
	}
	return 0
}
