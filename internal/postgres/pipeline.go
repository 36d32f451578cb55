package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pipeline collects statements and sends all of them at once: one round trip, in one transaction, without BEGIN and
// COMMIT. It stands where a transaction would, for statements whose answers nobody needs; the zero value is ready.
type Pipeline struct{ batch pgx.Batch }

// Exec remembers a statement; whether it works is known after Commit.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Commit runs the statements and commits them. On an error none of them has happened, or, when the connection was lost
// during the commit, it is not known.
func (p *Pipeline) Commit(ctx context.Context, pool *pgxpool.Pool) error {
	// Close reads to the end, past the answer to the commit, and returns the first error there was.
	return pool.SendBatch(ctx, &p.batch).Close()
}

var errPipelined = errors.New("a pipeline has no answers to give: a statement in it must be :exec")

// Query always fails; it is there because a generated query may be given anything that has it.
func (*Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errPipelined }

// QueryRow always fails, like Query.
func (*Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errPipelined }
