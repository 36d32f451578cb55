package mail

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	queueLength = 1000
	attempts    = 3
	// firstPause is how long the second attempt waits; the third waits twice as long.
	firstPause = 2 * time.Second
	// workTime bounds what makes one message.
	workTime = 10 * time.Second
)

// Work makes a message, nil when there is nothing to send.
type Work func(ctx context.Context) (*Message, error)

// Outbox sends mails in the background. A nil Outbox is a server that sends none.
type Outbox struct {
	send   func(ctx context.Context, m *Message) error
	public string
	queue  chan entry
	log    *slog.Logger
	pause  time.Duration
	failed prometheus.Counter
}

type entry struct {
	kind string
	work Work
}

// NewOutbox returns an outbox that sends with send. public is where people reach the server, without a slash at the end. It
// sends nothing until Run.
func NewOutbox(send func(ctx context.Context, m *Message) error, public string, reg prometheus.Registerer, log *slog.Logger) *Outbox {
	o := &Outbox{send: send, public: public, queue: make(chan entry, queueLength), log: log, pause: firstPause,
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_mails_failed_total", Help: "Mails that could not be sent."})}
	reg.MustRegister(o.failed)
	return o
}

// Link returns the address of a page of this server. It never goes by the Host of a request: a stranger chooses that, and
// would get the token of whoever follows his link.
func (o *Outbox) Link(path string) string { return o.public + path }

// Enqueue has the message that work makes sent; work runs in the background too. kind names it in the log. It reports false
// when too much is waiting already.
func (o *Outbox) Enqueue(kind string, work Work) bool {
	select {
	case o.queue <- entry{kind, work}:
		return true
	default:
		return false
	}
}

// Run sends until ctx ends.
func (o *Outbox) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-o.queue:
			if err := o.deliver(ctx, e); err != nil && ctx.Err() == nil {
				o.failed.Inc()
				o.log.Warn("a mail was not sent", "kind", e.kind, "error", err)
			}
		}
	}
}

func (o *Outbox) deliver(ctx context.Context, e entry) error {
	within, cancel := context.WithTimeout(ctx, workTime)
	m, err := e.work(within)
	cancel()
	if err != nil || m == nil {
		return err
	}
	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(attempt) * o.pause):
			}
		}
		if err = o.send(ctx, m); err == nil {
			return nil
		}
	}
	return err
}
