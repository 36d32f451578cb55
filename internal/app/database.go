package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Database is a connection to the configured PostgreSQL, which it runs itself when none is configured.
type Database struct {
	Pool *pgxpool.Pool
	// Writes are connections for ingestion alone, so that a flush gets one however many questions there are.
	Writes *pgxpool.Pool

	own *embedded.Supervisor
	log *slog.Logger
}

// writeConnections is one for each flusher and one for the partitions.
const writeConnections = 3

// Connections is the limit of connections of a node with a pool of this size: with those of ingestion, and the one
// that listens for key changes.
func Connections(pool int) int { return pool + writeConnections + 1 }

var (
	writing   = postgres.Need{Writing: true, Tables: db.Tables}
	questions = postgres.Need{}
)

// OpenDatabase connects, starting the embedded server first when there is no DATABASE_URL. It waits a while for a
// database that is starting up, and refuses one that Nimbus cannot work with. Close must be called.
func OpenDatabase(ctx context.Context, c *config.Config, log *slog.Logger, opts ...postgres.Option) (*Database, error) {
	return openDatabase(ctx, c, writing, log, opts...)
}

func openDatabase(ctx context.Context, c *config.Config, need postgres.Need, log *slog.Logger, opts ...postgres.Option) (*Database, error) {
	d := &Database{log: log}
	dsn := c.DatabaseURL
	if c.Embedded() {
		dir, err := filepath.Abs(c.DataDir)
		if err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
		d.own, err = embedded.Supervise(ctx, embedded.Config{Dir: dir, BinDir: c.PostgresBin, CacheDir: embedded.DefaultCacheDir(), Durable: true, Logger: log})
		if err != nil {
			return nil, err
		}
		dsn = d.own.DSN()
	}
	return connect(ctx, d, dsn, c.DBPoolSize, need, opts...)
}

func connect(ctx context.Context, d *Database, dsn string, size int, need postgres.Need, opts ...postgres.Option) (_ *Database, err error) {
	defer func() {
		if err != nil {
			d.Close(context.WithoutCancel(ctx))
		}
	}()
	if d.Pool, err = postgres.Open(ctx, dsn, size, opts...); err != nil {
		return nil, err
	}
	if d.Writes, err = postgres.Open(ctx, dsn, writeConnections, opts...); err != nil {
		return nil, err
	}
	if err := postgres.Await(ctx, d.Pool, need, d.log); err != nil {
		return nil, err
	}
	return d, nil
}

// AttachDatabase is OpenDatabase for the commands of an operator: while a running Nimbus has the embedded server,
// they use it through its socket. It creates no database: otherwise a command without the server's settings would
// check, or back up, a new and empty one, and report that all is well. It does not require the privilege to write,
// which a backup does not need.
func AttachDatabase(ctx context.Context, c *config.Config, log *slog.Logger) (*Database, error) {
	if c.Embedded() && !embedded.Exists(c.DataDir) {
		dir, err := filepath.Abs(c.DataDir)
		if err != nil {
			dir = c.DataDir
		}
		return nil, fmt.Errorf("there is no database in %s: set NIMBUS_DATA_DIR or NIMBUS_DATABASE_URL to what the server has", dir)
	}
	return attach(ctx, c, questions, log)
}

// AttachOrMakeDatabase is AttachDatabase for commands that may be the first to use a database: it creates one if
// needed, and requires the privilege to write.
func AttachOrMakeDatabase(ctx context.Context, c *config.Config, log *slog.Logger) (*Database, error) {
	return attach(ctx, c, writing, log)
}

func attach(ctx context.Context, c *config.Config, need postgres.Need, log *slog.Logger) (*Database, error) {
	d, err := openDatabase(ctx, c, need, log)
	if !errors.Is(err, embedded.ErrInUse) {
		return d, err
	}
	dsn, ok := embedded.Running(c.DataDir)
	if !ok {
		return nil, err
	}
	return connect(ctx, &Database{log: log}, dsn, c.DBPoolSize, need)
}

// Close closes the connections and stops the embedded server.
func (d *Database) Close(ctx context.Context) {
	for _, pool := range []*pgxpool.Pool{d.Writes, d.Pool} {
		if pool != nil {
			postgres.Close(pool, d.log)
		}
	}
	if d.own != nil {
		d.own.Close(ctx)
	}
}

// Prepare brings the schema up to date, or checks that it is.
func Prepare(ctx context.Context, pool *pgxpool.Pool, auto bool, log *slog.Logger) error {
	if !auto {
		return db.Check(ctx, pool)
	}
	return db.Migrate(ctx, pool, log)
}
