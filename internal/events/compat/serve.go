package compat

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// Keys verifies the credentials of a request.
type Keys interface {
	VerifyVendorKey(ctx context.Context, key, origin string) (*auth.Principal, error)
	VerifySecret(ctx context.Context, secret string) (*auth.Principal, error)
}

// Edge is what the HTTP edge does for a request before and beside its handler.
type Edge struct {
	Body  func() ([]byte, error)               // the body, without its compression
	Admit func(p *auth.Principal) error        // the limit of a caller
	Deny  func(refused error) (slowDown error) // counts refused credentials
}

// Server serves the operations of all dialects.
type Server struct {
	keys       Keys
	ingester   *ingest.Ingester
	quarantine *Quarantine
	dialects   map[string]Dialect
	base       string
	now        func() time.Time
	log        *slog.Logger
}

// NewServer returns a server of these dialects. Browsers find it below base, such as /analytics; at the root when it is empty.
func NewServer(keys Keys, i *ingest.Ingester, q *Quarantine, base string, now func() time.Time, log *slog.Logger, dialects ...Dialect) *Server {
	s := &Server{keys: keys, ingester: i, quarantine: q, base: base, now: now, log: log, dialects: make(map[string]Dialect, len(dialects))}
	for _, d := range dialects {
		s.dialects[d.Name()] = d
	}
	return s
}

// Serves reports whether a dialect is switched on.
func (s *Server) Serves(dialect string) bool { return s.dialects[dialect] != nil }

// Serve answers a request to an operation of a dialect.
func (s *Server) Serve(c echo.Context, dialect, operation string, edge Edge) error {
	d := s.dialects[dialect]
	call := &Call{Operation: operation, Request: c.Request(), Base: s.base, Param: c.Param, Now: s.now()}
	if stub := d.Stub(call); stub != nil {
		return write(c, *stub)
	}
	var err error
	if call.Body, err = edge.Body(); err != nil {
		return s.refuse(c, d, call, err)
	}
	batch, err := d.Read(call)
	if err != nil {
		return write(c, d.Refused(call, Failure{Undecodable, err.Error()}))
	}
	if err := s.store(c.Request().Context(), d, call, batch, edge); err != nil {
		return s.refuse(c, d, call, err)
	}
	return write(c, d.Stored(call, batch))
}

// refuse answers a request of which nothing is stored, or of which it is not known.
func (s *Server) refuse(c echo.Context, d Dialect, call *Call, err error) error {
	why := Failure{Kind: Busy}
	var p *problem.Error
	wait := time.Second
	if errors.As(err, &p) {
		why.Detail = p.Detail
		wait = max(wait, p.RetryAfter)
		switch problem.KindOf(p.Code).Status {
		case http.StatusBadRequest, http.StatusUnsupportedMediaType:
			why.Kind = Undecodable
		case http.StatusUnauthorized, http.StatusForbidden:
			why.Kind = BadKey
		case http.StatusRequestEntityTooLarge:
			why.Kind = TooLarge
		}
	}
	if why.Kind == Busy {
		if p == nil || problem.KindOf(p.Code).Status >= http.StatusInternalServerError {
			s.log.WarnContext(c.Request().Context(), "request failed", "dialect", d.Name(), "operation", call.Operation, "error", err)
		}
		// An integer: SDKs do not read dates. Not longer than the longest wait that all of them obey.
		seconds := min(int64((wait+time.Second-1)/time.Second), maxRetryAfter)
		c.Response().Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		if why.Detail == "" {
			why.Detail = "try again"
		}
	}
	return write(c, d.Refused(call, why))
}

const maxRetryAfter = 300

func write(c echo.Context, a Answer) error {
	for name, v := range a.Header {
		c.Response().Header().Set(name, v)
	}
	return c.Blob(a.Status, a.Type, a.Body)
}

// share is the items of a batch that belong to one project.
type share struct {
	key       string
	principal *auth.Principal
	items     []*Item
}

