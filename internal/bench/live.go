package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// RunLive measures live streams: what one costs, how soon they show an event, and what they take from ingestion.
func RunLive(ctx context.Context, o Options, streams int) (err error) {
	w := &world{Options: o}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx); err != nil {
		return err
	}
	w.printf("%s, %d cores, %s, PostgreSQL %s, fsync on. Clients on the same machine.\n\n",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version(), w.pg.Version())
	w.printf("| live streams (WebSocket) | KiB of the server each | events/s | sent/s | from the answer to the client: p50 | p99 | most | " +
		"answer to ingestion: p50 | p99 | CPU µs of the server per event sent |\n|---|---|---|---|---|---|---|---|---|---|\n")
	if err := w.warmUp(ctx); err != nil {
		return err
	}
	for _, n := range []int{0, 1, streams / 10, streams} {
		if err := w.live(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// warmUp brings the server to what it needs without streams, so that it is not taken for theirs.
func (w *world) warmUp(ctx context.Context) error {
	bodies, err := w.bodies(newStream(5, time.Now().Add(-24*time.Hour)), 200, 10)
	if err != nil {
		return err
	}
	_, err = w.drive(ctx, bodies, 10, 8)
	return err
}

const (
	liveTime = 10 * time.Second
	// liveSends is how many frames the server sends per second at most, whatever the number of streams: the clients need
	// as much of the processors to receive them.
	liveSends   = 20_000
	liveMaxRate = 50
)

// viewer is a client of one stream, with as little work as possible: it shares the processors with what it measures.
type viewer struct {
	conn net.Conn
	in   *bufio.Reader
	got  []arrival
}

// arrival is when an event was received.
type arrival struct {
	number int
	at     time.Time
}

// view opens a WebSocket and reads the first frame.
func (w *world) view(ctx context.Context) (*viewer, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	_, err = fmt.Fprintf(conn, "GET /v1/projects/%s/live HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-API-Key: %s\r\n\r\n", w.projectID, w.secret)
	if err != nil {
		return nil, fmt.Errorf("ask for a stream: %w", err)
	}
	v := &viewer{conn: conn, in: bufio.NewReaderSize(conn, 1<<10)}
	status, err := v.in.ReadString('\n')
	if err != nil || !strings.Contains(status, " 101 ") {
		return nil, fmt.Errorf("the server answered %q: %w", status, err)
	}
	for line := status; line != "\r\n"; {
		if line, err = v.in.ReadString('\n'); err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
	}
	_, _, err = v.frame(nil)
	return v, err
}

// frame reads one frame of the server, which are never masked or in parts.
func (v *viewer) frame(buffer []byte) (opcode byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(v.in, head[:2]); err != nil {
		return 0, buffer, err
	}
	opcode = head[0] & 0x0f
	size := int(head[1])
	switch size {
	case 126:
		_, err = io.ReadFull(v.in, head[:2])
		size = int(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(v.in, head[:8])
		size = int(binary.BigEndian.Uint64(head[:8]))
	}
	if err != nil {
		return 0, buffer, err
	}
	payload = slices.Grow(buffer[:0], size)[:size]
	_, err = io.ReadFull(v.in, payload)
	return opcode, payload, err
}

var numberMark = []byte(`"number":`)

// watch notes when each event arrives, until the connection is closed.
func (v *viewer) watch(arrived *atomic.Int64) {
	buffer := make([]byte, 0, 1<<10)
	for {
		opcode, payload, err := v.frame(buffer)
		if err != nil {
			return
		}
		buffer = payload
		const ping = 9
		if opcode == ping {
			pong := append([]byte{0x8a, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...) // masked with zeros
			if _, err := v.conn.Write(pong); err != nil {
				return
			}
			continue
		}
		_, rest, ok := bytes.Cut(payload, numberMark)
		if !ok {
			continue
		}
		end := bytes.IndexAny(rest, ",}")
		number, err := strconv.Atoi(string(rest[:max(end, 0)]))
		if err != nil {
			continue
		}
		v.got = append(v.got, arrival{number, time.Now()})
		arrived.Add(1)
	}
}

// live measures so many streams and prints a row.
func (w *world) live(ctx context.Context, streams int) error {
	before, err := w.rss()
	if err != nil {
		return err
	}
	var arrived atomic.Int64
	viewers, wait, err := w.viewers(ctx, streams, &arrived)
	if err != nil {
		return err
	}
	after, err := w.rss()
	if err != nil {
		return err
	}
	rate := liveMaxRate
	if streams > 0 {
		rate = max(1, min(liveMaxRate, liveSends/streams))
	}
	used, err := w.cpu()
	if err != nil {
		return err
	}
	sent, answered, err := w.trickle(ctx, rate)
	if err != nil {
		return err
	}
	for until := time.Now().Add(liveTime); arrived.Load() < int64(len(sent)*streams) && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	now, err := w.cpu()
	if err != nil {
		return err
	}
	wait()
	ingestion := make([]time.Duration, len(sent))
	for k := range sent {
		ingestion[k] = answered[k].Sub(sent[k])
	}
	slices.Sort(ingestion)
	var latency []time.Duration
	for _, v := range viewers {
		for _, a := range v.got {
			latency = append(latency, max(0, a.at.Sub(answered[a.number])))
		}
	}
	if want := len(sent) * streams; len(latency) != want {
		return fmt.Errorf("%d events were received, want %d", len(latency), want)
	}
	slices.Sort(latency)
	w.printf("| %d | ", streams)
	if streams > 1 {
		w.printf("%.1f", (after-before)*1024/float64(streams))
	}
	w.printf(" | %d | %d | ", rate, rate*streams)
	if streams > 0 {
		w.printf("%.1f ms | %.1f ms | %.1f ms", ms(latency[len(latency)/2]), ms(latency[len(latency)*99/100]), ms(latency[len(latency)-1]))
	} else {
		w.printf(" | |")
	}
	w.printf(" | %.1f ms | %.1f ms | ", ms(ingestion[len(ingestion)/2]), ms(ingestion[len(ingestion)*99/100]))
	if streams > 1 {
		w.printf("%.1f", float64(now.since(used).server.Microseconds())/float64(len(latency)))
	}
	w.printf(" |\n")
	return nil
}

// viewers opens streams, some at a time. wait closes them.
func (w *world) viewers(ctx context.Context, n int, arrived *atomic.Int64) (viewers []*viewer, wait func(), err error) {
	viewers = make([]*viewer, n)
	errs := make([]error, n)
	var next atomic.Int64
	var opening, watching sync.WaitGroup
	const atOnce = 32
	for range atOnce {
		opening.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				if viewers[k], errs[k] = w.view(ctx); errs[k] != nil {
					return
				}
			}
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fmt.Errorf("open %d streams (each takes a file descriptor here and one in the server, see ulimit -n): %w", n, err)
	}
	for _, v := range viewers {
		watching.Go(func() { v.watch(arrived) })
	}
	return viewers, func() {
		for _, v := range viewers {
			_ = v.conn.Close()
		}
		watching.Wait()
	}, nil
}

// trickle sends one event at a time, so many a second, and returns when each was sent and answered.
func (w *world) trickle(ctx context.Context, rate int) (sent, answered []time.Time, err error) {
	conn, err := w.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer conn.conn.Close()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for k := range rate * int(liveTime/time.Second) {
		body := fmt.Appendf(nil, `{"project_id":%q,"events":[{"name":"page_view","ts":%q,"user_id":"user_123","idempotency_key":"live-%d","props":{"number":%d,"page":"/home","title":"Home","referrer":"https://example.com/"}}]}`,
			w.projectID, time.Now().UTC().Format(time.RFC3339Nano), time.Now().UnixNano(), k)
		<-tick.C
		sent = append(sent, time.Now())
		if err := conn.send(body); err != nil {
			return nil, nil, err
		}
		answered = append(answered, time.Now())
	}
	return sent, answered, nil
}
