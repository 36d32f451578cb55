package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Up to schema version 8 releases recorded the version in oldTable, as golang-migrate's driver does: apart from the work, so
// that a kill in between left it "dirty". Such a database is adopted once. The old table stays, so that those releases
// start again while the schema is compatible with them, and refuse when it is not.
const (
	oldTable = "schema_migrations"
	oldLast  = 8
)

// old is what a database of an older release shows.
type old struct {
	version  uint // 0: nothing of ours is there
	recorded int64
	mended   bool // recorded was dirty, and version is what the tables show
}

// evidence says, migration for migration, whether the first eight are applied. Each is a transaction, so that one trace of it
// stands for all of it.
const evidence = `SELECT ARRAY[
	to_regclass('event_counts') IS NOT NULL AND to_regprocedure('event_id_floor(timestamptz)') IS NOT NULL,
	EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('projects') AND attname = 'purge_started_at' AND NOT attisdropped),
	to_regclass('audit_log') IS NOT NULL AND to_regclass('idempotency_keys') IS NOT NULL,
	to_regclass('job_turns') IS NOT NULL,
	to_regclass('board_tiles') IS NOT NULL,
	to_regclass('account_identities') IS NOT NULL,
	to_regprocedure('summarise_event_index(text)') IS NOT NULL,
	coalesce((SELECT prosrc LIKE '%nimbus.rollups%' FROM pg_proc WHERE oid = to_regprocedure('delete_events(uuid,uuid,uuid)')), false)]`

// readOld reports what an older release has left, and refuses what is not proven to be ours. It changes nothing.
func readOld(ctx context.Context, q Querier) (old, error) {
	var applied []bool
	if err := q.QueryRow(ctx, evidence).Scan(&applied); err != nil {
		return old{}, fmt.Errorf("look for the tables: %w", err)
	}
	var o old
	for o.version < uint(len(applied)) && applied[o.version] {
		o.version++
	}
	if o.version == 0 {
		return old{}, refuseForeign(ctx, q)
	}
	for _, later := range applied[o.version:] {
		if later {
			return old{}, fmt.Errorf("%w: its tables are of no version: %d is there, the next is not, and a later one is", ErrForeign, o.version)
		}
	}
	var there, dirty bool
	if err := q.QueryRow(ctx, `SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
		AND (attname, atttypid::regtype::text) IN (('version', 'bigint'), ('dirty', 'boolean'))`, oldTable).Scan(&there); err != nil {
		return old{}, fmt.Errorf("look for %s: %w", oldTable, err)
	}
	const way = "the tables are those of version %d; if they are whole, nimbus migrate force %d"
	if !there {
		return old{}, fmt.Errorf("%w: nothing records its version: "+way, ErrForeign, o.version, o.version)
	}
	err := q.QueryRow(ctx, "SELECT version, dirty FROM "+oldTable+" LIMIT 1").Scan(&o.recorded, &dirty)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return old{}, fmt.Errorf("read %s: %w", oldTable, err)
	}
	// Before a file the old driver recorded where it would lead: up from one below, or down from one above.
	found := int64(o.version)
	o.mended = dirty && found >= o.recorded-1 && found <= o.recorded+1
	if found != o.recorded && !o.mended {
		return old{}, fmt.Errorf("%w: %s says version %d, but "+way, ErrForeign, oldTable, o.recorded, o.version, o.version)
	}
	return o, nil
}

// refuseForeign refuses a schema in which others have tables of our names, before the first of ours is made.
func refuseForeign(ctx context.Context, q Querier) error {
	var taken []string
	if err := q.QueryRow(ctx, "SELECT coalesce(array_agg(t ORDER BY t), '{}') FROM unnest($1::text[]) AS t WHERE to_regclass(t) IS NOT NULL",
		Tables).Scan(&taken); err != nil {
		return fmt.Errorf("look for the tables: %w", err)
	}
	if len(taken) > 0 {
		return fmt.Errorf("%w: it has tables named %v: give Nimbus a database of its own, or a schema (search_path=nimbus in NIMBUS_DATABASE_URL)",
			ErrForeign, taken)
	}
	return nil
}

// setOld records in the old table what older releases go by: the last version they know while they may run on the schema,
// and one they do not know when they may not.
func setOld(ctx context.Context, tx pgx.Tx, version, compatible uint) error {
	if compatible <= oldLast {
		version = min(version, oldLast)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM "+oldTable); err != nil {
		return fmt.Errorf("record version %d for older releases: %w", version, err)
	}
	if version == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "INSERT INTO "+oldTable+" (version, dirty) VALUES ($1, false)", int64(version)); err != nil {
		return fmt.Errorf("record version %d for older releases: %w", version, err)
	}
	return nil
}
