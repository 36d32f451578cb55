package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pipeline is a transaction whose statements are all sent at once, with one wait for one answer. It stands where a
// transaction would, for statements whose answers nobody needs. The zero value is ready; it is used once.
type Pipeline struct{ batch pgx.Batch }

// Exec remembers a statement. Whether it works is known after Commit.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if p.batch.Len() == 0 {
		// The statements would be one transaction without it, but not for an extension that spreads them over several
		// servers: to Citus each would be alone, and committed when it is done.
		p.batch.Queue("BEGIN")
	}
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Commit runs the statements and commits them. After an error none of them has happened, unless it is ErrUnconfirmed.
func (p *Pipeline) Commit(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer conn.Release()
	p.batch.Queue("COMMIT")
	// Close reads every answer and returns the first error. What follows a failed statement is skipped, COMMIT too.
	err = conn.SendBatch(ctx, &p.batch).Close()
	if err != nil {
		err = unconfirmed(ctx, err)
		// The pool lets go of a connection whose transaction is still open, so this saves the connection, nothing else.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, "ROLLBACK")
	}
	return err
}

var errPipelined = errors.New("a pipeline has no answers to give: a statement in it must be :exec")

// Query always fails; it is there because a generated query may be given anything that has it.
func (*Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errPipelined }

// QueryRow always fails, like Query.
func (*Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errPipelined }
