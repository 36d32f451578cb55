package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// write is Record with everything known.
func write(ctx context.Context, tx pgx.Tx, id uuid.UUID, kind, actor string, e Entry, changes []byte) error {
	from := auth.RequestOf(ctx)
	err := db.New().AuditRecord(ctx, tx, db.AuditRecordParams{
		ProjectID: e.ProjectID, ID: id, ActorKind: kind, ActorID: actor, Action: string(e.Action), Target: e.Target,
		Changes: changes, IP: from.IP, UserAgent: from.UserAgent, RequestID: from.ID,
	})
	if err != nil {
		return fmt.Errorf("record %s in the audit log: %w", e.Action, err)
	}
	return nil
}

// Log reads the audit logs of projects.
type Log struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// NewLog returns a Log that reads from pool.
func NewLog(pool *pgxpool.Pool) *Log { return &Log{pool: pool, q: db.New()} }

// Filter chooses entries; what is zero chooses all.
type Filter struct {
	Actions      []string
	Actor        string
	Since, Until *time.Time
}

// Stored is an entry as it was written.
type Stored struct {
	ID         uuid.UUID
	At         time.Time
	Action     string
	ActorKind  string
	ActorID    string
	ActorEmail string // empty when the actor is no account, or none that still exists
	Target     string
	Changes    []byte // JSON
	From       auth.Request
}

// prune removes entries without a project from before a time, and returns how many.
func (l *Log) prune(ctx context.Context, before time.Time) (int64, error) {
	n, err := l.q.AuditPrune(ctx, l.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune the audit log: %w", err)
	}
	return n, nil
}

// position is where a page ends.
type position struct {
	at time.Time
	id uuid.UUID
}

// page returns at most size entries of a project, newest first, that come after a position.
func (l *Log) page(ctx context.Context, project uuid.UUID, f Filter, after *position, size int32) ([]Stored, error) {
	params := db.AuditPageParams{ProjectID: project, Actions: f.Actions, Since: f.Since, Until: f.Until, PageSize: size}
	if params.Actions == nil {
		params.Actions = []string{}
	}
	if f.Actor != "" {
		params.Actor = &f.Actor
	}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.at, &after.id
	}
	rows, err := l.q.AuditPage(ctx, l.pool, params)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	out := make([]Stored, len(rows))
	for i, r := range rows {
		out[i] = Stored{ID: r.ID, At: r.At.UTC(), Action: r.Action, ActorKind: r.ActorKind, ActorID: r.ActorID, ActorEmail: r.ActorEmail,
			Target: r.Target, Changes: r.Changes, From: auth.Request{ID: r.RequestID, IP: r.IP, UserAgent: r.UserAgent}}
	}
	return out, nil
}
