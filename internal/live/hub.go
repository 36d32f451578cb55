package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/bus"
)

// Config bounds the hub.
type Config struct {
	MaxStreams int // on this node
	PerProject int // of one project on this node
	RingEvents int // kept of a project with a subscriber
	RingBytes  int // the same in bytes
	TotalBytes int // of all projects together

	Heartbeat time.Duration // a stream without events is pinged this often
	PongTime  time.Duration // how long the answer may take
	WriteTime time.Duration // how long a client may take to receive what is sent
	Recheck   time.Duration // credentials are checked again this often
	Linger    time.Duration // a project's events are kept this long after its last stream, for clients that reconnect
	RoundTime time.Duration // events that follow each other faster than this are sent together
	Announce  time.Duration // interval at which a node announces its projects with subscribers to the other nodes
	Wanted    time.Duration // an announcement is valid this long
}

// DefaultConfig suits a node with a few hundred megabytes of free memory.
func DefaultConfig() Config {
	return Config{
		MaxStreams: 10_000, PerProject: 1_000, RingEvents: 4_096, RingBytes: 4 << 20, TotalBytes: 128 << 20,
		Heartbeat: 20 * time.Second, PongTime: 20 * time.Second, WriteTime: 10 * time.Second, Recheck: 3 * time.Second,
		RoundTime: 5 * time.Millisecond, Linger: time.Minute, Announce: 5 * time.Second, Wanted: 20 * time.Second,
	}
}

// Revive verifies the credentials behind a principal again and returns what they prove now. Its errors are those of a
// request.
type Revive func(ctx context.Context, p *auth.Principal) (*auth.Principal, error)

// Access returns an error unless the caller in the context may read the project.
type Access func(ctx context.Context, project uuid.UUID) error

// Hub sends stored events to the subscribers of this node, and over the bus to the other nodes.
type Hub struct {
	cfg     Config
	bus     bus.Bus
	node    uint64
	revive  Revive
	access  Access
	tickets *tickets
	metrics *liveMetrics
	now     func() time.Time
	log     *slog.Logger

	topicCount atomic.Int64 // the only thing that storing an event reads while there is no subscriber
	ringCount  atomic.Int64 // topics with a ring
	streams    atomic.Int64

	mu      sync.RWMutex
	closing bool
	topics  map[uuid.UUID]*topic
	callers map[callerKey]*caller

	writers chan struct{} // semaphore of the goroutines that may write to streams at once
	outbox  chan outgoing
	quit    context.CancelFunc
	loops   sync.WaitGroup
	served  sync.WaitGroup // streams
}

type callerKey struct {
	kind             auth.Kind
	session, project uuid.UUID
	key              string
}

// Options are the dependencies of a hub.
type Options struct {
	Config   Config
	Bus      bus.Bus
	Secrets  [][]byte // the key that signs tickets, then the previous ones
	Revive   Revive
	Access   Access
	Registry prometheus.Registerer
	Now      func() time.Time
	Log      *slog.Logger
}

// New returns a hub that runs until Close.
func New(o Options) (*Hub, error) {
	t, err := newTickets(o.Secrets, o.Now)
	if err != nil {
		return nil, err
	}
	ctx, quit := context.WithCancel(context.Background())
	h := &Hub{cfg: o.Config, bus: o.Bus, node: newSourceID(), revive: o.Revive, access: o.Access, tickets: t, now: o.Now, log: o.Log,
		topics: make(map[uuid.UUID]*topic), callers: make(map[callerKey]*caller),
		writers: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), outbox: make(chan outgoing, outboxMessages), quit: quit}
	h.metrics = newMetrics(o.Registry, func() float64 { return float64(h.streams.Load()) })
	h.start(ctx)
	return h, nil
}

// start begins the loops of the hub, which end with ctx.
func (h *Hub) start(ctx context.Context) {
	stop := h.bus.Subscribe(controlChannel, h.receiveControl, h.announce)
	h.loops.Go(func() {
		defer stop()
		h.every(ctx, min(h.cfg.Announce, h.cfg.Linger), h.sweep)
	})
	h.loops.Go(func() { h.every(ctx, h.cfg.Recheck, func() { h.recheck(ctx) }) })
	h.loops.Go(func() { h.every(ctx, max(h.cfg.Heartbeat/heartbeatSteps, time.Millisecond), h.heartbeat) })
	h.loops.Go(func() { h.drainOutbox(ctx) })
	h.sendControl(control{Ask: true}) // so that the others get the first events that this node stores
}

