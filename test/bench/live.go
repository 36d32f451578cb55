package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// RunLive measures live streams: the cost of one, the latency of an event, and the effect on ingestion. There are two
// shapes: all streams on one project, and ten on each of many.
func RunLive(ctx context.Context, o Options, streams int) (err error) {
	w := &world{Options: o, env: []string{fmt.Sprintf("NIMBUS_LIVE_MAX_STREAMS=%d", streams), fmt.Sprintf("NIMBUS_LIVE_MAX_STREAMS_PER_PROJECT=%d", streams)}}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx); err != nil {
		return err
	}
	if err := w.warmUp(ctx); err != nil {
		return err
	}
	many, err := w.tenants(ctx, (streams+watchersEach-1)/watchersEach)
	if err != nil {
		return err
	}
	w.printf("%s, %d cores, %s, PostgreSQL %s, fsync on. Clients on the same machine. Beside the events that are watched, %d a second go to another project.\n\n",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version(), w.pg.Version(), unwatchedRate)
	w.printf("| live streams (WebSocket) | KiB of the server each | events/s watched | sent/s | from the answer to the client: p50 | p99 | most | " +
		"answer to ingestion: p50 | p99 | CPU µs of the server per event sent |\n|---|---|---|---|---|---|---|---|---|---|\n")
	before, err := w.rss()
	if err != nil {
		return err
	}
	for _, x := range []struct {
		where string
		of    []*project
		rate  int
	}{
		{"one project", []*project{w.project}, max(1, sendsRate/streams)},
		{fmt.Sprintf("%d projects", len(many)), many, spreadRate},
	} {
		alone, err := w.live(ctx, shape{"none", x.of, 0, x.rate}, cpu{}, before)
		if err != nil {
			return err
		}
		if _, err := w.live(ctx, shape{fmt.Sprintf("%d on %s", streams, x.where), x.of, streams, x.rate}, alone, before); err != nil {
			return err
		}
	}
	return nil
}

// warmUp lets the server allocate the memory that it needs without streams, so that it is not counted as theirs.
func (w *world) warmUp(ctx context.Context) error {
	prepared, err := requests(newStream(5, time.Now().Add(-24*time.Hour)), []*project{w.project}, 200, 10)
	if err != nil {
		return err
	}
	_, err = w.drive(ctx, prepared, 10, 8)
	return err
}

const (
	liveTime = 20 * time.Second
	// sendsRate is the number of frames that the server sends per second with all streams on one project, however
	// many there are: the clients need as much processor time to receive them.
	sendsRate = 20_000
	// spreadRate is the total number of events per second of the projects with few streams each.
	spreadRate   = 200
	watchersEach = 10
	// unwatchedRate is the number of events per second of a project without streams, so that ingestion can be measured.
	unwatchedRate = 50
)

// shape is a number of streams, spread over projects, and the total events per second of these projects.
type shape struct {
	name     string
	projects []*project
	streams  int
	rate     int
}

// live measures a shape and prints its row. alone is the cost of the same events without streams, before the memory
// of the server without them.
func (w *world) live(ctx context.Context, s shape, alone cpu, before float64) (used cpu, err error) {
	unwatched, err := w.tenants(ctx, 1)
	if err != nil {
		return cpu{}, err
	}
	v, err := w.watch(s.projects, s.streams)
	if err != nil {
		return cpu{}, fmt.Errorf("open %d streams (each takes a file descriptor here and one in the server, see ulimit -n): %w", s.streams, err)
	}
	defer func() { err = errors.Join(err, v.close()) }()
	after, err := w.rss()
	if err != nil {
		return cpu{}, err
	}
	used, err = w.cpu()
	if err != nil {
		return cpu{}, err
	}
	var aside []sending
	var asideErr error
	var both sync.WaitGroup
	both.Go(func() { aside, asideErr = w.trickle(ctx, unwatched, unwatchedRate) })
	sent, err := w.trickle(ctx, s.projects, s.rate)
	both.Wait()
	if err = errors.Join(err, asideErr); err != nil {
		return cpu{}, err
	}
	want := 0
	for k := range sent {
		want += v.of[s.projects[k%len(s.projects)].id]
	}
	arrived, err := v.wait(want, liveTime)
	if err != nil {
		return cpu{}, err
	}
	now, err := w.cpu()
	if err != nil {
		return cpu{}, err
	}
	used = now.since(used)
	w.printf("| %s | ", s.name)
	if s.streams > 0 {
		w.printf("%.1f", (after-before)*1024/float64(s.streams))
	}
	w.printf(" | %d | %d | ", s.rate, want/int(liveTime/time.Second))
	if len(arrived) > 0 {
		latency := make([]time.Duration, len(arrived))
		for k, a := range arrived {
			latency[k] = max(0, a.at.Sub(sent[a.number].answered))
		}
		slices.Sort(latency)
		w.printf("%.1f ms | %.1f ms | %.1f ms", ms(latency[len(latency)/2]), ms(latency[len(latency)*99/100]), ms(latency[len(latency)-1]))
	} else {
		w.printf(" | |")
	}
	var ingestion []time.Duration
	for _, x := range slices.Concat(sent, aside) {
		ingestion = append(ingestion, x.answered.Sub(x.due))
	}
	slices.Sort(ingestion)
	w.printf(" | %.1f ms | %.1f ms | ", ms(ingestion[len(ingestion)/2]), ms(ingestion[len(ingestion)*99/100]))
	if s.streams > 0 { // beyond the cost of the same events without streams
		w.printf("%.1f", float64((used.server-alone.server).Microseconds())/float64(want))
	}
	w.printf(" |\n")
	return used, nil
}

// sending is the planned time of an event's request, and the time of its answer.
type sending struct{ due, answered time.Time }

// arrival is when an event was received.
type arrival struct {
	number int
	at     time.Time
}

// trickle sends one event at a time to the projects in turn, so many a second, whether those before were answered or
// not.
func (w *world) trickle(ctx context.Context, to []*project, rate int) ([]sending, error) {
	var idle []*rawConn // the most recently used one goes first: the server closes idle connections
	var mu sync.Mutex
	conn := func() (*rawConn, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(idle) == 0 {
			return w.dial(ctx)
		}
		c := idle[len(idle)-1]
		idle = idle[:len(idle)-1]
		return c, nil
	}
	defer func() {
		for _, c := range idle {
			_ = c.conn.Close()
		}
	}()
	sent := make([]sending, rate*int(liveTime/time.Second))
	errs := make([]error, len(sent))
	var answers sync.WaitGroup
	start := time.Now()
	for k := range sent {
		due := start.Add(time.Duration(k) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		p := to[k%len(to)]
		body := fmt.Appendf(nil, `{"project_id":%q,"events":[{"name":"page_view","ts":%q,"user_id":"user_123","idempotency_key":"live-%d","props":{"number":%d,"page":"/home","title":"Home","referrer":"https://example.com/"}}]}`,
			p.id, due.UTC().Format(time.RFC3339Nano), time.Now().UnixNano(), k)
		answers.Go(func() {
			c, err := conn()
			if err == nil {
				err = c.send(p.request(body))
				sent[k] = sending{due, time.Now()}
			}
			if errs[k] = err; err == nil {
				mu.Lock()
				idle = append(idle, c)
				mu.Unlock()
			}
		})
	}
	answers.Wait()
	return sent, errors.Join(errs...)
}