// store stores the items of a batch, each in the project of its key. Items whose key does not work are left out, unless
// none works: there is no project whose quarantine could keep them.
func (s *Server) store(ctx context.Context, d Dialect, call *Call, b *Batch, edge Edge) error {
	shares, err := s.shares(ctx, d, call, b, edge)
	if err != nil {
		return err
	}
	for _, x := range shares {
		if err := edge.Admit(x.principal); err != nil {
			return err
		}
		if err := s.storeShare(ctx, d, call.Operation, b.SDK, x); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) shares(ctx context.Context, d Dialect, call *Call, b *Batch, edge Edge) ([]*share, error) {
	var shares []*share
	of := func(key string) *share {
		for _, x := range shares {
			if x.key == key {
				return x
			}
		}
		x := &share{key: key}
		shares = append(shares, x)
		return x
	}
	if b.Secret != "" || len(b.Items) == 0 {
		of(b.Key)
	}
	for k := range b.Items {
		item, key := &b.Items[k], b.Key
		if item.Key != "" && b.Secret == "" {
			key = item.Key
		}
		x := of(key)
		x.items = append(x.items, item)
	}
	var good []*share
	var refused error
	for _, x := range shares {
		var err error
		if x.principal, err = s.verify(ctx, d, call.Request, b.Secret, x.key); err == nil {
			good = append(good, x)
			continue
		}
		if !isRefusal(err) {
			return nil, err
		}
		refused = err
	}
	if len(good) == 0 {
		return nil, edge.Deny(refused)
	}
	return good, nil
}

func isRefusal(err error) bool {
	var p *problem.Error
	if !errors.As(err, &p) {
		return false
	}
	status := problem.KindOf(p.Code).Status
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// verify returns who may write: by the secret when there is one, else by the key. A project that has switched the dialect off
// has no key there.
func (s *Server) verify(ctx context.Context, d Dialect, r *http.Request, secret, key string) (*auth.Principal, error) {
	p, err := s.principal(ctx, r, secret, key)
	if err == nil && slices.Contains(p.DialectsOff, d.Name()) {
		return nil, problem.New(problem.CodeInvalidKey, "The project takes nothing from SDKs of %s.", d.Name())
	}
	return p, err
}

func (s *Server) principal(ctx context.Context, r *http.Request, secret, key string) (*auth.Principal, error) {
	if secret == "" {
		return s.keys.VerifyVendorKey(ctx, key, r.Header.Get(echo.HeaderOrigin))
	}
	p, err := s.keys.VerifySecret(ctx, secret)
	if err == nil && !p.Allows("events:write") {
		return nil, problem.New(problem.CodeInsufficientScope, "The secret needs the scope events:write.")
	}
	return p, err
}

// storeShare stores the good items of a project and keeps the others in its quarantine.
func (s *Server) storeShare(ctx context.Context, d Dialect, operation, sdk string, x *share) error {
	req := &ingest.Request{ProjectID: x.principal.ProjectID, Source: ingest.Source{Kind: d.Name(), KeyID: x.principal.KeyID}}
	if err := s.ingest(ctx, req, x.items); err != nil {
		return err
	}
	return s.quarantine.keep(ctx, x.principal.ProjectID, d.Name(), operation, sdk, x.items)
}

// ingest stores the events and operations of the good items, and marks those that were refused.
func (s *Server) ingest(ctx context.Context, req *ingest.Request, items []*Item) error {
	req.Events = make([]ingest.Incoming, 0, len(items))
	var events, operations []*Item // that each of the request belongs to
	for _, item := range items {
		check(item)
		if item.Reason != "" {
			continue
		}
		if item.Event.Name != "" {
			item.Event.Position = len(events)
			req.Events, events = append(req.Events, item.Event), append(events, item)
		}
		for _, op := range item.Ops {
			op.Position = len(operations)
			req.Operations, operations = append(req.Operations, op), append(operations, item)
		}
	}
	if len(events)+len(operations) == 0 {
		return nil
	}
	results, changes, err := s.ingester.Ingest(ctx, req)
	if err != nil {
		return err
	}
	for k := range results {
		events[k].refused(results[k].Refusal)
	}
	for k := range changes {
		for _, why := range changes[k].Refusals {
			operations[k].refused(why)
		}
	}
	return nil
}

func (i *Item) refused(why *ingest.Refusal) {
	if why != nil {
		i.Bad(why.Code, strings.TrimSpace(why.Field+" "+why.Detail))
	}
}

// The limits of an event, as the contract of POST /v1/events has them, in characters.
const (
	maxName = 200
	maxID   = 200
)

// check marks an item whose event cannot be stored.
func check(item *Item) {
	e := &item.Event
	switch {
	case item.Reason != "":
	case utf8.RuneCountInString(e.Name) > maxName:
		item.Bad("name_too_long", "the name of an event has at most 200 characters")
	case utf8.RuneCountInString(e.UserID) > maxID || utf8.RuneCountInString(e.AnonymousID) > maxID:
		item.Bad("id_too_long", "the id of a person has at most 200 characters")
	case hasControl(e.Name) || hasControl(e.UserID) || hasControl(e.AnonymousID):
		item.Bad("control_character", "names and ids have no control characters")
	}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// replay stores one item of the quarantine, and says why it cannot be stored.
func (s *Server) replay(ctx context.Context, project uuid.UUID, q *Quarantined, raw []byte) (reason, detail string, err error) {
	d := s.dialects[q.Dialect]
	if d == nil {
		return "dialect_off", "this server does not speak the wire format of the item", nil
	}
	text, ok := Decodable(raw)
	if !ok {
		return "malformed_json", "the body is not JSON; it may have been cut", nil
	}
	item := d.Again(q.Operation, text)
	req := &ingest.Request{ProjectID: project, Source: ingest.Source{Kind: d.Name()}, At: q.ReceivedAt, Seed: "quarantine " + q.ID.String()}
	if err := s.ingest(ctx, req, []*Item{&item}); err != nil {
		return "", "", err
	}
	return item.Reason, item.Detail, nil
}