func (h *Hub) every(ctx context.Context, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// Stored publishes committed events of a project: for each, its name and its JSON (StoredEvent of the contract). The
// sequence is read only when there is a subscriber, and before Stored returns. It never blocks.
func (h *Hub) Stored(project uuid.UUID, events iter.Seq2[string, []byte]) {
	if h.topicCount.Load() == 0 {
		return
	}
	if t := h.known(project); t != nil {
		t.publish(events)
	}
}

// known is the topic of a project; nil when there is none on this node.
func (h *Hub) known(project uuid.UUID) *topic {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.topics[project]
}

// Forget drops the events of a project that are kept for streams that resume or are behind, on every node: somebody's are to be gone.
// Those streams are told that they missed them.
func (h *Hub) Forget(project uuid.UUID) {
	h.forget(project)
	h.sendControl(control{Forget: []uuid.UUID{project}})
}

func (h *Hub) forget(project uuid.UUID) {
	if t := h.known(project); t != nil {
		t.forget()
	}
}

// subscribe opens a stream of a project for the principal of the context. c is the cursor to resume from, or nil.
//
// Errors: 503 at the node's limit of streams or while it stops; 429 at the project's limit. The caller has checked
// the access.
func (h *Hub) subscribe(ctx context.Context, project uuid.UUID, d transport, names []string, c *cursor) (*Subscription, error) {
	h.mu.Lock()
	if err := h.admit(project); err != nil {
		h.mu.Unlock()
		return nil, err
	}
	t := h.topic(project)
	if t.expect() {
		h.ringCount.Add(1)
	}
	h.mu.Unlock()
	t.listen(h.bus)

	h.mu.Lock()
	defer h.mu.Unlock()
	defer t.joined()
	if err := h.admit(project); err != nil {
		return nil, err
	}
	s := t.join(d, names, c)
	p := auth.From(ctx)
	key := callerKey{kind: p.Kind, session: p.SessionID, project: project, key: p.KeyID}
	s.caller = h.callers[key]
	if s.caller == nil {
		s.caller = &caller{principal: p, project: project, streams: make(map[*Subscription]struct{})}
		h.callers[key] = s.caller
	}
	s.caller.streams[s] = struct{}{}
	h.streams.Add(1)
	h.served.Add(1)
	return s, nil
}

// admit returns the error when a project can have no more streams. h.mu is held.
func (h *Hub) admit(project uuid.UUID) error {
	if h.closing {
		return &problem.Error{Code: problem.CodeShuttingDown, RetryAfter: time.Second,
			Detail: "The server is shutting down. Connect again."}
	}
	if h.streams.Load() >= int64(h.cfg.MaxStreams) {
		return &problem.Error{Code: problem.CodeTooManyStreams, RetryAfter: 5 * time.Second,
			Detail: fmt.Sprintf("%d live streams are open, which is the limit of this node.", h.cfg.MaxStreams)}
	}
	if t := h.topics[project]; t != nil && t.full() {
		return &problem.Error{Code: problem.CodeTooManyProjectStreams, RetryAfter: 5 * time.Second,
			Detail: fmt.Sprintf("%d live streams of this project are open, which is its limit on this node.", h.cfg.PerProject)}
	}
	return nil
}

// serve gives a stream its connection, and the reader with the bytes of it that were read ahead.
func (h *Hub) serve(s *Subscription, conn net.Conn, in *bufio.Reader) {
	s.open(conn)
	go func() {
		defer h.unsubscribe(s)
		s.read(in)
	}()
}

// unsubscribe ends a stream.
func (h *Hub) unsubscribe(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.leave(time.Now())
	delete(s.caller.streams, s)
	if len(s.caller.streams) == 0 {
		p := s.caller.principal
		delete(h.callers, callerKey{kind: p.Kind, session: p.SessionID, project: s.caller.project, key: p.KeyID})
	}
	h.streams.Add(-1)
	h.served.Done()
}

// topic returns the topic of a project and creates it if needed. h.mu is held.
func (h *Hub) topic(project uuid.UUID) *topic {
	t := h.topics[project]
	if t == nil {
		t = newTopic(h, project)
		h.topics[project] = t
		h.topicCount.Add(1)
	}
	return t
}

// ringBytes is the memory of one project's ring: RingBytes, or less when many projects share TotalBytes.
func (h *Hub) ringBytes() int {
	return min(h.cfg.RingBytes, h.cfg.TotalBytes/int(max(1, h.ringCount.Load())))
}

// Ticket returns the principal of a ticket for the project and marks the ticket as used.
//
// Errors: invalid_ticket, or those of credentials that have ended since the ticket was made.
func (h *Hub) Ticket(ctx context.Context, ticket, project string) (*auth.Principal, error) {
	id, err := uuid.Parse(project)
	if err != nil {
		return nil, problem.NotFound()
	}
	p, s, err := h.tickets.open(ticket, id)
	if err != nil {
		return nil, err
	}
	if p, err = h.revive(ctx, p); err != nil {
		return nil, err
	}
	if !h.tickets.spend(s) {
		return nil, problem.New(problem.CodeInvalidTicket, "The ticket was used before. Get a new one for each stream.")
	}
	h.sendControl(control{Used: []spent{s}})
	return p, nil
}

// sweep announces the projects with subscribers, and removes topics and tickets that are no longer needed.
func (h *Hub) sweep() {
	h.announce()
	h.tickets.forget()
	var stops []func()
	h.mu.Lock()
	now := time.Now()
	for project, t := range h.topics {
		stop, idle := t.expire(now, h.cfg.Linger)
		if stop != nil {
			stops = append(stops, stop)
			h.ringCount.Add(-1)
		}
		if idle {
			close(t.closed)
			delete(h.topics, project)
			h.topicCount.Add(-1)
		}
	}
	h.mu.Unlock()
	for _, stop := range stops { // without the lock: the bus may be waiting for the topic
		stop()
	}
}

// recheck ends the streams of callers that have lost access. While the database does not answer no stream is ended:
// nothing is stored then either. The first check without an answer stops this pass, because each of the others would
// wait as long; map iteration gives every pass another order.
func (h *Hub) recheck(ctx context.Context) {
	h.mu.RLock()
	callers := make([]*caller, 0, len(h.callers))
	for _, c := range h.callers {
		callers = append(callers, c)
	}
	h.mu.RUnlock()
	for _, c := range callers {
		e, over, err := h.verdict(ctx, c)
		if err != nil {
			h.log.Warn("the credentials of live streams could not be checked", "error", err)
			return
		}
		if !over {
			continue
		}
		h.mu.RLock()
		streams := slices.Collect(maps.Keys(c.streams))
		h.mu.RUnlock()
		for _, s := range streams {
			s.finish(e)
		}
	}
}

// heartbeatSteps is how many times per heartbeat interval the streams are checked, so that not all are pinged at once.
const heartbeatSteps = 20

func (h *Hub) heartbeat() {
	h.mu.RLock()
	topics := slices.Collect(maps.Values(h.topics))
	h.mu.RUnlock()
	now := time.Now()
	var streams []*Subscription
	for _, t := range topics {
		t.mu.RLock()
		streams = append(streams[:0], t.streams...)
		t.mu.RUnlock()
		for _, s := range streams {
			s.heartbeat(now)
		}
	}
}

// checkTime bounds the check of one caller.
const checkTime = 5 * time.Second

func (h *Hub) verdict(ctx context.Context, c *caller) (e end, over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	p, err := h.revive(ctx, c.principal)
	if err == nil {
		err = h.access(auth.WithPrincipal(ctx, p), c.project)
	}
	var refused *problem.Error
	if errors.As(err, &refused) {
		switch problem.KindOf(refused.Code).Status {
		case http.StatusUnauthorized:
			return end{code: codeUnauthenticated, reason: "The session or the key has ended."}, true, nil
		case http.StatusForbidden, http.StatusNotFound:
			return end{code: codeNotFound, reason: "There is no such project, or it is no longer yours."}, true, nil
		}
	}
	return end{}, false, err
}

// Drain ends every stream with its last cursor and waits for that until ctx ends. New streams are refused. Events
// stored from here on are still published to the other nodes.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	h.closing = true
	var streams []*Subscription
	for _, c := range h.callers {
		streams = slices.AppendSeq(streams, maps.Keys(c.streams))
	}
	h.mu.Unlock()
	for _, s := range streams {
		s.finish(end{code: codeGoingAway, reason: "The server is shutting down; connect again with the cursor."})
	}
	done := make(chan struct{})
	go func() {
		h.served.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		h.log.Warn("live streams were cut off", "left", h.streams.Load())
	}
}

// Close drains, publishes the outbox, and stops all loops. Nothing may be stored after it.
func (h *Hub) Close(ctx context.Context) {
	h.Drain(ctx)
	h.quit()
	h.loops.Wait()
	h.mu.RLock()
	for _, t := range h.topics {
		t.announceEnd()
	}
	h.mu.RUnlock()
	for {
		select {
		case m := <-h.outbox:
			h.deliver(ctx, m)
			continue
		default:
		}
		break
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		close(t.closed)
	}
	clear(h.topics)
}
