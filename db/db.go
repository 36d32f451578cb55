package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	mpgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// Migrations are the files of the schema, under migrations/.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const (
	versionTable = "schema_migrations"
	// gate is the advisory lock that replicas queue for; golang-migrate then takes its own, without contention.
	gate      = 0x6e696d627573 // "nimbus"
	gateDelay = 50 * time.Millisecond
)

// Status is how far a database is.
type Status struct {
	Current uint // 0: no migration has been applied
	Latest  uint // the last one this program has
	Dirty   bool // a run was cut off at Current
}

// Migrate applies every migration the database lacks, and distributes the tables of events where Citus is there. Cancelling ctx stops it between two files.
func Migrate(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	return schema{Migrations}.up(ctx, pool, logger)
}

// MigrateTo applies the migrations up to version, for what was made with that schema. A database that is there is left as
// it is; one that is past it is refused.
func MigrateTo(ctx context.Context, pool *pgxpool.Pool, version uint, logger *slog.Logger) error {
	return schema{Migrations}.to(ctx, pool, version, logger)
}

// Down takes back the last steps migrations, newest first; the data of what they made goes with them.
func Down(ctx context.Context, pool *pgxpool.Pool, steps int) error {
	return schema{Migrations}.down(ctx, pool, steps)
}

// Force records that the database is at version, whatever it is at, and applies nothing: the way out of a dirty version,
// for whoever has looked.
func Force(ctx context.Context, pool *pgxpool.Pool, version uint) error {
	return schema{Migrations}.force(ctx, pool, version)
}

// ReadStatus reports how far the database is. It changes nothing.
func ReadStatus(ctx context.Context, q Querier) (Status, error) {
	return schema{Migrations}.status(ctx, q)
}

// Check returns nil when the database is exactly at the version this program needs, and otherwise says what to do.
func Check(ctx context.Context, q Querier) error {
	return schema{Migrations}.check(ctx, q)
}

// schema is a set of migrations: ours, or those of a test.
type schema struct{ files fs.FS }

// Querier is the pool, a transaction, or the connection that holds the lock.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
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
	// Asked first, because a query of a table that is not there would put an ERROR into the server's log at every first start.
	var there bool
	if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&there); err != nil {
		return Status{}, fmt.Errorf("look for the schema version: %w", err)
	}
	if !there {
		return st, nil
	}
	var current int64
	err = q.QueryRow(ctx, "SELECT version, dirty FROM "+versionTable+" LIMIT 1").Scan(&current, &st.Dirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return st, nil
	}
	if err != nil {
		return Status{}, fmt.Errorf("read schema version: %w", err)
	}
	st.Current = uint(max(current, 0))
	return st, nil
}

func (s schema) check(ctx context.Context, q Querier) error {
	st, err := s.status(ctx, q)
	switch {
	case err != nil:
		return err
	case st.Dirty || st.Current > st.Latest:
		return s.refuse(st)
	case st.Current < st.Latest:
		return fmt.Errorf("%w: database is at version %d, this binary needs %d: run nimbus migrate up", ErrBehind, st.Current, st.Latest)
	}
	return nil
}

// The reasons for which a database is refused, for errors.Is.
var (
	ErrBehind = errors.New("schema is out of date")
	ErrNewer  = errors.New("schema is newer than this binary")
	ErrDirty  = errors.New("schema is dirty")
)

// refuse explains the states that no migration can be applied to; nil for all others.
func (s schema) refuse(st Status) error {
	switch {
	case st.Dirty:
		return s.dirty(st.Current)
	case st.Current > st.Latest:
		return fmt.Errorf("%w: database is at version %d, this binary knows only up to %d: run the newer binary, or take the database back with its nimbus migrate down",
			ErrNewer, st.Current, st.Latest)
	}
	return nil
}

func (s schema) up(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	// Nothing to do is the rule when a server starts: three small queries, no lock.
	if st, err := s.status(ctx, pool); err != nil {
		return err
	} else if st.Current == st.Latest && !st.Dirty {
		if left, err := notSpread(ctx, pool); err != nil || len(left) == 0 {
			return err
		}
	}
	return s.exclusively(ctx, pool, logger, func(m *migrate.Migrate, conn *pgx.Conn, _ Status) error {
		// Without a change another replica was faster.
		if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return s.explain(ctx, conn, err, "up")
		}
		return distribute(ctx, conn, logger)
	})
}

