package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// frame is any frame of the live stream.
type frame struct {
	Type   string
	Cursor string
	Event  struct {
		ID    uuid.UUID
		Name  string
		Props struct{ N int }
	}
	Count  *int64
	Code   int
	Reason string

	id string // of the Server-Sent Event
}

// watcher reads the frames of one stream.
type watcher struct {
	t      testing.TB
	read   func() ([]byte, string, error)
	cancel func()
	conn   *websocket.Conn
}

func livePath(x *apptest.Tenant, query string) string {
	return "/v1/projects/" + x.ProjectID.String() + "/live" + query
}

// watch opens a WebSocket and expects it to be let in.
func watch(t testing.TB, a *apptest.App, x *apptest.Tenant, c *apptest.Client, query string, protocols ...string) *watcher {
	t.Helper()
	return watchBy(t, c.HTTP(), a, x, c, query, protocols...)
}

// narrow is an HTTP client with small receive buffers, so that back-pressure sets in soon, whatever the system's
// defaults are.
func narrow(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func watchBy(t testing.TB, by *http.Client, a *apptest.App, x *apptest.Tenant, c *apptest.Client, query string, protocols ...string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	conn, _, err := websocket.Dial(ctx, a.URL+livePath(x, query), &websocket.DialOptions{HTTPClient: by, HTTPHeader: c.Header(), Subprotocols: protocols})
	if err != nil {
		cancel()
		t.Fatalf("connect: %v", err)
	}
	w := &watcher{t: t, conn: conn, cancel: func() { _ = conn.CloseNow(); cancel() }, read: func() ([]byte, string, error) {
		limit, stop := context.WithTimeout(ctx, nimbustest.Patience)
		defer stop()
		_, b, err := conn.Read(limit)
		return b, "", err
	}}
	t.Cleanup(w.cancel)
	return w
}

// watchEvents is watch with Server-Sent Events.
func watchEvents(t testing.TB, x *apptest.Tenant, c *apptest.Client, query string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	res, err := c.HTTP().Do(c.Request("GET", livePath(x, query), nil).WithContext(ctx))
	if err != nil {
		cancel()
		t.Fatalf("connect: %v", err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	w := &watcher{t: t, cancel: func() { cancel(); _ = res.Body.Close() }, read: func() ([]byte, string, error) {
		stop := time.AfterFunc(nimbustest.Patience, cancel)
		defer stop.Stop()
		var id, data string
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "id":
				id = value
			case name == "data":
				data = value
			case lines.Text() == "" && data != "":
				return []byte(data), id, nil
			}
		}
		return nil, "", errors.Join(lines.Err(), errors.New("the stream ended"))
	}}
	t.Cleanup(w.cancel)
	return w
}

func (w *watcher) next() frame {
	w.t.Helper()
	f, b := w.take()
	apptest.CheckSchema(w.t, "LiveFrame", b)
	return f
}

// nextUnchecked is next without the contract, for thousands of frames.
func (w *watcher) nextUnchecked() frame {
	w.t.Helper()
	f, _ := w.take()
	return f
}

func (w *watcher) take() (frame, []byte) {
	w.t.Helper()
	b, id, err := w.read()
	if err != nil {
		w.t.Fatalf("read a frame: %v", err)
	}
	f := frame{id: id}
	if err := json.Unmarshal(b, &f); err != nil {
		w.t.Fatalf("decode a frame: %v: %s", err, b)
	}
	if id != "" && id != f.Cursor {
		w.t.Errorf("id %q of a frame with the cursor %q", id, f.Cursor)
	}
	return f, b
}

// want reads a frame of this type. A position may come at any time before it, when a heartbeat finds that events were
// hidden.
func (w *watcher) want(kind string) frame {
	w.t.Helper()
	f := w.next()
	for f.Type == "position" && kind != "position" {
		f = w.next()
	}
	if f.Type != kind {
		w.t.Fatalf("a frame of type %q, want %q: %+v", f.Type, kind, f)
	}
	return f
}

// wantEvents reads events and checks their numbers.
func (w *watcher) wantEvents(numbers ...int) (last frame) {
	w.t.Helper()
	for _, n := range numbers {
		if last = w.want("event"); last.Event.Props.N != n {
			w.t.Fatalf("event %d, want %d", last.Event.Props.N, n)
		}
	}
	return last
}

// wantSet is wantEvents in any order, as events of several nodes meet.
func (w *watcher) wantSet(numbers ...int) (last frame) {
	w.t.Helper()
	left := make(map[int]bool)
	for _, n := range numbers {
		left[n] = true
	}
	for range numbers {
		last = w.want("event")
		if !left[last.Event.Props.N] {
			w.t.Fatalf("event %d, want each of %v once", last.Event.Props.N, numbers)
		}
		delete(left, last.Event.Props.N)
	}
	return last
}

func numbered(name string, numbers ...int) []apptest.Event {
	out := make([]apptest.Event, len(numbers))
	for k, n := range numbers {
		out[k] = apptest.Event{"name": name, "ts": fmt.Sprintf("2026-01-15T10:30:%02d.%03dZ", n/1000, n%1000), "props": map[string]int{"n": n}}
	}
	return out
}

func TestEventsAreStreamedAfterTheirCommitAndOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	key := a.Client(t).With("X-API-Key", x.Secret)
	transports := map[string]*watcher{
		"websocket, session":     watch(t, a, x, x.Client, ""),
		"websocket, API key":     watch(t, a, x, key, ""),
		"websocket, subprotocol": watch(t, a, x, a.Client(t), "", "nimbus.v1", "nimbus.token."+x.AccessToken),
		"events, session":        watchEvents(t, x, x.Client, ""),
		"events, API key":        watchEvents(t, x, key, ""),
	}
	if got := transports["websocket, subprotocol"].conn.Subprotocol(); got != "nimbus.v1" {
		t.Errorf("the server speaks %q", got)
	}
	filtered := watch(t, a, x, x.Client, "?name=b&name=c")
	filtered.want("hello")
	for _, w := range transports {
		w.want("hello")
	}
	other := a.Tenant(t)
	other.Ingest(numbered("a", 99)...)
	x.Ingest(numbered("a", 1)...)
	x.Ingest(numbered("a", 1)...) // a duplicate
	x.Ingest(append(numbered("b", 2), numbered("a", 3)...)...)
	for name, w := range transports {
		t.Run(name, func(t *testing.T) {
			w.t = t
			f := w.wantEvents(1)
			x.Do("GET", "/v1/events/"+f.Event.ID.String(), nil).Want(200) // it is stored
			w.wantEvents(2, 3)
		})
	}
	filtered.wantEvents(2)

	metrics := a.Metrics(t)
	for _, want := range []string{"nimbus_live_subscribers 6", "nimbus_live_missed_total 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%q is not among the metrics", want)
		}
	}
}

