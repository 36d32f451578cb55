package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Question reads everything that one answer is made of from the pool, and nothing from elsewhere. It may be called a second
// time, with another pool, after it has failed.
type Question func(ctx context.Context, pool *pgxpool.Pool) error

// Reads are the databases that questions may be asked of.
type Reads struct {
	primary  *pgxpool.Pool
	standby  *pgxpool.Pool // nil without one
	standing atomic.Pointer[standing]

	watch   *watch
	metrics *metrics
	log     *slog.Logger
	stop    context.CancelFunc
	done    chan struct{}
}

// standing is what the last measurement found of the standby.
type standing struct {
	unfit  string // why it is not asked, one of the reasons; empty when it is
	detail error  // the same in words
	// present ends when the standby goes away, and with it what it is being asked. A standby that has only fallen behind
	// ends what it has begun: it was fit then.
	present context.Context
	leave   context.CancelFunc
}

// The reasons for which the primary is asked instead, as the metric names them.
const (
	away   = "away"   // it does not answer, or is no standby of the primary
	behind = "behind" // further than the greatest lag
	failed = "failed" // it could not answer this one question
)

// Without is for an installation without a standby: the primary is asked.
func Without(primary *pgxpool.Pool) *Reads { return &Reads{primary: primary} }

// Config says which standby there is, and how old its answers may be.
type Config struct {
	URL      string
	PoolSize int
	MaxLag   time.Duration // 0: any
	Options  []postgres.Option
}

// Open begins to watch a standby; until the first measurement the primary is asked. Close must be called. It fails only
// when the URL cannot be understood.
func Open(ctx context.Context, primary *pgxpool.Pool, cfg Config, reg prometheus.Registerer, log *slog.Logger) (*Reads, error) {
	standby, err := postgres.Open(ctx, cfg.URL, cfg.PoolSize, append(cfg.Options, postgres.WithReadOnly())...)
	if err != nil {
		return nil, err
	}
	w, err := newWatch(ctx, primary, standby, cfg.MaxLag)
	if err != nil {
		standby.Close()
		return nil, err
	}
	r := &Reads{primary: primary, standby: standby, watch: w, metrics: newMetrics(reg), log: log, done: make(chan struct{})}
	r.standing.Store(r.next(away, errors.New("it has not been asked yet")))
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.run(running)
	return r, nil
}

// Ask has a question answered by the standby when it is fit, and else, or when it then fails, by the primary.
func (r *Reads) Ask(ctx context.Context, question Question) error {
	if r.standby == nil {
		return question(ctx, r.primary)
	}
	now := r.standing.Load()
	if now.unfit != "" {
		r.metrics.fallbacks.WithLabelValues(now.unfit).Inc()
		return question(ctx, r.primary)
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(now.present, cancel)
	defer stop()
	err := question(asked, r.standby)
	if err == nil || ctx.Err() != nil || asked.Err() == nil && isAnswer(err) {
		return err
	}
	r.log.WarnContext(ctx, "the replica could not answer a question; the primary is asked", "error", err)
	r.metrics.fallbacks.WithLabelValues(failed).Inc()
	return question(ctx, r.primary)
}

// Primary is for what must see everything that was acknowledged.
func (r *Reads) Primary() *pgxpool.Pool { return r.primary }

// isAnswer says that the primary would say the same: the question itself is at fault, or too heavy.
func isAnswer(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) || postgres.IsStatementTimeout(err)
}

// Configured says whether there is a standby at all.
func (r *Reads) Configured() bool { return r.standby != nil }

// Health is why the standby is not asked at the moment, nil when it is, in words that everyone may read.
func (r *Reads) Health() error {
	detail := r.standing.Load().detail
	if errors.Is(detail, errNoAnswer) {
		return errNoAnswer
	}
	return detail
}

// Close stops the watch and closes the connections to the standby. The primary is the caller's.
func (r *Reads) Close() {
	if r.standby == nil {
		return
	}
	r.stop()
	<-r.done
	r.standing.Load().leave()
	r.watch.close(r.log)
	postgres.Close(r.standby, r.log)
}

func (r *Reads) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		found, err := r.watch.measure(ctx)
		if ctx.Err() != nil {
			return
		}
		r.metrics.set(found, err)
		switch {
		case err != nil:
			r.change(away, err)
		case !r.watch.fit(found):
			r.change(behind, found)
		default:
			r.change("", nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// change takes note of what was measured, and says so where it is news.
func (r *Reads) change(unfit string, detail error) {
	before := r.standing.Load()
	next := r.next(unfit, detail)
	r.standing.Store(next)
	if unfit == away && before.unfit != away {
		before.leave()
	}
	if unfit == before.unfit {
		return
	}
	if unfit == "" {
		r.log.Info("the replica answers questions")
	} else {
		r.log.Warn("the replica is not asked; the primary answers questions", "because", fmt.Sprint(detail))
	}
}

// next is the standing after the one there is; what is asked under that goes on under it.
func (r *Reads) next(unfit string, detail error) *standing {
	s := &standing{unfit: unfit, detail: detail}
	if before := r.standing.Load(); before != nil && before.present.Err() == nil {
		s.present, s.leave = before.present, before.leave
		return s
	}
	s.present, s.leave = context.WithCancel(context.Background())
	return s
}
