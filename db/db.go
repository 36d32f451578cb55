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
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Migrations are the files of the schema, under migrations/.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const (
	// gate is the advisory lock that replicas queue for. Releases that used golang-migrate's own driver queue for it too.
	gate      = 0x6e696d627573 // "nimbus"
	gateDelay = 50 * time.Millisecond
	// goodbyeTime bounds the closing of the connection that migrated: the server may be away.
	goodbyeTime = 5 * time.Second
)

// Migrate applies every migration the database lacks, and distributes the tables of events where Citus is there. A database
// that is newer and says that this program may run on it is left as it is. When ctx ends, the file that runs is rolled back,
// and the next call begins with it.
func Migrate(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	return ours.up(ctx, pool, logger)
}

// MigrateTo applies the migrations up to version, for data that was made with that schema. A database at that version is
// left as it is; one past it is refused.
func MigrateTo(ctx context.Context, pool *pgxpool.Pool, version uint, logger *slog.Logger) error {
	return ours.to(ctx, pool, version, logger)
}

// Down takes back the last steps migrations, newest first; the data of what they made goes with them.
func Down(ctx context.Context, pool *pgxpool.Pool, steps int) error {
	return ours.down(ctx, pool, steps)
}

// Force records that the database is at version, whatever is recorded now, and applies nothing. It is for an operator who
// has looked at the tables.
func Force(ctx context.Context, pool *pgxpool.Pool, version uint) error {
	return ours.force(ctx, pool, version)
}

// ReadStatus reports how far the database is. It changes nothing.
func ReadStatus(ctx context.Context, q Querier) (Status, error) {
	return ours.status(ctx, q)
}

// Check returns nil when this program may run on the database: it is at the version that the program needs, or newer and
// says that the program may. Otherwise the error says what to do.
func Check(ctx context.Context, q Querier) error {
	return ours.check(ctx, q)
}

// schema is a set of migrations: ours, or those of a test.
type schema struct {
	files fs.FS
	// compatible is what the database records as compatible_from.
	compatible uint
}

var ours = schema{files: Migrations, compatible: compatibleFrom}

// Querier is the pool, a transaction, or the connection that holds the lock.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s schema) check(ctx context.Context, q Querier) error {
	st, err := s.status(ctx, q)
	switch {
	case err != nil:
		return err
	case st.Newer:
		return st.refuseNewer()
	case st.Unfinished != "":
		return s.unfinished(ctx, q, st)
	case st.Current < st.Latest:
		return fmt.Errorf("%w: database is at version %d, this binary needs %d: run nimbus migrate up", ErrBehind, st.Current, st.Latest)
	}
	return nil
}

// The reasons for which a database is refused, for errors.Is.
var (
	ErrBehind     = errors.New("schema is out of date")
	ErrNewer      = errors.New("schema is newer than this binary")
	ErrUnfinished = errors.New("a migration was cut off")
	ErrForeign    = errors.New("the schema is not one that Nimbus made")
)

// refuseNewer explains why this program may not run on a newer schema; nil where it may.
func (st Status) refuseNewer() error {
	if st.CompatibleFrom <= st.Latest {
		return nil
	}
	return fmt.Errorf("%w: database is at version %d, which programs may use that know version %d, and this one knows only up to %d: "+
		"run the newer binary, or take the database back with its nimbus migrate down", ErrNewer, st.Current, st.CompatibleFrom, st.Latest)
}

func (s schema) up(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	// Nothing to do is the rule when a server starts: a few small queries, no lock.
	st, err := s.status(ctx, pool)
	switch {
	case err != nil:
		return err
	case st.Newer:
		if err := st.refuseNewer(); err != nil {
			return err
		}
		logger.Info("the schema is newer than this binary, which may use it", "schema", st.Current, "binary", st.Latest)
		return nil
	case st.Current == st.Latest && st.Unfinished == "" && !st.adopt:
		if left, err := notSpread(ctx, pool); err != nil || len(left) == 0 {
			return err
		}
	}
	return s.exclusively(ctx, pool, logger, func(m *migrate.Migrate, conn *pgx.Conn, _ Status) error {
		// Without a change another replica was faster.
		if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return fmt.Errorf("migrate up: %w", err)
		}
		return distribute(ctx, conn, logger)
	})
}

func (s schema) to(ctx context.Context, pool *pgxpool.Pool, version uint, logger *slog.Logger) error {
	return s.exclusively(ctx, pool, logger, func(m *migrate.Migrate, _ *pgx.Conn, st Status) error {
		switch {
		case st.Current == version:
			return nil
		case st.Current > version:
			return fmt.Errorf("migrate to %d: the database is at %d already", version, st.Current)
		}
		if err := m.Migrate(version); err != nil {
			return fmt.Errorf("migrate up: %w", err)
		}
		return nil
	})
}