func TestAStreamGoesOnBehindItsCursor(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	w := watch(t, a, x, x.Client, "")
	hello := w.want("hello")
	x.Ingest(numbered("a", 1, 2)...)
	at := w.wantEvents(1)
	w.cancel()
	x.Ingest(numbered("a", 3)...)
	for name, w := range map[string]*watcher{
		"cursor":        watch(t, a, x, x.Client, "?cursor="+at.Cursor),
		"Last-Event-ID": watchEvents(t, x, x.With("Last-Event-ID", at.Cursor), "?cursor="+hello.Cursor),
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.want("hello")
			w.wantEvents(2, 3)
		})
	}
	// The events of another server, as before a restart, are unknown here: the stream gets a missed frame.
	b := apptest.BootOn(t, a.DSN, "NIMBUS_JWT_SECRET=0123456789abcdefghijklmnopqrstuvwxyz", "NIMBUS_SECRET_KEY="+strings.Repeat("0123456789abcdef", 4))
	y := b.Tenant(t)
	w = watch(t, b, y, y.Client, "?cursor="+at.Cursor)
	w.want("hello")
	if f := w.want("missed"); f.Count != nil {
		t.Errorf("it cannot know that %d are missing", *f.Count)
	}
	y.Ingest(numbered("a", 4)...)
	w.wantEvents(4)
}