func (s schema) to(ctx context.Context, pool *pgxpool.Pool, version uint, logger *slog.Logger) error {
	return s.exclusively(ctx, pool, logger, func(m *migrate.Migrate, conn *pgx.Conn, st Status) error {
		switch {
		case st.Current == version:
			return nil
		case st.Current > version:
			return fmt.Errorf("migrate to %d: the database is at %d already", version, st.Current)
		}
		return s.explain(ctx, conn, m.Migrate(version), "up")
	})
}

func (s schema) down(ctx context.Context, pool *pgxpool.Pool, steps int) error {
	if steps < 1 {
		return fmt.Errorf("migrate down: %d steps, want at least 1", steps)
	}
	return s.exclusively(ctx, pool, nil, func(m *migrate.Migrate, conn *pgx.Conn, st Status) error {
		versions, err := s.versions()
		if err != nil {
			return err
		}
		applied := slices.IndexFunc(versions, func(v uint) bool { return v > st.Current })
		if applied < 0 {
			applied = len(versions)
		}
		if steps > applied {
			return fmt.Errorf("migrate down: %d steps, but only %d migrations are applied", steps, applied)
		}
		return s.explain(ctx, conn, m.Steps(-steps), "down")
	})
}

func (s schema) force(ctx context.Context, pool *pgxpool.Pool, version uint) error {
	versions, err := s.versions()
	if err != nil {
		return err
	}
	if version != 0 && !slices.Contains(versions, version) {
		return fmt.Errorf("migrate force: this binary has no migration %d", version)
	}
	return s.locked(ctx, pool, nil, func(m *migrate.Migrate, _ *pgx.Conn) error {
		target := int(version)
		if version == 0 {
			target = database.NilVersion
		}
		if err := m.Force(target); err != nil {
			return fmt.Errorf("migrate force %d: %w", version, err)
		}
		return nil
	})
}

// exclusively runs fn under the lock, on a database that is fit for migrating.
func (s schema) exclusively(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger, fn func(*migrate.Migrate, *pgx.Conn, Status) error) error {
	return s.locked(ctx, pool, logger, func(m *migrate.Migrate, conn *pgx.Conn) error {
		st, err := s.status(ctx, conn) // again: while we waited, another replica may have changed it
		if err != nil {
			return err
		}
		if err := s.refuse(st); err != nil {
			return err
		}
		return fn(m, conn, st)
	})
}

// locked waits for its turn and runs fn with golang-migrate set up.
//
// golang-migrate's own lock is a blocking pg_advisory_lock. A replica waiting in it is a running statement with a
// snapshot; CREATE INDEX CONCURRENTLY in the replica that works waits for all older snapshots to go: a deadlock. So the
// queue is outside: pg_try_advisory_lock returns at once, and between two tries a replica holds nothing.
func (s schema) locked(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger, fn func(*migrate.Migrate, *pgx.Conn) error) (err error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	// A connection of its own, so that a pool of one suffices. The lock goes with it, however this ends.
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for waited := false; ; waited = true {
		var mine bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(gate)).Scan(&mine); err != nil {
			return fmt.Errorf("migrate: wait for the lock: %w", err)
		}
		if mine {
			break
		}
		if !waited {
			logger.Info("another process is migrating the database; waiting")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("migrate: another process holds the lock: %w", ctx.Err())
		case <-time.After(gateDelay):
		}
	}

	src, err := iofs.New(s.files, "migrations")
	if err != nil {
		return fmt.Errorf("migrate: read files: %w", err)
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	defer sqlDB.Close()
	drv, err := mpgx.WithInstance(sqlDB, &mpgx.Config{MigrationsTable: versionTable})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	m, err := migrate.NewWithInstance("iofs", src, "pgx5", drv)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() {
		if srcErr, dbErr := m.Close(); err == nil && (srcErr != nil || dbErr != nil) {
			err = fmt.Errorf("migrate: %w", errors.Join(srcErr, dbErr))
		}
	}()
	m.Log = steps{logger}
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true }) // it has room for one
	defer stop()
	if err := fn(m, conn); err != nil {
		return err
	}
	return ctx.Err() // a graceful stop looks like success
}
