package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/ingest"
	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// lane sends chunks one after the other. A tracker has one request under way, so there are several lanes.
type lane struct {
	archive compat.Archive
	tracker *nimbus.Tracker

	mu    sync.Mutex
	drops []drop // what the tracker has given up of this chunk
}

type drop struct {
	of  sending
	why error
}

// sending is an event or an operation that the tracker took, by its key.
type sending struct {
	key         string
	isOperation bool
}

func newLane(o *Options, archive compat.Archive) (*lane, error) {
	l := &lane{archive: archive}
	var err error
	l.tracker, err = newTracker(o, l)
	return l, err
}

// logger is one that gets the waits of the SDK. What is refused for what it is stands in the report.
func (l *lane) logger(to *slog.Logger) *slog.Logger { return slog.New(belowError{to.Handler()}) }

type belowError struct{ slog.Handler }

func (b belowError) Enabled(ctx context.Context, level slog.Level) bool {
	return level < slog.LevelError && b.Handler.Enabled(ctx, level)
}

func (l *lane) dropped(of sending, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drops = append(l.drops, drop{of, why})
}

// send sends a chunk, and returns when the server has answered for all of it. Records that are refused stand in it then.
func (l *lane) send(ctx context.Context, c *chunk) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	before := l.tracker.Stats()
	l.drops = nil
	sent := l.enqueue(ctx, c)
	if err := l.tracker.Flush(ctx); err != nil {
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.drops {
		var refused *nimbus.RejectedError
		if !errors.As(d.why, &refused) {
			return d.why // not for what it is: a key that does not work, a server that is no Nimbus
		}
		if d.of.isOperation {
			c.operations--
		} else {
			c.events--
		}
		c.refuse(sent[d.of], reasonOf(refused), refused.Error())
	}
	slices.SortStableFunc(c.refused, func(a, b refusal) int { return a.record.line - b.record.line })
	c.duplicates = int(l.tracker.Stats().Duplicates - before.Duplicates)
	return nil
}

// enqueue maps the records and gives them to the tracker. It returns the first record of everything that was sent.
func (l *lane) enqueue(ctx context.Context, c *chunk) (sent map[sending]*record) {
	sent = make(map[sending]*record, len(c.records))
	send := func(key string, isOperation bool, rec *record) {
		if s := (sending{key, isOperation}); sent[s] == nil {
			sent[s] = rec
		}
	}
	var operations []operation
	for k := range c.records {
		rec := &c.records[k]
		if rec.reason != "" {
			c.refuse(rec, rec.reason, rec.detail)
			continue
		}
		item := l.archive.Archived(rec.text)
		if item.Reason == "" && item.Event.TS.IsZero() {
			item.Bad("time_missing", "history needs the time at which it was")
		}
		if item.Reason != "" {
			c.refuse(rec, item.Reason, item.Detail)
			continue
		}
		for n, op := range item.Ops {
			if op.IdempotencyKey = keyOf(op.IdempotencyKey); op.IdempotencyKey == "" {
				op.IdempotencyKey = ownKey(rec) + "-" + strconv.Itoa(n)
			}
			operations = append(operations, operation{op, rec})
		}
		if item.Event.Name == "" {
			continue
		}
		e := &item.Event
		key := keyOf(e.IdempotencyKey)
		if key == "" {
			key = ownKey(rec)
		}
		if err := l.tracker.Enqueue(ctx, nimbus.Event{Name: e.Name, TS: e.TS, UserID: e.UserID, AnonymousID: e.AnonymousID,
			IdempotencyKey: key, Seq: e.Seq, Props: e.Props}); err != nil {
			c.refuseFor(rec, err)
			continue
		}
		c.events++
		send(key, false, rec)
	}
	for _, op := range needed(operations) {
		if err := l.tracker.Change(ctx, nimbus.Operation{Op: nimbus.Op(op.Op), UserID: op.UserID, AnonymousID: op.AnonymousID,
			Group: nimbus.Group(op.Group), TS: op.TS, IdempotencyKey: op.IdempotencyKey, Props: op.Props, Names: op.Names}); err != nil {
			c.refuseFor(op.record, err)
			continue
		}
		c.operations++
		send(op.IdempotencyKey, true, op.record)
	}
	return sent
}

// operation is one of a record.
type operation struct {
	ingest.Operation
	record *record
}

// needed leaves out operations that change nothing. Vendors repeat what is known of a person with each event: of equal
// ones the first and the last in time say all, whatever lies between.
func needed(all []operation) []operation {
	type same struct{ subject, props string }
	first, last := make(map[same]int), make(map[same]int)
	of := func(op *operation) same {
		return same{strings.Join([]string{string(op.Op), op.UserID, op.AnonymousID, op.Group.Type, op.Group.Key}, "\x00"), string(op.Props)}
	}
	for k := range all {
		s := of(&all[k])
		if f, ok := first[s]; !ok || all[k].TS.Before(all[f].TS) {
			first[s] = k
		}
		if f, ok := last[s]; !ok || !all[k].TS.Before(all[f].TS) {
			last[s] = k
		}
	}
	out := all[:0:0]
	for k := range all {
		switch all[k].Op {
		case events.ProfileSet, events.ProfileSetOnce, events.ProfileUnion:
			if s := of(&all[k]); first[s] != k && last[s] != k {
				continue
			}
		default:
		}
		out = append(out, all[k])
	}
	return out
}

// maxKey is how many characters an idempotency key may have.
const maxKey = 200

// keyOf is the key of the vendor as it can be stored.
func keyOf(vendors string) string {
	if len(vendors) <= maxKey || utf8.RuneCountInString(vendors) <= maxKey {
		return vendors
	}
	sum := sha256.Sum256([]byte(vendors))
	return hex.EncodeToString(sum[:])
}

// ownKey identifies a record by where it stands and what it says: two lines may be equal and two events.
func ownKey(r *record) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%d\n", r.part, r.line) // a hash never fails
	_, _ = h.Write(r.text)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (c *chunk) refuseFor(rec *record, err error) {
	var refused *nimbus.RejectedError
	if errors.As(err, &refused) {
		c.refuse(rec, reasonOf(refused), refused.Error())
	}
	// Else the context has ended, and so will Flush.
}

// refuse marks a record, for the first reason that there is.
func (c *chunk) refuse(rec *record, reason, detail string) {
	if !slices.ContainsFunc(c.refused, func(f refusal) bool { return f.record == rec }) {
		c.refused = append(c.refused, refusal{rec, reason, detail})
	}
}

// reasonOf is the first thing that is wrong, as a word to count by.
func reasonOf(refused *nimbus.RejectedError) string {
	if len(refused.Fields) == 0 {
		return "refused"
	}
	f := &refused.Fields[0]
	return strings.TrimPrefix(strings.ReplaceAll(f.Pointer, "/", "_")+"_"+f.Code, "_")
}