func TestWhatALiveStreamRefuses(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_ALLOWED_ORIGINS=https://app.example.com,https://*.example.org,https://kilo.example.net", "NIMBUS_LIVE_MAX_STREAMS=4", "NIMBUS_LIVE_MAX_STREAMS_PER_PROJECT=3")
	x, other := a.Tenant(t), a.Tenant(t)
	c := x.Client
	for _, origin := range []string{"https://evil.example.com", "https://\u212Ailo.example.net"} { // U+212A folds to k
		c.With("Origin", origin).Do("GET", livePath(x, ""), nil).WantCode(403, "origin_not_allowed")
	}
	c.Do("GET", livePath(x, "?cursor=nonsense"), nil).WantCode(422, "validation_failed")
	c.With("Last-Event-ID", "nonsense").Do("GET", livePath(x, ""), nil).WantCode(422, "validation_failed")
	c.With("Upgrade", "websocket").Do("GET", livePath(x, ""), nil).WantCode(422, "validation_failed")
	c.Do("GET", livePath(other, ""), nil).WantCode(404, "not_found")
	a.Client(t).With("X-Write-Key", "nw_x").Do("GET", livePath(x, ""), nil).WantCode(401, "unauthenticated")
	a.Client(t).With("Sec-WebSocket-Protocol", "nimbus.v1, nimbus.token.nonsense").Do("GET", livePath(x, ""), nil).WantCode(401, "invalid_token")

	for _, origin := range []string{"https://app.example.com", "https://a.example.org", a.URL} {
		watchEvents(t, x, c.With("Origin", origin), "").want("hello")
	}
	ofProject := c.Do("GET", livePath(x, ""), nil).WantCode(429, "too_many_project_streams")
	watchEvents(t, other, other.Client, "").want("hello") // the others are not kept out by one project
	ofNode := other.Do("GET", livePath(other, ""), nil).WantCode(503, "too_many_streams")
	if ofProject.Header.Get("Retry-After") == "" || ofNode.Header.Get("Retry-After") == "" {
		t.Error("a refusal without Retry-After")
	}
}

func TestATicketOpensOneStreamOfItsProjectWithinAMinute(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	a.Clock.Freeze()
	x, other := a.Tenant(t), a.Tenant(t)
	ticket := func(c *apptest.Client) string {
		var out struct {
			Ticket    string
			ExpiresAt time.Time `json:"expires_at"`
		}
		c.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/live-tickets", nil).Want(201).JSON(&out)
		if left := out.ExpiresAt.Sub(a.Clock.Now()); left <= 58*time.Second || left > time.Minute {
			t.Errorf("the ticket is good for %s", left)
		}
		return out.Ticket
	}
	other.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/live-tickets", nil).WantCode(404, "not_found")
	anybody := a.Client(t)
	refused := func(x *apptest.Tenant, ticket, code string) {
		t.Helper()
		anybody.Do("GET", livePath(x, "?ticket="+url.QueryEscape(ticket)), nil).WantCode(401, code)
	}

	used := ticket(x.Client)
	w := watchEvents(t, x, anybody, "?ticket="+used)
	w.want("hello")
	x.Ingest(numbered("a", 1)...)
	w.wantEvents(1)
	refused(x, used, "invalid_ticket")

	watch(t, a, x, anybody, "?ticket="+ticket(anybody.With("X-API-Key", x.Secret))).want("hello")
	refused(other, ticket(x.Client), "invalid_ticket")
	forged := []byte(ticket(x.Client))
	forged[len(forged)-10] ^= 1
	refused(x, string(forged), "invalid_ticket")
	expired := ticket(x.Client)
	a.Clock.Add(time.Minute)
	refused(x, expired, "invalid_ticket")

	// A ticket is valid only while the credentials behind it are.
	ofSession := ticket(x.Client)
	x.Do("POST", "/v1/auth/logout", nil).Want(204)
	refused(x, ofSession, "session_ended")
	if strings.Contains(a.Log.String(), used) {
		t.Error("the ticket is in the log")
	}
}

// soon checks credentials often.
func soon(c *live.Config) { c.Recheck = 20 * time.Millisecond }

