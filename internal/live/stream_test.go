package live

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// client is the far end of a stream's connection.
type client struct {
	t         testing.TB
	transport transport
	conn      net.Conn
	in        *bufio.Reader
	s         *Subscription
}

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (server, far net.Conn) {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var d net.Dialer
	if far, err = d.DialContext(t.Context(), "tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, far
}

// connect opens a stream over a connection of which the test has the far end.
func (n *node) connect(d transport, server, far net.Conn, names ...string) *client {
	n.t.Helper()
	s, err := n.subscribe(auth.WithPrincipal(n.t.Context(), &auth.Principal{Kind: auth.KindAPIKey, KeyID: "k"}), project, d, names, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.serve(s, server, bufio.NewReaderSize(server, readBuffer))
	n.t.Cleanup(func() { _ = far.Close() })
	if err := far.SetReadDeadline(time.Now().Add(nimbustest.Patience)); err != nil {
		n.t.Fatal(err)
	}
	return &client{t: n.t, transport: d, conn: far, in: bufio.NewReader(far), s: s}
}

// dial is connect over TCP.
func (n *node) dial(d transport, names ...string) *client {
	n.t.Helper()
	server, far := pair(n.t)
	return n.connect(d, server, far, names...)
}

// received is a frame as a client sees it.
type received struct {
	Type   string
	Cursor string
	Event  struct {
		Name string
		N    int
	}
	Count *int64
	Code  int
}

// raw reads a frame of a WebSocket, or a block of Server-Sent Events as text or, for a comment, as ping.
func (c *client) raw() (op byte, content []byte, err error) {
	if c.transport == eventStream {
		for {
			line, err := c.in.ReadString('\n')
			if err != nil {
				return 0, nil, err
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				return opText, []byte(data), nil
			}
			if strings.HasPrefix(line, ":") {
				return opPing, nil, nil
			}
		}
	}
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0]
	size := uint64(head[1])
	switch head[1] {
	case 126:
		_, err = io.ReadFull(c.in, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(c.in, head[:])
		size = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return 0, nil, err
	}
	content = make([]byte, size)
	_, err = io.ReadFull(c.in, content)
	return op, content, err
}

func (c *client) next() (received, error) {
	for {
		op, content, err := c.raw()
		if err != nil || op == opClose {
			return received{}, errors.Join(err, io.EOF)
		}
		if op != opText {
			continue
		}
		var f received
		if err := json.Unmarshal(content, &f); err != nil {
			return f, fmt.Errorf("%w: %q", err, content)
		}
		return f, nil
	}
}

func (c *client) want(kind string) received {
	c.t.Helper()
	f, err := c.next()
	if err != nil || f.Type != kind {
		c.t.Fatalf("%+v, %v, want a frame of type %q", f, err, kind)
	}
	return f
}

// bye answers the server's close, unless the server has timed out waiting for it.
func (c *client) bye() { _, _ = c.conn.Write([]byte{opClose, 0x80, 0, 0, 0, 0}) }

// send sends a masked frame, as clients do.
func (c *client) send(op byte, content []byte) {
	c.t.Helper()
	mask := [4]byte{1, 2, 3, 4}
	b := append([]byte{op, 0x80 | byte(len(content))}, mask[:]...)
	for k, x := range content {
		b = append(b, x^mask[k%4])
	}
	if _, err := c.conn.Write(b); err != nil {
		c.t.Error(err)
	}
}

// wantEnd reads until the connection ends, and returns the code of a WebSocket.
func (c *client) wantEnd() (code int) {
	c.t.Helper()
	for {
		switch op, content, err := c.raw(); {
		case errors.Is(err, io.EOF):
			return code
		case err != nil:
			c.t.Fatalf("the connection does not end, but %v", err)
		case op == opClose:
			code = closeCode(content)
		}
	}
}

func (n *node) awaitStreams(want int64) {
	n.t.Helper()
	nimbustest.Eventually(n.t, fmt.Sprintf("%d streams are open", want), func() bool { return n.streams.Load() == want })
}

// For every reader, however slow: the received events and the reported missed ones are all stored events, in order
// and once.
func TestReadersAndWritersAtOnce(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.RingEvents, c.WriteTime = 64, time.Hour })
	const writers, each = 4, 150
	server, far := net.Pipe() // takes nothing before it is read
	stopped := n.connect(webSocket, server, far)
	slow, far := pair(t)
	if err := slow.(*net.TCPConn).SetWriteBuffer(8 << 10); err != nil { // less than a round
		t.Fatal(err)
	}
	all := []*client{stopped, n.connect(eventStream, slow, far)}
	for range 4 {
		all = append(all, n.dial(webSocket), n.dial(eventStream), n.dial(webSocket, "a"), n.dial(eventStream, "a", "c"))
	}
	long := strings.Repeat("x", 300)
	var wg, writing sync.WaitGroup
	stored := make(chan struct{})
	for r, c := range all {
		wg.Go(func() {
			if c == stopped {
				<-stored
			}
			c.t = t
			var last [writers]int
			for total := int64(0); total < writers*each; {
				f, err := c.next()
				if err != nil {
					t.Errorf("reader %d knows of %d events, want %d: %v", r, total, writers*each, err)
					return
				}
				switch f.Type {
				case "event":
					total++
					w, k := f.Event.N/each, f.Event.N%each+1
					if k <= last[w] {
						t.Errorf("reader %d: event %d of writer %d after event %d", r, k, w, last[w])
					}
					last[w] = k
				case "missed":
					total += *f.Count
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for k := range each {
				n.Stored(project, func(yield func(string, []byte) bool) {
					yield("a", fmt.Appendf(nil, `{"name":"a","n":%d,"props":%q}`, w*each+k, long))
				})
			}
		})
	}
	writing.Wait()
	close(stored)
	wg.Wait()
}

// A partial write continues where it stopped, in the middle of a frame too.
func TestAFrameLargerThanTheConnectionTakesArrivesWhole(t *testing.T) {
	t.Parallel()
	for _, d := range []transport{webSocket, eventStream} {
		t.Run(string(rune(d)), func(t *testing.T) {
			t.Parallel()
			n := newNode(t, &bus.Hub{}, func(c *Config) { c.RingBytes, c.WriteTime = 64<<20, time.Hour })
			server, far := pair(t)
			if err := server.(*net.TCPConn).SetWriteBuffer(1); err != nil {
				t.Fatal(err)
			}
			c := n.connect(d, server, far)
			c.want("hello")
			const events = 3
			large := strings.Repeat("x", 64<<10)
			for k := range events {
				n.Stored(project, func(yield func(string, []byte) bool) {
					yield("a", fmt.Appendf(nil, `{"name":"a","n":%d,"props":%q}`, k, large))
				})
			}
			for k := range events {
				if f := c.want("event"); f.Event.N != k {
					t.Fatalf("event %d, want %d", f.Event.N, k)
				}
			}
		})
	}
}

func TestAClientThatTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.WriteTime = time.Millisecond })
	server, far := net.Pipe()
	n.connect(webSocket, server, far)
	n.awaitStreams(0)
	server, far = pair(t)
	if err := errors.Join(server.(*net.TCPConn).SetWriteBuffer(1), far.(*net.TCPConn).SetReadBuffer(1)); err != nil {
		t.Fatal(err)
	}
	n.connect(eventStream, server, far)
	large := fmt.Appendf(nil, `{"props":%q}`, strings.Repeat("x", 1<<20))
	nimbustest.Eventually(t, "what is sent does not fit the connection any more", func() bool {
		n.Stored(project, func(yield func(string, []byte) bool) { yield("large", large) })
		return n.streams.Load() == 0
	})
}

func TestAClientThatDoesNotAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.Heartbeat, c.PongTime = time.Hour, time.Minute })
	now := time.Now()
	later := func(d time.Duration) { // as the hub does at that time
		now = now.Add(d)
		topic := n.current()
		topic.mu.RLock()
		streams := slices.Clone(topic.streams)
		topic.mu.RUnlock()
		for _, s := range streams {
			s.heartbeat(now)
		}
	}
	ws, sse := n.dial(webSocket), n.dial(eventStream)
	heartbeat := func(c *client) {
		t.Helper()
		if op, _, err := c.raw(); op != opPing || err != nil {
			t.Fatalf("%x, %v, want a ping", op, err)
		}
	}
	for _, c := range []*client{ws, sse} {
		c.want("hello")
		nimbustest.Eventually(t, "nothing more is written", func() bool { return !c.s.busy() })
	}
	for range 2 {
		later(2 * time.Hour)
		heartbeat(ws)
		heartbeat(sse)
		ws.send(opPong, nil)
		nimbustest.Eventually(t, "the answer is taken note of", func() bool {
			ws.s.mu.Lock()
			defer ws.s.mu.Unlock()
			return ws.s.pingSince.IsZero() && ws.s.state == connIdle
		})
		nimbustest.Eventually(t, "nothing more is written", func() bool { return !sse.s.busy() })
		later(time.Minute)
	}
	n.store("a")
	ws.want("event")
	sse.want("event")
	nimbustest.Eventually(t, "nothing more is written", func() bool { return !ws.s.busy() })
	later(2 * time.Hour)
	heartbeat(ws)
	nimbustest.Eventually(t, "nothing more is written", func() bool { return !ws.s.busy() })
	later(time.Minute)
	n.awaitStreams(1)
	if _, _, err := ws.raw(); err == nil {
		t.Error("the connection is not closed")
	}
}

