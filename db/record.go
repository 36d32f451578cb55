package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// compatibleFrom is the oldest schema version whose programs may run on the newest schema: one that knows this version, or a
// later one, starts on a database that is ahead of it. Raise it with a migration after which older programs fail, and then
// only to the version of the last release, so that a rollout can stop half-way or be undone.
const compatibleFrom = 8

// versionTable holds one row: how far this schema is. It has a name of our own, because other programs keep a
// schema_migrations too.
const versionTable = "nimbus_schema_migrations"

const createVersionTable = `CREATE TABLE ` + versionTable + ` (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    version         bigint  NOT NULL, -- the last migration that is applied in full
    compatible_from bigint  NOT NULL, -- programs that know this version may run on the schema
    unfinished      text    NOT NULL, -- the file that was begun outside of a transaction and has not ended
    adopted         boolean NOT NULL  -- schema_migrations is ours too, and kept for older releases
)`

// Status is how far a database is.
type Status struct {
	Current        uint   // the last migration that is applied; 0: none
	Latest         uint   // the last one that this program has
	CompatibleFrom uint   // programs that know this version may run on the database
	Newer          bool   // a program has worked on it that has migrations which this one does not have
	Unfinished     string // the file that a cut-off run has left half done; only one that cannot be a transaction

	adopt bool // it is recorded in the table of older releases only
}

func (s schema) status(ctx context.Context, q Querier) (Status, error) {
	versions, err := s.versions()
	if err != nil {
		return Status{}, err
	}
	var st Status
	if len(versions) > 0 {
		st.Latest = versions[len(versions)-1]
	}
	// Asked first: a query of a table that is not there would put an ERROR into the server's log at every first start.
	var there bool
	if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&there); err != nil {
		return Status{}, fmt.Errorf("look for the schema version: %w", err)
	}
	if !there {
		old, err := readOld(ctx, q)
		if err != nil {
			return Status{}, err
		}
		st.Current, st.CompatibleFrom, st.adopt = old.version, min(s.compatible, old.version), old.version > 0
		return st, nil
	}
	var current, from int64
	err = q.QueryRow(ctx, "SELECT version, compatible_from, unfinished FROM "+versionTable).Scan(&current, &from, &st.Unfinished)
	if errors.Is(err, pgx.ErrNoRows) || isUndefinedColumn(err) {
		return Status{}, fmt.Errorf("%w: its table %s is not as Nimbus makes it: give Nimbus a schema or a database of its own", ErrForeign, versionTable)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read schema version: %w", err)
	}
	st.Current, st.CompatibleFrom = uint(max(current, 0)), uint(max(from, 0))
	st.Newer = st.Current > st.Latest || st.Unfinished != "" && !s.has(st.Unfinished)
	return st, nil
}

func isUndefinedColumn(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42703"
}

// record writes the version on the connection that holds the lock.
type record struct {
	conn       *pgx.Conn
	compatible uint
}

// ensure makes the table of the version where it is missing, with what the table of older releases says.
func (r record) ensure(ctx context.Context, st Status, logger *slog.Logger) error {
	var there bool
	if err := r.conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&there); err != nil || there {
		return err
	}
	old, err := readOld(ctx, r.conn)
	if err != nil {
		return err
	}
	if old.mended {
		logger.Warn("an older release was cut off while it migrated; the tables show how far it came",
			"recorded", old.recorded, "found", old.version)
	}
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, createVersionTable); err != nil {
			return fmt.Errorf("make %s: %w", versionTable, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+versionTable+" VALUES (true, $1, $2, '', $3)",
			int64(st.Current), int64(min(r.compatible, st.Current)), old.version > 0); err != nil {
			return err
		}
		return r.set(ctx, tx, st.Current)
	})
}

// set records in tx that the database is at version, for this release and for older ones.
func (r record) set(ctx context.Context, tx pgx.Tx, version uint) error {
	from := min(r.compatible, version)
	var adopted bool
	err := tx.QueryRow(ctx, "UPDATE "+versionTable+" SET version = $1, compatible_from = $2, unfinished = '' RETURNING adopted",
		int64(version), int64(from)).Scan(&adopted)
	if err != nil {
		return fmt.Errorf("record version %d: %w", version, err)
	}
	if !adopted {
		return nil
	}
	return setOld(ctx, tx, version, from)
}

// begin records that a file has been begun which is not a transaction.
func (r record) begin(ctx context.Context, file string) error {
	if _, err := r.conn.Exec(ctx, "UPDATE "+versionTable+" SET unfinished = $1", file); err != nil {
		return fmt.Errorf("record the beginning of %s: %w", file, err)
	}
	return nil
}

// force records a version and does not look at the tables.
func (r record) force(ctx context.Context, version uint) error {
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := tx.Exec(ctx, createVersionTable); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO "+versionTable+" VALUES (true, 0, 0, '', false)"); err != nil {
				return err
			}
		}
		return r.set(ctx, tx, version)
	})
}