func TestAStreamEndsWithWhatItLeansOn(t *testing.T) {
	t.Parallel()
	a := apptest.BootOptions(t, nimbustest.DSN(t), []app.Option{app.WithStreaming(soon)})
	for _, tc := range []struct {
		name string
		open func(x *apptest.Tenant) *watcher
		end  func(x *apptest.Tenant)
		code int
	}{
		{"session", func(x *apptest.Tenant) *watcher { return watch(t, a, x, x.Client, "") },
			func(x *apptest.Tenant) { x.Do("POST", "/v1/auth/logout", nil).Want(204) }, 4401},
		{"key", func(x *apptest.Tenant) *watcher { return watch(t, a, x, a.Client(t).With("X-API-Key", x.Secret), "") },
			func(x *apptest.Tenant) {
				x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/rotate-keys", nil).Want(200)
			}, 4401},
		{"project", func(x *apptest.Tenant) *watcher { return watch(t, a, x, x.Client, "") },
			func(x *apptest.Tenant) { x.Do("DELETE", "/v1/projects/"+x.ProjectID.String(), nil).Want(204) }, 4404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			x, bystander := a.Tenant(t), a.Tenant(t)
			w, stays := tc.open(x), watch(t, a, bystander, bystander.Client, "")
			w.want("hello")
			stays.want("hello")
			tc.end(x)
			if f := w.want("end"); f.Code != tc.code {
				t.Errorf("code %d, want %d", f.Code, tc.code)
			}
			if _, _, err := w.read(); websocket.CloseStatus(err) != websocket.StatusCode(tc.code) {
				t.Errorf("closed with %v, want %d", err, tc.code)
			}
			bystander.Ingest(numbered("a", 1)...)
			stays.wantEvents(1)
		})
	}
}

func TestAStopTellsStreamsWhereToGoOn(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	ws, sse := watch(t, a, x, x.Client, ""), watchEvents(t, x, x.Client, "")
	ws.want("hello")
	sse.want("hello")
	x.Ingest(numbered("a", 1)...)
	at := ws.wantEvents(1)
	sse.wantEvents(1)
	stopped := make(chan struct{})
	go func() { a.Stop(); close(stopped) }()
	for _, w := range []*watcher{ws, sse} {
		if f := w.want("end"); f.Code != 1001 || f.Cursor != at.Cursor {
			t.Errorf("%+v, want code 1001 and the cursor %s", f, at.Cursor)
		}
	}
	if _, _, err := ws.read(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v", err)
	}
	if _, _, err := sse.read(); err == nil {
		t.Error("the stream goes on")
	}
	<-stopped
}

func TestWhoTalksIsCutOff(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	w := watch(t, a, x, x.Client, "")
	w.want("hello")
	if err := w.conn.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.read(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("closed with %v, want 1008", err)
	}
}

// Two nodes share a database and a bus: each streams what the other stores, and a cursor of one means the same on the
// other.
func TestNodesStreamEachOthersEvents(t *testing.T) {
	t.Parallel()
	bus, dsn := &bus.Hub{}, nimbustest.DSN(t)
	options := []app.Option{app.WithBus(bus)}
	secrets := []string{"NIMBUS_JWT_SECRET=0123456789abcdefghijklmnopqrstuvwxyz", "NIMBUS_SECRET_KEY=" + strings.Repeat("0123456789abcdef", 4)}
	a := apptest.BootOptions(t, dsn, options, secrets...)
	b := apptest.BootOptions(t, dsn, options, secrets...)
	x := a.Tenant(t)
	onB := b.Client(t).Bearer(x.AccessToken)
	ingestB := func(events ...apptest.Event) {
		t.Helper()
		b.Client(t).With("X-API-Key", x.Secret).Do("POST", "/v1/events", x.Batch(events...)).Want(200)
	}

	// A node receives the other one's announcement after a moment; until then it does not send its events there. Each
	// pair of events shows whether that has happened: the event of the node itself always comes.
	n := 1000
	pair := func() int {
		n++
		x.Ingest(numbered("a", n)...)
		ingestB(numbered("b", n)...)
		return n
	}
	meet := func(w *watcher, own, others string) {
		t.Helper()
		for until := time.Now().Add(nimbustest.Patience); ; {
			last, met := pair(), false
			for f := w.want("event"); f.Event.Name != own || f.Event.Props.N != last; f = w.want("event") {
				met = met || f.Event.Name == others
			}
			if met {
				return
			}
			if time.Now().After(until) {
				t.Fatal("the events of the other node never came")
			}
		}
	}
	wa, wb := watch(t, a, x, x.Client, ""), watch(t, b, x, onB, "")
	wa.want("hello")
	wb.want("hello")
	meet(wa, "a", "b")
	meet(wb, "b", "a")
	last := pair()
	for _, w := range []*watcher{wa, wb} {
		for left := 2; left > 0; {
			if w.next().Event.Props.N == last {
				left--
			}
		}
	}

	x.Ingest(numbered("a", 1)...)
	ingestB(numbered("b", 2)...)
	at := wa.wantSet(1, 2)
	wb.wantSet(1, 2)
	wa.cancel()
	ingestB(numbered("b", 3)...)
	x.Ingest(numbered("a", 4)...)
	wb.wantSet(3, 4)
	for name, node := range map[string]struct {
		app    *apptest.App
		client *apptest.Client
	}{"the same node": {a, x.Client}, "the other node": {b, onB}} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, node.app, x, node.client, "?cursor="+at.Cursor)
			w.want("hello")
			w.wantSet(3, 4)
		})
	}
}

