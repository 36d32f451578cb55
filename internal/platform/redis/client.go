package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"

	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

const (
	dialTime = time.Second
	// While Redis answers it is probed this often, so that a hanging one is mostly noticed before a request does.
	upPeriod = time.Second
	// While it does not, this often, so that the nodes limit together again soon.
	downPeriod = 200 * time.Millisecond
	probeTime  = 250 * time.Millisecond
)

// Client is a connection to Redis that may be away. It implements ratelimit.Backend and bus.Bus.
type Client struct {
	bus.Hub

	option  rueidis.ClientOption
	timeout time.Duration
	log     *slog.Logger
	client  atomic.Pointer[rueidis.Client] // nil before the first connection
	up      atomic.Bool                    // it answers
	full    atomic.Bool                    // it answers, and takes no writes
	kick    chan struct{}                  // wakes the prober: a call failed
	bus     *channelState                  // which channels Redis has confirmed

	failures prometheus.Counter
	stop     context.CancelFunc
	done     sync.WaitGroup
}

var (
	_ ratelimit.Backend = (*Client)(nil)
	_ bus.Bus           = (*Client)(nil)
)

// Check says what is wrong with a URL, if anything.
func Check(dsn string) error {
	_, err := option(dsn)
	return err
}

func option(dsn string) (rueidis.ClientOption, error) {
	o, err := rueidis.ParseURL(dsn)
	// "redis:6379" is a URL of that scheme, and one that names no host; the library would take it for localhost.
	if u, uerr := url.Parse(dsn); err != nil || uerr != nil || u.Host == "" && u.Scheme != "unix" {
		// The library's own words may quote the password.
		return o, errors.New("must be redis://[user:password@]host:port[/db], rediss://… for TLS, or unix:///path/of/socket")
	}
	o.ForceSingleClient = true // one primary, or what stands for it: limits need one order of things
	o.DisableCache = true
	o.DisableRetry = true // a call that got no answer may have been carried out: asking twice would count twice
	o.ConnWriteTimeout = time.Second
	o.Dialer = net.Dialer{Timeout: dialTime, KeepAlive: upPeriod}
	o.ClientName = "nimbus"
	return o, nil
}

// Open returns a client and tries once to connect; where Redis is away it goes on trying. The only error is a URL that
// cannot be one. timeout is how long a call may take. Close must be called.
func Open(ctx context.Context, dsn string, timeout time.Duration, reg prometheus.Registerer, log *slog.Logger) (*Client, error) {
	o, err := option(dsn)
	if err != nil {
		return nil, err
	}
	c := &Client{option: o, timeout: timeout, log: log, kick: make(chan struct{}, 1), bus: newChannelState(),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_redis_failures_total",
			Help: "Calls to Redis that got no answer or an error."})}
	reg.MustRegister(c.failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_redis_up",
		Help: "Whether Redis answers (1) or this node goes on alone (0)."}, func() float64 {
		if c.up.Load() {
			return 1
		}
		return 0
	}))
	if err := c.probe(ctx); err != nil {
		log.Warn("Redis does not answer; this node goes on alone until it does", "error", err)
	} else {
		c.up.Store(true)
	}
	run, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.done.Go(func() { c.watch(run) })
	c.done.Go(func() { c.listen(run) })
	return c, nil
}

// Close ends the connections.
func (c *Client) Close() {
	c.stop()
	c.done.Wait()
	if p := c.client.Load(); p != nil {
		(*p).Close()
	}
}

// Health is an error while Redis does not do what is asked of it.
func (c *Client) Health() error {
	if !c.up.Load() {
		return errors.New("no answer from Redis: limits count for each node alone")
	}
	if c.full.Load() {
		return errors.New("no room in Redis, which is full and takes no writes (set maxmemory-policy volatile-ttl): limits count for each node alone")
	}
	return nil
}

// watch probes, and says when Redis goes away and comes back.
func (c *Client) watch(ctx context.Context) {
	for {
		period := upPeriod
		if !c.up.Load() || c.full.Load() {
			period = downPeriod
		}
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
			c.log.Warn("Redis does not answer; this node goes on alone until it does")
			continue
		case <-time.After(period):
		}
		switch err := c.probe(ctx); {
		case err != nil && ctx.Err() == nil:
			c.fail()
		case err == nil && !c.up.Swap(true):
			c.log.Info("Redis answers again")
			c.tellLost(ctx)
		}
	}
}

// probe connects when there is no connection yet, and does what calls need: a script that writes.
func (c *Client) probe(ctx context.Context) error {
	p := c.client.Load()
	if p == nil {
		client, err := rueidis.NewClient(c.option)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		p = &client
		c.client.Store(p)
	}
	ctx, cancel := context.WithTimeout(ctx, max(probeTime, c.timeout))
	defer cancel()
	_, err := c.take(ctx, *p, "nimbus:probe", ratelimit.Rate{PerMinute: ratelimit.MaxPerMinute}, 1)
	if isFull(err) {
		c.setFull(true)
		return nil // it answers, and carries messages
	}
	if err == nil {
		c.setFull(false)
	}
	return err
}

// isFull says that Redis has no room (maxmemory) and evicts nothing (noeviction). Commands that write are refused then, and
// all others work: messages between nodes, above all.
func isFull(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(reply.Error(), "OOM ")
}

func (c *Client) setFull(full bool) {
	switch was := c.full.Swap(full); {
	case full && !was:
		c.log.Warn("Redis is full and takes no writes; this node limits alone until it does")
	case was && !full:
		c.log.Info("Redis takes writes again")
	}
}

// write is call for what Redis refuses while it is full.
func (c *Client) write(ctx context.Context, do func(context.Context, rueidis.Client) error) error {
	if c.full.Load() {
		return ratelimit.ErrUnavailable
	}
	return c.call(ctx, do)
}

// fail closes the way to Redis until the prober finds that it answers.
func (c *Client) fail() {
	if c.up.Swap(false) {
		select {
		case c.kick <- struct{}{}:
		default:
		}
	}
}

// call does one round trip. It does not end with the caller's context: a caller who went away says nothing about Redis.
func (c *Client) call(ctx context.Context, do func(context.Context, rueidis.Client) error) error {
	p := c.client.Load()
	if p == nil || !c.up.Load() {
		return ratelimit.ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	if err := do(ctx, *p); err != nil {
		c.failures.Inc()
		if isFull(err) {
			c.setFull(true)
			return ratelimit.ErrUnavailable
		}
		c.fail()
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
