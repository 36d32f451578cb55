package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Backend holds the counts, of this node or of all.
type Backend interface {
	Limiter
	Attempts
}

// ErrUnavailable is why a backend cannot answer now. It costs nothing to find out.
var ErrUnavailable = errors.New("the shared state is not available")

// Local is the backend of one process.
type Local struct {
	now      func() time.Time
	buckets  *table[bucket]
	attempts *table[attempts]
}

// NewLocal returns an empty backend.
func NewLocal(now func() time.Time) *Local {
	return &Local{now: now,
		buckets:  newTable(func(b *bucket) int64 { return b.fullAt }),
		attempts: newTable(func(a *attempts) int64 { return max(a.last, a.knownUntil) })}
}

// State is the shared state with the local one to fall back to.
type State struct {
	remote Backend // nil: there is one node
	local  *Local
	leases *table[lease]
	now    func() time.Time
	log    *slog.Logger

	fallbacks *prometheus.CounterVec
}

// New returns the state; remote is nil where there is one node. now must never go back: a lease would
// last until its end comes again.
func New(remote Backend, now func() time.Time, reg prometheus.Registerer, log *slog.Logger) *State {
	s := &State{remote: remote, local: NewLocal(now), now: now, log: log,
		leases: newTable(func(l *lease) int64 { return l.used }),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_shared_fallbacks_total",
			Help: "Questions to the shared state that this node answered alone, because Redis was away."}, []string{"use"}),
	}
	reg.MustRegister(s.fallbacks)
	for _, use := range []string{"limits", "attempts"} {
		s.fallbacks.WithLabelValues(use) // a series that begins with its first increment hides that one from rate()
	}
	return s
}

func (s *State) fallBack(ctx context.Context, use string, err error) {
	s.fallbacks.WithLabelValues(use).Inc()
	if !errors.Is(err, ErrUnavailable) {
		s.log.WarnContext(ctx, "the shared state failed; this node answers alone", "use", use, "error", err)
	}
}

// Begin is that of Attempts, and never fails: where the nodes cannot be asked, this one counts alone.
func (s *State) Begin(ctx context.Context, key Key, sch Schedule) (Attempt, error) {
	if s.remote != nil {
		a, err := s.remote.Begin(ctx, key, sch)
		if err == nil {
			return a, nil
		}
		s.fallBack(ctx, "attempts", err)
	}
	return s.local.Begin(ctx, key, sch)
}

// Undo is that of Attempts.
func (s *State) Undo(ctx context.Context, key Key) error {
	if s.remote != nil {
		err := s.remote.Undo(ctx, key)
		if err == nil {
			return nil
		}
		s.fallBack(ctx, "attempts", err)
	}
	return s.local.Undo(ctx, key)
}

// Succeed is that of Attempts.
func (s *State) Succeed(ctx context.Context, key Key, remember time.Duration) error {
	if s.remote != nil {
		err := s.remote.Succeed(ctx, key, remember)
		if err == nil {
			return nil
		}
		s.fallBack(ctx, "attempts", err)
	}
	return s.local.Succeed(ctx, key, remember)
}
