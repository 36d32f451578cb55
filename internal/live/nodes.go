package live

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

type outgoing struct {
	channel string
	message []byte
}

// outboxMessages bounds the messages that wait for the bus. More are dropped, and the receivers notice by the numbers.
const outboxMessages = 1_024

// post queues a message for the bus, or drops it when the outbox is full: back-pressure must not reach ingestion.
func (h *Hub) post(channel string, message []byte) {
	select {
	case h.outbox <- outgoing{channel, message}:
	default:
		h.metrics.dropped.Inc()
	}
}

func (h *Hub) drainOutbox(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-h.outbox:
			h.deliver(context.WithoutCancel(ctx), m)
		}
	}
}

func (h *Hub) deliver(ctx context.Context, m outgoing) {
	if err := h.bus.Publish(ctx, m.channel, m.message); err != nil {
		h.metrics.dropped.Inc()
		h.log.Warn("live events did not reach the other nodes", "error", err)
	}
}

// sendControl queues a control message for the other nodes.
func (h *Hub) sendControl(c control) {
	c.Node = h.node
	b, err := json.Marshal(c)
	if err != nil {
		h.log.Error("encode a message to the other nodes", "error", err)
		return
	}
	h.post(controlChannel, b)
}

func (h *Hub) want(projects ...uuid.UUID) { h.sendControl(control{Want: projects}) }

// announce tells the other nodes which projects have subscribers here.
func (h *Hub) announce() {
	h.mu.RLock()
	topics := make([]*topic, 0, len(h.topics))
	for _, t := range h.topics {
		topics = append(topics, t)
	}
	h.mu.RUnlock()
	var projects []uuid.UUID
	for _, t := range topics {
		t.mu.RLock()
		if t.keeps {
			projects = append(projects, t.project)
		}
		t.mu.RUnlock()
	}
	const perMessage = 1_000
	for part := range slices.Chunk(projects, perMessage) {
		h.want(part...)
	}
}

// receiveControl handles a control message of another node.
func (h *Hub) receiveControl(b []byte) {
	var c control
	if err := json.Unmarshal(b, &c); err != nil {
		h.log.Warn("a message of another node cannot be read", "error", err)
		return
	}
	if c.Node == h.node {
		return
	}
	if c.Ask {
		h.announce()
	}
	for _, s := range c.Used {
		h.tickets.spend(s)
	}
	for _, project := range c.Forget {
		h.forget(project)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	until := time.Now().Add(h.cfg.Wanted)
	for _, project := range c.Want {
		t := h.topic(project)
		t.mu.Lock()
		t.wantedUntil = until
		// Our sequence number: from here on the other node notices missing events.
		t.send(&message{source: t.own, first: t.seq + 1})
		t.mu.Unlock()
	}
}