// busy reports whether the stream's own goroutine is writing.
func (s *Subscription) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != connIdle
}

func TestAClientLearnsOfEventsThatItsFilterHides(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.PongTime = 1 << 62 })
	for _, d := range []transport{webSocket, eventStream} {
		c := n.dial(d, "b")
		c.want("hello")
		n.store("a", "a")
		at := time.Now()
		nimbustest.Eventually(t, "the stream is told", func() bool {
			at = at.Add(time.Hour)
			c.s.heartbeat(at)
			c.s.mu.Lock()
			defer c.s.mu.Unlock()
			c.s.topic.mu.RLock()
			defer c.s.topic.mu.RUnlock()
			return c.s.place == c.s.topic.ring.head() && string(c.s.sentCursor) == string(c.s.last)
		})
		n.stream(c.want("position").Cursor).want() // they are behind the cursor
		n.store("b")
		c.want("event")
	}
}

func TestWhatAWebSocketClientMaySay(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{})
	for name, tc := range map[string]struct {
		frame []byte
		code  int
	}{
		"text":                {[]byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}, codePolicy},
		"part of a message":   {[]byte{0x02, 0x81, 0, 0, 0, 0, 'h'}, codePolicy},
		"not masked":          {[]byte{0x89, 0x00}, codeProtocol},
		"a ping too long":     {[]byte{0x89, 0xfe, 0, 126}, codeProtocol},
		"an unknown opcode":   {[]byte{0x83, 0x80, 0, 0, 0, 0}, codeProtocol},
		"part of a ping":      {[]byte{0x09, 0x80, 0, 0, 0, 0}, codeProtocol},
		"its end":             {[]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}, 1000},
		"its end, no code":    {[]byte{0x88, 0x80, 0, 0, 0, 0}, 0},
		"its end and no more": {[]byte{0x88, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := n.dial(webSocket)
			c.t = t
			c.want("hello")
			if _, err := c.conn.Write(tc.frame); err != nil {
				t.Fatal(err)
			}
			if code := tc.code; code >= codeProtocol { // the server waits for the client's end
				op, content, err := c.raw()
				if err != nil || op != opClose || closeCode(content) != code {
					t.Fatalf("%x %q %v, want it closed with %d", op, content, err, code)
				}
				c.bye()
				_ = c.conn.Close()
			} else if got := c.wantEnd(); got != code {
				t.Errorf("closed with %d, want %d", got, code)
			}
			n.awaitStreams(0)
		})
	}
	c := n.dial(webSocket)
	c.want("hello")
	c.send(opPing, []byte("hey"))
	if op, content, err := c.raw(); op != opPong || string(content) != "hey" || err != nil {
		t.Errorf("%x %q %v", op, content, err)
	}
	n.store("a")
	c.want("event")
}