func (s schema) down(ctx context.Context, pool *pgxpool.Pool, steps int) error {
	if steps < 1 {
		return fmt.Errorf("migrate down: %d steps, want at least 1", steps)
	}
	return s.exclusively(ctx, pool, nil, func(m *migrate.Migrate, _ *pgx.Conn, st Status) error {
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
		if err := m.Steps(-steps); err != nil {
			return fmt.Errorf("migrate down: %w", err)
		}
		return nil
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
	return locked(ctx, pool, slog.New(slog.DiscardHandler), func(conn *pgx.Conn) error {
		r := record{conn: conn, compatible: s.compatible}
		if err := r.force(ctx, version); err != nil {
			return fmt.Errorf("migrate force %d: %w", version, err)
		}
		return nil
	})
}

// exclusively runs fn with golang-migrate set up, under the lock, on a database that migrations can be applied to.
func (s schema) exclusively(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger,
	fn func(*migrate.Migrate, *pgx.Conn, Status) error,
) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return locked(ctx, pool, logger, func(conn *pgx.Conn) error {
		st, err := s.status(ctx, conn) // again: another replica may have changed it while this one waited
		switch {
		case err != nil:
			return err
		case st.Newer:
			return fmt.Errorf("%w: database is at version %d, this binary knows only up to %d: its nimbus migrate is that of the newer binary",
				ErrNewer, st.Current, st.Latest)
		}
		r := record{conn: conn, compatible: s.compatible}
		if err := r.ensure(ctx, st, logger); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		m, err := s.migrator(ctx, r, logger)
		if err != nil {
			return err
		}
		defer m.Close() // the embedded files and our driver: neither can fail
		if st, err = s.finish(ctx, m, conn, st, logger); err != nil {
			return err
		}
		return fn(m, conn, st)
	})
}

// migrator is golang-migrate with our files and our driver.
func (s schema) migrator(ctx context.Context, r record, logger *slog.Logger) (*migrate.Migrate, error) {
	src, err := iofs.New(s.files, "migrations")
	if err != nil {
		return nil, fmt.Errorf("migrate: read files: %w", err)
	}
	m, err := migrate.NewWithInstance("iofs", src, "nimbus", &driver{ctx: ctx, schema: s, record: r, logger: logger})
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	m.Log = steps{logger}
	return m, nil
}

// finish ends the file that a cut-off run has begun, in its own direction, so that the version is a whole number again.
func (s schema) finish(ctx context.Context, m *migrate.Migrate, conn *pgx.Conn, st Status, logger *slog.Logger) (Status, error) {
	if st.Unfinished == "" {
		return st, nil
	}
	logger.Warn("a migration was cut off; going on with it", "file", st.Unfinished, "found", s.found(ctx, conn, st.Unfinished))
	step := 1
	if st.Unfinished == s.file(st.Current, "down") {
		step = -1
	}
	if err := m.Steps(step); err != nil {
		return st, fmt.Errorf("go on with %s: %w", st.Unfinished, err)
	}
	return s.status(ctx, conn)
}

// locked waits for the lock and runs fn on the connection that holds it.
//
// The lock and the work share a connection: a process that is killed leaves a server that still works on its last statement,
// and the next process waits until it has ended. With two connections the lock would go at once, and the next process would
// read a version that is about to change.
//
// Waiting is done by trying. A replica waiting inside pg_advisory_lock is a running statement with a snapshot, and CREATE
// INDEX CONCURRENTLY in the replica that works waits for all older snapshots to go: a deadlock. pg_try_advisory_lock
// returns at once, and between two tries a replica holds nothing.
func locked(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger, fn func(*pgx.Conn) error) error {
	// A connection of its own, so that a pool of one suffices.
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
		defer cancel()
		_ = conn.Close(ctx) // whatever it says, the lock goes with the connection
	}()
	// A time limit of the role is meant for questions. An index takes as long as it takes.
	if _, err := conn.Exec(ctx, `SELECT set_config(name, '0', false) FROM pg_settings
		WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')`); err != nil {
		return fmt.Errorf("migrate: lift the time limits: %w", err)
	}
	for waited := false; ; waited = true {
		var mine bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(gate)).Scan(&mine); err != nil {
			return fmt.Errorf("migrate: wait for the lock: %w", err)
		}
		if mine {
			return fn(conn)
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
}
