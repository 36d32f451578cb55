package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pinned are the settings that Nimbus relies on. A role, a database, postgresql.conf or the URL may say otherwise, so each
// session sets them: client_encoding=LATIN1 would store KÃ¤se for Käse, another DateStyle would swap day and month in a
// backup, and a stricter isolation would make counters fail. They are set by statements, because a pooler refuses most of
// them as parameters of a start.
const pinned = `SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';
	SET standard_conforming_strings = on; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET array_nulls = on;
	SET transform_null_equals = off; SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off`

// statementCache is how many prepared statements a connection keeps: all that Nimbus has.
const statementCache = 512

// pin makes every connection of the configuration, also those outside of a pool, a session that Nimbus can rely on.
func pin(cc *pgx.ConnConfig) {
	// From the first message on: the errors of a start are texts too.
	cc.RuntimeParams["client_encoding"] = "UTF8"
	cc.RuntimeParams["timezone"] = "UTC"
	// What pgx documents for poolers (default_query_exec_mode, statement_cache_capacity) sends the arrays of ingestion in a
	// form that the server cannot read. A pooler that needs it cannot serve Nimbus in any case: see UnfitError.
	cc.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	cc.StatementCacheCapacity, cc.DescriptionCacheCapacity = statementCache, statementCache
	before := cc.AfterConnect
	cc.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		if _, err := conn.Exec(ctx, pinned).ReadAll(); err != nil {
			return fmt.Errorf("set up the session: %w", err)
		}
		return nil
	}
}