// The end frame does not wait for unsent events; its cursor is before them.
func TestAStreamThatEndsGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.WriteTime = time.Hour })
	server, far := net.Pipe()
	slow, quick := n.connect(webSocket, server, far), n.dial(eventStream)
	quick.want("hello")
	slow.want("hello")
	n.store(repeat("a", 200)...)
	for range 200 {
		quick.want("event")
	}
	slow.want("event")
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		n.Drain(t.Context())
	}()
	nimbustest.Eventually(t, "it is told to end", func() bool {
		slow.s.mu.Lock()
		defer slow.s.mu.Unlock()
		return slow.s.end != nil
	})
	came := 1
	for f := slow.want("event"); ; came++ {
		var err error
		if f, err = slow.next(); err != nil {
			t.Fatal(err)
		}
		if f.Type == "end" {
			if f.Code != codeGoingAway {
				t.Errorf("code %d", f.Code)
			}
			break
		}
	}
	if f := quick.want("end"); f.Code != codeGoingAway {
		t.Errorf("code %d", f.Code)
	}
	if code := quick.wantEnd(); code != 0 {
		t.Errorf("code %d of Server-Sent Events", code)
	}
	_ = quick.conn.Close()
	if op, content, err := slow.raw(); op != opClose || closeCode(content) != codeGoingAway || err != nil {
		t.Errorf("%x %q %v", op, content, err)
	}
	slow.bye()
	<-drained
	if came+1 > 200 {
		t.Error("the test stored too little to be cut off in the middle")
	}
}

func TestAProjectHasAShareOfTheStreams(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.MaxStreams, c.PerProject = 3, 2 })
	ctx := auth.WithPrincipal(t.Context(), &auth.Principal{})
	open := func(project uuid.UUID) (*Subscription, error) { return n.subscribe(ctx, project, webSocket, nil, nil) }
	var last *Subscription
	for range 2 {
		s, err := open(project)
		if err != nil {
			t.Fatal(err)
		}
		last = s
	}
	if _, err := open(project); !problem.Is(err, problem.CodeTooManyProjectStreams) {
		t.Errorf("one more of the project: %v", err)
	}
	other, err := open(uuid.New())
	if err != nil {
		t.Fatalf("one of another project: %v", err)
	}
	if _, err := open(uuid.New()); !problem.Is(err, problem.CodeTooManyStreams) {
		t.Errorf("one more of the node: %v", err)
	}
	n.unsubscribe(last)
	if last, err = open(project); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	n.unsubscribe(last)
	n.unsubscribe(other)
}

// Streams come and go while events are sent; those that stay get all of them.
func TestStreamsThatComeAndGoDisturbNobody(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.RoundTime = 0 })
	const events, stay = 300, 5
	var staying []*client
	for range stay {
		staying = append(staying, n.dial(webSocket))
	}
	stop := make(chan struct{})
	var coming sync.WaitGroup
	for range 4 {
		coming.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c := n.dial(webSocket)
				_, _ = c.next()
				_ = c.conn.Close()
			}
		})
	}
	for range events {
		n.store("a")
	}
	for _, c := range staying {
		c.want("hello")
		last := 0
		for range events {
			f := c.want("event")
			if f.Event.N <= last {
				t.Fatalf("event %d after %d", f.Event.N, last)
			}
			last = f.Event.N
		}
	}
	close(stop)
	coming.Wait()
	n.awaitStreams(stay)
}

func FuzzReadControl(f *testing.F) {
	f.Add([]byte{0x89, 0x83, 1, 2, 3, 4, 1, 2, 3})
	f.Add([]byte{0x81, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		var buffer [maxControl]byte
		op, content, err := readControl(bufio.NewReader(bytes.NewReader(b)), &buffer)
		if err != nil {
			return
		}
		if !slices.Contains([]byte{opClose, opPing, opPong}, op) || len(content) != int(b[1]&0x7f) {
			t.Errorf("%x: %x %x", b, op, content)
		}
	})
}
