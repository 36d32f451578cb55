package compat

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/db"
)

// The bounds of a quarantine.
const (
	maxQuarantined  = 10_000   // items of a project; while it is full, no more are kept
	maxQuarantBytes = 64 << 10 // of an item's body
	quarantineTime  = 30 * 24 * time.Hour
)

// Quarantined is an item that could not be stored.
type Quarantined struct {
	ID                                            uuid.UUID
	ReceivedAt                                    time.Time
	Dialect, Operation, SDK, Reason, Detail, Body string
}

// Quarantine keeps what could not be stored.
type Quarantine struct {
	pool    *pgxpool.Pool
	q       *db.Queries
	now     func() time.Time
	kept    *prometheus.CounterVec
	dropped *prometheus.CounterVec
}

// NewQuarantine returns the quarantine of the database behind pool.
func NewQuarantine(pool *pgxpool.Pool, reg prometheus.Registerer, now func() time.Time) *Quarantine {
	q := &Quarantine{pool: pool, q: db.New(), now: now,
		kept: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_quarantined_total",
			Help: "Items of other vendors' SDKs that could not be stored and are kept in quarantine; one sent again counts again."}, []string{"dialect", "reason"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_quarantine_full_total",
			Help: "Items that could not be stored, and were not kept because the quarantine of their project is full or has them."}, []string{"dialect"}),
	}
	reg.MustRegister(q.kept, q.dropped)
	return q
}

// keep keeps the bad ones of these items, each once.
func (q *Quarantine) keep(ctx context.Context, project uuid.UUID, dialect, operation, sdk string, items []*Item) error {
	now := q.now()
	p := db.QuarantineAddParams{ProjectID: project, ReceivedAt: now, Dialect: dialect, Operation: operation,
		SDK: storableText(sdk, maxSDK), MaxItems: maxQuarantined}
	for _, item := range items {
		if item.Reason == "" {
			continue
		}
		item.Kept = true
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(dialect + "\x00" + operation + "\x00" + string(item.Raw)))
		p.IDs, p.Reasons = append(p.IDs, id), append(p.Reasons, item.Reason)
		p.Details = append(p.Details, storableText(item.Detail, maxDetail))
		p.Bodies, p.Hashes = append(p.Bodies, storableText(string(item.Raw), maxQuarantBytes)), append(p.Hashes, uuid.UUID(sum[:16]))
		q.kept.WithLabelValues(dialect, item.Reason).Inc()
	}
	if len(p.IDs) == 0 {
		return nil
	}
	added, err := q.q.QuarantineAdd(ctx, q.pool, p)
	if err != nil {
		return fmt.Errorf("keep items in quarantine: %w", err)
	}
	q.dropped.WithLabelValues(dialect).Add(float64(int64(len(p.IDs)) - added))
	return nil
}

const (
	maxSDK    = 200
	maxDetail = 500
)

// storableText is a text as PostgreSQL takes it, of at most so many bytes.
func storableText(s string, n int) string {
	return strings.ReplaceAll(strings.ToValidUTF8(clip(s, n), "\uFFFD"), "\x00", "\uFFFD")
}

func (q *Quarantine) list(ctx context.Context, project uuid.UUID, after *uuid.UUID, limit int32) ([]Quarantined, error) {
	rows, err := q.q.QuarantineList(ctx, q.pool, project, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list the quarantine: %w", err)
	}
	out := make([]Quarantined, len(rows))
	for k, r := range rows {
		out[k] = Quarantined(r)
	}
	return out, nil
}

// get returns the items with these ids, by their ids.
func (q *Quarantine) get(ctx context.Context, project uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Quarantined, error) {
	rows, err := q.q.QuarantineGet(ctx, q.pool, project, ids)
	if err != nil {
		return nil, fmt.Errorf("read the quarantine: %w", err)
	}
	out := make(map[uuid.UUID]*Quarantined, len(rows))
	for _, r := range rows {
		item := Quarantined(r)
		out[r.ID] = &item
	}
	return out, nil
}

func (q *Quarantine) remove(ctx context.Context, project uuid.UUID, ids ...uuid.UUID) (removed bool, err error) {
	n, err := q.q.QuarantineDelete(ctx, q.pool, project, ids)
	if err != nil {
		return false, fmt.Errorf("delete from the quarantine: %w", err)
	}
	return n > 0, nil
}

// Prune deletes what has been in quarantine for longer than 30 days.
func (q *Quarantine) Prune(ctx context.Context, now time.Time) error {
	if _, err := q.q.QuarantinePrune(ctx, q.pool, now.Add(-quarantineTime)); err != nil {
		return fmt.Errorf("prune the quarantine: %w", err)
	}
	return nil
}
