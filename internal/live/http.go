package live

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/auth"
	"github.com/bahagh/nimbus/internal/problem"
	"github.com/bahagh/nimbus/internal/wire"
)

// API is the live part of the contract.
type API struct {
	hub     *Hub
	origins []string
}

// NewAPI returns the handlers. origins are those of browsers that may connect besides the server's own; * is all.
func NewAPI(h *Hub, origins []string) *API { return &API{hub: h, origins: origins} }

// CreateLiveTicket serves POST /v1/projects/{project_id}/live-tickets.
func (a *API) CreateLiveTicket(ctx context.Context, r api.CreateLiveTicketRequestObject) (api.CreateLiveTicketResponseObject, error) {
	if err := a.hub.access(ctx, r.ProjectID); err != nil {
		return nil, err
	}
	ticket, expires, err := a.hub.tickets.issue(auth.From(ctx), r.ProjectID)
	if err != nil {
		return nil, err
	}
	return api.CreateLiveTicket201JSONResponse{Ticket: ticket, ExpiresAt: expires}, nil
}

// Stream serves GET /v1/projects/{project_id}/live. It stands beside the strict handler, because it takes the connection.
func (a *API) Stream(c echo.Context, project uuid.UUID, params *api.StreamEventsParams) error {
	r := c.Request()
	if err := a.hub.access(r.Context(), project); err != nil {
		return err
	}
	if !a.allowed(r) {
		return problem.New(problem.CodeOriginNotAllowed, "Pages of the origin %.100q may not connect to this server.", r.Header.Get("Origin"))
	}
	from, err := cursorOf(params)
	if err != nil {
		return err
	}
	upgrade := hasToken(r.Header, "Upgrade", "websocket")
	if upgrade {
		if err := checkHandshake(r); err != nil {
			return err
		}
	}
	s, err := a.hub.subscribe(r.Context(), project, params.Name, from)
	if err != nil {
		return err
	}
	defer a.hub.unsubscribe(s)
	if upgrade {
		return a.overWebSocket(c, s)
	}
	return a.overEvents(c, s)
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

// allowed holds browsers to the same origins as CORS does for everything else; what has no origin is no browser.
func (a *API) allowed(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(a.origins, func(o string) bool {
		ok, err := path.Match(strings.ToLower(o), origin)
		return o == "*" || err == nil && ok
	})
}

// checkHandshake finds what would make the upgrade fail, while it can still be told like any other error.
func checkHandshake(r *http.Request) error {
	var bad []wire.FieldError
	report := func(header, detail string) {
		bad = append(bad, wire.FieldError{In: "header", Pointer: "/" + header, Code: "handshake", Detail: detail, Item: -1})
	}
	if !r.ProtoAtLeast(1, 1) || !hasToken(r.Header, "Connection", "upgrade") {
		report("Connection", "a WebSocket needs HTTP/1.1 and Connection: Upgrade; a proxy may have removed it")
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		report("Sec-WebSocket-Version", "must be 13")
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		report("Sec-WebSocket-Key", "must be given once")
	} else if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		report("Sec-WebSocket-Key", "must be 16 bytes as base64")
	}
	if len(bad) > 0 {
		return problem.Invalid(bad...)
	}
	return nil
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// door is how frames reach a client.
type door interface {
	send(frames []frame) error
	// beat tells the client that the server is there, and finds out whether the client is.
	beat() error
	// gone is closed when the client has left.
	gone() <-chan struct{}
	// finish ends the connection.
	finish(e end)
}

// framesAtOnce is how many frames a stream takes from the ring before it writes them.
const framesAtOnce = 64

// run sends the frames of a stream until it ends.
func (a *API) run(s *Subscription, d door) {
	m := a.hub.metrics
	beat := time.NewTimer(a.hub.cfg.Heartbeat)
	defer beat.Stop()
	var frames []frame
	var told []byte // the cursor of the last frame sent
	for {
		var wake <-chan struct{}
		frames, wake = s.next(frames[:0], framesAtOnce)
		if len(frames) > 0 {
			sent := 0
			for k := range frames {
				f := &frames[k]
				if f.kind == kindEvent {
					sent++
					continue
				}
				if f.kind == kindMissed && f.known {
					m.missed.Add(float64(f.count))
				}
				render(f)
			}
			told = frames[len(frames)-1].cursor
			if d.send(frames) != nil {
				return
			}
			m.sent.Add(float64(sent))
			clear(frames) // a quiet stream must not hold on to what has left the ring
			wake = closed
		}
		select {
		case e := <-s.ended:
			f := frame{kind: kindEnd, cursor: s.last, end: e}
			render(&f)
			if d.send([]frame{f}) == nil {
				d.finish(e)
			}
			return
		case <-d.gone():
			return
		case <-beat.C:
			beat.Reset(a.hub.cfg.Heartbeat)
			if string(told) != string(s.last) {
				told = s.last
				f := frame{kind: kindPosition, cursor: told}
				render(&f)
				if d.send([]frame{f}) != nil {
					return
				}
			}
			if d.beat() != nil {
				return
			}
		case <-wake:
		}
	}
}

// closed is for going on without waiting.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// render makes the JSON of a frame that is no event.
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
		return // was made when it was stored
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	f.wrap(b)
}