// The client that does not read stands for a sleeping browser tab: it gets the events that fit into the buffers of
// its connection, and the exact number of missed ones. No other client is affected.
func TestASlowReaderIsToldWhatItMissedAndNobodyElseIsHeldUp(t *testing.T) {
	t.Parallel()
	a := apptest.BootOptions(t, nimbustest.DSN(t), []app.Option{app.WithStreaming(func(c *live.Config) {
		c.RingEvents, c.Heartbeat = 50, time.Hour // it answers no ping while it does not read
	})})
	x := a.Tenant(t)
	slow, quick := watchBy(t, narrow(t), a, x, x.Client, ""), watch(t, a, x, x.Client, "?name=last")
	const batches, each = 10, 70 // 20 MB: more than the buffers between the two hold
	padding := strings.Repeat("x", 30<<10)
	for b := range batches {
		events := numbered("a", make([]int, each)...)
		for k := range events {
			events[k]["ts"] = fmt.Sprintf("2026-01-15T10:%02d:%02d.%03dZ", b, k/1000, k)
			events[k]["props"] = map[string]any{"n": b*each + k, "padding": padding}
		}
		x.Ingest(events...)
	}
	x.Ingest(numbered("last", batches*each)...)
	quick.want("hello")
	quick.wantEvents(batches * each)

	slow.want("hello")
	var missed int64
	for expected := 0; expected < batches*each; {
		switch f := slow.nextUnchecked(); f.Type {
		case "event":
			if f.Event.Props.N != expected {
				t.Fatalf("event %d, want %d", f.Event.Props.N, expected)
			}
			expected++
		case "missed":
			missed += *f.Count
			expected += int(*f.Count)
		default:
			t.Fatalf("unexpected: %+v", f)
		}
	}
	slow.wantEvents(batches * each)
	if missed == 0 {
		t.Error("the buffers took everything: the test shows nothing")
	}
	if want := fmt.Sprintf("nimbus_live_missed_total %d\n", missed); !strings.Contains(a.Metrics(t), want) {
		t.Errorf("the metrics do not have %q", want)
	}
}

func TestWhoDoesNotReadOrAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*live.Config){
		"no pong":    func(c *live.Config) { c.Heartbeat, c.PongTime = 10*time.Millisecond, 50*time.Millisecond },
		"no reading": func(c *live.Config) { c.WriteTime = 50 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.BootOptions(t, nimbustest.DSN(t), []app.Option{app.WithStreaming(change)})
			x := a.Tenant(t)
			watchBy(t, narrow(t), a, x, x.Client, "") // a client answers pings while it reads, and this one does not
			padding := strings.Repeat("x", 30<<10)
			for n, until := 0, time.Now().Add(nimbustest.Patience); strings.Contains(a.Metrics(t), "nimbus_live_subscribers 1"); n++ {
				if name == "no reading" {
					events := numbered("a", make([]int, 100)...)
					for k := range events {
						events[k]["props"] = map[string]any{"n": n*100 + k, "padding": padding}
						events[k]["idempotency_key"] = fmt.Sprint(n, k)
					}
					x.Ingest(events...)
				}
				if time.Now().After(until) {
					t.Fatal("it stays connected")
				}
				<-time.After(5 * time.Millisecond)
			}
		})
	}
}

func TestTheCursorOfAFilteredStreamStaysFresh(t *testing.T) {
	t.Parallel()
	a := apptest.BootOptions(t, nimbustest.DSN(t), []app.Option{app.WithStreaming(func(c *live.Config) {
		c.Heartbeat = 10 * time.Millisecond
	})})
	x := a.Tenant(t)
	ws, sse := watch(t, a, x, x.Client, "?name=b"), watchEvents(t, x, x.Client, "?name=b")
	ws.want("hello")
	sse.want("hello")
	x.Ingest(numbered("a", 1)...)
	at := ws.want("position")
	sse.want("position")
	x.Ingest(numbered("a", 2)...)
	w := watch(t, a, x, x.Client, "?cursor="+at.Cursor)
	w.want("hello")
	w.wantEvents(2)
}
