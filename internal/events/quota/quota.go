package quota

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Limits are what a project may store. 0 is no limit.
type Limits struct {
	EventsPerDay int64 // of a UTC day of this server, whatever the time of the events
	StoredBytes  int64 // on disk, counts included; about
	EventNames   int   // that are counted by themselves
}

// Overrides are the limits that the operator gives a project. A nil one is the default of the instance.
type Overrides struct {
	EventsPerDay *int64
	StoredBytes  *int64
	EventNames   *int32
}

// Config is what a Keeper needs beside the database.
type Config struct {
	Defaults Limits
	// Free returns how many bytes the database has left. Nil where only the database's own host could tell.
	Free    func() (uint64, error)
	MinFree uint64 // bytes that are kept free; 0 for none
	Now     func() time.Time
}

// Keeper knows what the projects that send events to this node have stored, and what they may.
type Keeper struct {
	cfg     Config
	store   store
	log     *slog.Logger
	seed    maphash.Seed
	disk    disk
	refused *prometheus.CounterVec
	other   prometheus.Counter

	syncing  sync.Mutex // held while what was stored is written down: twice would count it twice
	mu       sync.Mutex
	projects map[uuid.UUID]*project
}

// New returns a Keeper; Run keeps it up to date.
func New(pool *pgxpool.Pool, cfg Config, reg prometheus.Registerer, log *slog.Logger) *Keeper {
	k := &Keeper{cfg: cfg, store: newStore(pool), log: log, seed: maphash.MakeSeed(), projects: make(map[uuid.UUID]*project),
		disk: disk{free: cfg.Free, min: cfg.MinFree, now: time.Now},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_quota_refused_events_total",
			Help: "Events that were refused because their project has stored as much as it may, or the disk is nearly full.",
		}, []string{"quota"}),
		other: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_events_counted_as_other_total",
			Help: "Events that were counted under $other, because their project has as many names as it may."}),
	}
	for _, quota := range []string{quotaEvents, quotaBytes, quotaDisk} {
		k.refused.WithLabelValues(quota) // a series that begins with its first increment hides that one from rate()
	}
	reg.MustRegister(k.refused, k.other, usageCollector{k})
	return k
}

// The quotas, as metrics and errors name them.
const (
	quotaEvents = "events_per_day"
	quotaBytes  = "stored_bytes"
	quotaDisk   = "min_free_bytes"
)

// storedRetry is the Retry-After of a project that is full: pruning and deletion make room, and take their time.
const storedRetry = time.Hour

// Admission is a request that may be stored.
type Admission struct {
	keeper   *Keeper
	project  *project
	lastName string // events come in runs of one name
	lastAs   bool
}

// Admit says whether a project may store so many events, of about so many bytes.
//
// Errors: a problem of status 429, quota_exceeded, or 503, low_on_disk.
func (k *Keeper) Admit(ctx context.Context, id uuid.UUID, events int, bytes int64) (*Admission, error) {
	if err := k.disk.check(); err != nil {
		k.refused.WithLabelValues(quotaDisk).Add(float64(events))
		return nil, err
	}
	p, now := k.project(id), k.cfg.Now()
	k.load(ctx, p, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = now
	if day := dayOf(now); !day.Equal(p.day) {
		p.day, p.today = day, p.unsaved.events
	}
	switch l := p.limits; {
	case l.EventsPerDay > 0 && p.today+int64(events) > l.EventsPerDay:
		k.refused.WithLabelValues(quotaEvents).Add(float64(events))
		return nil, exceeded(p.day.AddDate(0, 0, 1).Sub(now), "The project may store %d events a day and has stored %d today. "+
			"Nothing of this request was stored; the day ends at midnight UTC.", l.EventsPerDay, p.today)
	case l.StoredBytes > 0 && p.bytes+bytes > l.StoredBytes:
		k.refused.WithLabelValues(quotaBytes).Add(float64(events))
		return nil, exceeded(storedRetry, "The project may store %d bytes and has stored about %d. "+
			"Nothing of this request was stored.", l.StoredBytes, p.bytes)
	}
	return &Admission{keeper: k, project: p}, nil
}

func exceeded(retry time.Duration, detail string, args ...any) error {
	return &problem.Error{Code: problem.CodeQuotaExceeded, RetryAfter: max(retry, time.Second),
		Detail: fmt.Sprintf(detail, args...)}
}

// CountedAsOther reports whether an event of this name is one too many to be counted under it. It is not for
// concurrent use.
func (a *Admission) CountedAsOther(name string) bool {
	if name == a.lastName {
		return a.lastAs
	}
	a.lastName = name
	a.lastAs = !a.project.mayCount(maphash.String(a.keeper.seed, name))
	return a.lastAs
}

// Stored says what was stored of the request.
func (a *Admission) Stored(events, asOther int, bytes int64) {
	a.project.add(int64(events), bytes)
	if asOther > 0 {
		a.keeper.other.Add(float64(asOther))
	}
}

// Health says why nothing is taken in, or nil.
func (k *Keeper) Health() error { return k.disk.check() }

// Limits returns what a project may store.
func (k *Keeper) Limits(ctx context.Context, id uuid.UUID) (Limits, error) {
	o, err := k.store.overrides(ctx, id)
	return k.cfg.Defaults.with(o), err
}

// SetLimits gives a project limits of its own, in the transaction; tx may be nil. Nodes go by them within seconds. It returns
// false when there is no such project.
func (k *Keeper) SetLimits(ctx context.Context, tx pgx.Tx, id uuid.UUID, o Overrides) (bool, error) {
	ok, err := k.store.setOverrides(ctx, tx, id, o)
	if err == nil {
		k.forget(id)
	}
	return ok, err
}

// with returns the limits with what the operator says otherwise.
func (l Limits) with(o Overrides) Limits {
	if o.EventsPerDay != nil {
		l.EventsPerDay = *o.EventsPerDay
	}
	if o.StoredBytes != nil {
		l.StoredBytes = *o.StoredBytes
	}
	if o.EventNames != nil {
		l.EventNames = int(*o.EventNames)
	}
	return l
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
