package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// API is the live part of the contract.
type API struct {
	hub     *Hub
	origins []string
}

// NewAPI returns the handlers. origins are the CORS origins that may connect besides the server's own; * is all.
func NewAPI(h *Hub, origins []string) *API { return &API{hub: h, origins: origins} }

// CreateLiveTicket serves POST /v1/projects/{project_id}/live-tickets.
func (a *API) CreateLiveTicket(ctx context.Context, r api.CreateLiveTicketRequestObject) (api.CreateLiveTicketResponseObject, error) {
	ticket, expires, err := a.hub.tickets.issue(auth.From(ctx), r.ProjectID)
	if err != nil {
		return nil, err
	}
	return api.CreateLiveTicket201JSONResponse{Ticket: ticket, ExpiresAt: expires}, nil
}

// Stream serves GET /v1/projects/{project_id}/live. It stands beside the strict handler, because it takes the
// connection.
func (a *API) Stream(c echo.Context, project uuid.UUID, params *api.StreamEventsParams) error {
	r := c.Request()
	if !a.allowed(r) {
		return problem.New(problem.CodeOriginNotAllowed, "Pages of the origin %.100q may not connect to this server.", r.Header.Get("Origin"))
	}
	from, err := cursorOf(params)
	if err != nil {
		return err
	}
	d := eventStream
	if hasToken(r.Header, "Upgrade", "websocket") {
		d = webSocket
		if err := checkHandshake(r); err != nil {
			return err
		}
	}
	s, err := a.hub.subscribe(r.Context(), project, d, params.Name, from)
	if err != nil {
		return err
	}
	conn, in, err := hijack(c.Response(), r, d)
	if err != nil {
		a.hub.unsubscribe(s)
		return err
	}
	a.hub.serve(s, conn, in)
	return nil
}

// readBuffer is the size of a stream's read buffer: no valid message of a client is longer.
const readBuffer = 256

// hijack answers the request and takes its connection, so that a stream keeps no memory of the request alive.
func hijack(w http.ResponseWriter, r *http.Request, d transport) (net.Conn, *bufio.Reader, error) {
	if d == webSocket {
		acceptHandshake(w.Header(), r.Header)
		w.WriteHeader(http.StatusSwitchingProtocols)
	} else {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")       // otherwise proxies buffer the answer
		w.Header().Set("Transfer-Encoding", "identity") // the answer ends with the connection
		w.WriteHeader(http.StatusOK)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack() // it also lifts the limits of a request's time
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	var in io.Reader = conn
	if n := buffered.Reader.Buffered(); n > 0 {
		early, _ := buffered.Reader.Peek(n) // what is buffered is there
		in = io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn)
	}
	return conn, bufio.NewReaderSize(in, readBuffer), nil
}

func cursorOf(p *api.StreamEventsParams) (*cursor, error) {
	text, in, pointer := p.LastEventID, "header", "/Last-Event-ID"
	if text == nil || *text == "" {
		text, in, pointer = p.Cursor, "query", "/cursor"
	}
	if text == nil {
		return nil, nil
	}
	c, err := decodeCursor(*text)
	if err != nil {
		return nil, problem.Field(in, pointer, "cursor", err.Error())
	}
	return c, nil
}

// allowed checks the CORS origin, as for every other operation. A request without one does not come from a browser.
func (a *API) allowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	// Browsers send hosts in ASCII. Of anything else the folding below would make another host than the one that was sent.
	if strings.ContainsFunc(origin, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return false
	}
	origin = strings.ToLower(origin)
	if u, err := url.Parse(origin); err == nil && u.Host == strings.ToLower(r.Host) {
		return true
	}
	return slices.ContainsFunc(a.origins, func(o string) bool {
		ok, err := path.Match(strings.ToLower(o), origin)
		return o == "*" || err == nil && ok
	})
}

// render encodes a frame that is no event; an event was encoded when it was stored.
func render(f *frame) {
	var v any
	cursor := string(f.cursor)
	switch f.kind {
	case kindHello:
		v = api.LiveHello{Type: api.FrameHello, Cursor: cursor}
	case kindMissed:
		m := api.LiveMissed{Type: api.FrameMissed, Cursor: cursor, Since: f.since.UTC()}
		if f.known {
			m.Count = &f.count
		}
		v = m
	case kindPosition:
		v = api.LivePosition{Type: api.FramePosition, Cursor: cursor}
	case kindEnd:
		v = api.LiveEnd{Type: api.FrameEnd, Cursor: cursor, Code: api.LiveEndCode(f.end.code), Reason: f.end.reason}
	case kindEvent:
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	f.wrap(b)
}