// webSocket is the door for WebSocket clients.
type webSocket struct {
	conn     *websocket.Conn
	left     context.Context // ends when the client has left
	watch    *time.Timer     // cuts off a client that does not take what is sent
	time     time.Duration
	pongTime time.Duration
}

// protocol is the subprotocol the server speaks. A client that offers its token as another one gets this one back, and
// the token nowhere.
const protocol = "nimbus.v1"

func (a *API) overWebSocket(c echo.Context, s *Subscription) error {
	conn, err := websocket.Accept(c.Response(), c.Request(), &websocket.AcceptOptions{
		Subprotocols:       []string{protocol},
		InsecureSkipVerify: true, // the origin was checked, by the setting
	})
	if err != nil {
		return fmt.Errorf("take over the connection: %w", err)
	}
	defer func() { _ = conn.CloseNow() }() // closed already, where it was told why
	w := &webSocket{conn: conn, time: a.hub.cfg.WriteTime, pongTime: a.hub.cfg.PongTime,
		watch: time.AfterFunc(time.Hour, func() { _ = conn.CloseNow() })}
	defer w.watch.Stop()
	w.watch.Stop()
	left, leave := context.WithCancel(context.Background())
	defer leave()
	w.left = left
	talked := make(chan struct{})
	go func() { // reading is what answers pings and notices that the client has left
		defer leave()
		if _, _, err := conn.Reader(context.Background()); err == nil {
			close(talked)
		}
	}()
	a.run(s, w)
	select {
	case <-talked:
		_ = conn.Close(websocket.StatusPolicyViolation, "This stream takes no messages.")
	default:
	}
	return nil
}

func (w *webSocket) send(frames []frame) error {
	for k := range frames {
		// One timer for all: a context for each message costs more than the message.
		w.watch.Reset(w.time)
		err := w.conn.Write(context.Background(), websocket.MessageText, frames[k].json)
		w.watch.Stop()
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// beat pings, without keeping events from being sent until the answer comes.
func (w *webSocket) beat() error {
	go func() {
		ctx, cancel := context.WithTimeout(w.left, w.pongTime)
		defer cancel()
		if w.conn.Ping(ctx) != nil {
			_ = w.conn.CloseNow()
		}
	}()
	return nil
}

func (w *webSocket) gone() <-chan struct{} { return w.left.Done() }

func (w *webSocket) finish(e end) { _ = w.conn.Close(websocket.StatusCode(e.code), e.reason) }

// eventStream is the door for clients of Server-Sent Events.
type eventStream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	left context.Context
	time time.Duration
}

func (a *API) overEvents(c echo.Context, s *Subscription) error {
	w := c.Response()
	d := &eventStream{w: w, rc: http.NewResponseController(w), left: c.Request().Context(), time: a.hub.cfg.WriteTime}
	// The server's limits are for requests that end.
	if err := d.rc.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lift the limit of the request: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies collect answers otherwise
	w.WriteHeader(http.StatusOK)
	a.run(s, d)
	return nil
}

func (d *eventStream) send(frames []frame) error {
	if err := d.rc.SetWriteDeadline(time.Now().Add(d.time)); err != nil {
		return fmt.Errorf("limit the time of sending: %w", err)
	}
	for k := range frames {
		if _, err := d.w.Write(frames[k].sse); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return d.rc.Flush()
}

// beat sends a comment, which clients ignore; a connection that is dead fails to take it.
func (d *eventStream) beat() error { return d.send([]frame{{sse: []byte(": beat\n\n")}}) }

func (d *eventStream) gone() <-chan struct{} { return d.left.Done() }

func (d *eventStream) finish(end) {} // it ends with the answer
