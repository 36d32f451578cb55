package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/bahagh/nimbus/internal/platform/bus"
)

// What travels is the kind, the sender and the message: a node passes its own messages on directly, and takes no notice
// when Redis brings them back.
const (
	kindMessage = "m"
	kindLost    = "l"
	channels    = "nimbus:bus:"
	// confirmTime is how long Subscribe waits for Redis; what comes later begins with a loss.
	confirmTime = time.Second
)

type channelState struct {
	sender string        // of this node, of a fixed length
	wake   chan struct{} // wakes the listening loop: the channels that are wanted have changed

	mu      sync.Mutex
	active  map[string]struct{}      // channels that Redis has confirmed on this connection
	waiting map[string]chan struct{} // closed when the channel becomes active
	late    map[string]struct{}      // channels to be told of a loss when they become active
	missed  map[string]struct{}      // channels whose other listeners did not get a message of this node
}

func newChannelState() *channelState {
	return &channelState{sender: rand.Text(), wake: make(chan struct{}, 1), active: make(map[string]struct{}),
		waiting: make(map[string]chan struct{}), late: make(map[string]struct{}), missed: make(map[string]struct{})}
}

// Publish implements bus.Bus.
func (c *Client) Publish(ctx context.Context, channel string, message []byte) error {
	c.Deliver(channel, message)
	if err := c.publish(ctx, kindMessage, channel, message); err != nil {
		c.bus.mu.Lock()
		defer c.bus.mu.Unlock()
		c.bus.missed[channel] = struct{}{}
		return err
	}
	return nil
}

func (c *Client) publish(ctx context.Context, kind, channel string, message []byte) error {
	var b strings.Builder
	b.Grow(1 + len(c.bus.sender) + len(message))
	b.WriteString(kind)
	b.WriteString(c.bus.sender)
	b.Write(message)
	return c.call(ctx, func(ctx context.Context, client rueidis.Client) error {
		return client.Do(ctx, client.B().Publish().Channel(channels+channel).Message(b.String()).Build()).Error()
	})
}

// tellLost tells the other nodes, now that Redis is back, what they have missed of this one.
func (c *Client) tellLost(ctx context.Context) {
	c.bus.mu.Lock()
	missed := c.bus.missed
	c.bus.missed = make(map[string]struct{})
	c.bus.mu.Unlock()
	for channel := range missed {
		if c.publish(ctx, kindLost, channel, nil) != nil {
			c.bus.mu.Lock()
			c.bus.missed[channel] = struct{}{}
			c.bus.mu.Unlock()
		}
	}
}

// Subscribe implements bus.Bus. It waits until Redis has confirmed, or tells the loss when that comes later.
func (c *Client) Subscribe(channel string, receive func(message []byte), lost func()) (stop func()) {
	leave := c.Hub.Subscribe(channel, receive, lost)
	if confirmed := c.bus.await(channel); confirmed != nil {
		patience := confirmTime
		if !c.up.Load() {
			patience = 0
		}
		select {
		case <-confirmed:
		case <-time.After(patience):
			c.bus.tooLate(channel)
		}
	}
	return func() {
		leave()
		c.bus.poke()
	}
}

// await returns a channel that is closed when the bus channel becomes active; nil when it is active.
func (b *channelState) await(channel string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.active[channel]; ok {
		return nil
	}
	if b.waiting[channel] == nil {
		b.waiting[channel] = make(chan struct{})
	}
	b.poke()
	return b.waiting[channel]
}

func (b *channelState) tooLate(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late[channel] = struct{}{}
}

// confirm notes that the channel is active, and reports whether its listeners are to be told of a loss.
func (b *channelState) confirm(channel string) (late bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active[channel] = struct{}{}
	if w := b.waiting[channel]; w != nil {
		close(w)
	}
	_, late = b.late[channel]
	delete(b.waiting, channel)
	delete(b.late, channel)
	return late
}

// disconnected makes every channel one that has lost something.
func (b *channelState) disconnected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for channel := range b.active {
		b.late[channel] = struct{}{}
	}
	clear(b.active)
}

func (b *channelState) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// listen keeps one connection that is subscribed to what the hub's listeners want.
func (c *Client) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if p := c.client.Load(); p != nil && c.up.Load() {
			err := c.listenOn(ctx, *p)
			c.bus.disconnected()
			if ctx.Err() == nil {
				c.log.Warn("lost the connection that listens to the other nodes; listening anew", "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(downPeriod):
		}
	}
}

// listenOn listens until the connection is lost.
func (c *Client) listenOn(ctx context.Context, client rueidis.Client) error {
	conn, release := client.Dedicate()
	defer release()
	defer conn.Close()
	ended := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) { c.receive(strings.TrimPrefix(m.Channel, channels), m.Message) },
	})
	for {
		if err := c.subscribe(ctx, conn); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return fmt.Errorf("the connection ended: %w", err)
		case <-c.bus.wake:
		}
	}
}

// subscribe makes the connection's subscriptions those that the hub has. Listeners are told of a loss once they are
// subscribed again: what is lost between an earlier telling and that would be lost without a word.
func (c *Client) subscribe(ctx context.Context, conn rueidis.DedicatedClient) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	begin, end := c.bus.changes(&c.Hub)
	for _, channel := range begin {
		if err := conn.Do(ctx, conn.B().Subscribe().Channel(channels+channel).Build()).Error(); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		if c.bus.confirm(channel) {
			c.Lost(channel)
		}
	}
	for _, channel := range end {
		if err := conn.Do(ctx, conn.B().Unsubscribe().Channel(channels+channel).Build()).Error(); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	return nil
}

// changes returns the channels to subscribe and those to unsubscribe. The latter are not active from now on, so that
// a subscriber that comes in the meantime waits for the next confirmation.
func (b *channelState) changes(hub *bus.Hub) (begin, end []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted := make(map[string]struct{})
	for _, channel := range hub.Channels() {
		wanted[channel] = struct{}{}
		if _, ok := b.active[channel]; !ok {
			begin = append(begin, channel)
		}
	}
	for channel := range b.active {
		if _, ok := wanted[channel]; !ok {
			end = append(end, channel)
			delete(b.active, channel)
		}
	}
	return begin, end
}

// receive passes on what other nodes sent.
func (c *Client) receive(channel, raw string) {
	head := len(kindMessage) + len(c.bus.sender)
	if len(raw) < head || raw[len(kindMessage):head] == c.bus.sender {
		return
	}
	switch raw[:len(kindMessage)] {
	case kindMessage:
		c.Deliver(channel, []byte(raw[head:]))
	case kindLost:
		c.Lost(channel)
	}
}
