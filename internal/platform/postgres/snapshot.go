package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InSnapshot runs fn in a read-only transaction in which every statement sees the same rows. The server cancels a
// statement that runs longer than limit, and then IsStatementTimeout is true of the error; so is it when the context
// ends first, but the error is the context's. fn must neither end nor keep the transaction. settings, written as in SET,
// hold for the transaction.
func InSnapshot(ctx context.Context, pool *pgxpool.Pool, limit time.Duration, fn func(pgx.Tx) error, settings ...string) error {
	// One round trip. Compiling expressions takes longer than the questions that are worth asking.
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; " + setStatementTimeout(limit)
	for _, setting := range settings {
		begin += "; SET LOCAL " + setting
	}
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{BeginQuery: begin}, fn)
	if err != nil && ctx.Err() != nil && IsStatementTimeout(err) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// setStatementTimeout never says 0, which would mean no limit.
func setStatementTimeout(limit time.Duration) string {
	return fmt.Sprintf("SET LOCAL statement_timeout = %d", max(1, limit.Milliseconds()))
}

// IsStatementTimeout says that the server cancelled the statement because it ran for too long.
func IsStatementTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57014"
}
