package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Database is a connection to the configured PostgreSQL, which it runs itself when none is configured.
type Database struct {
	Pool *pgxpool.Pool
	// Writes are the connections of ingestion alone: however many questions are asked, a flush finds one.
	Writes *pgxpool.Pool

	own *supervisor
}

// writeConnections are one for each flusher and one for the partitions.
const writeConnections = 3

// Connections is how many a node with a pool of this size holds at most: with those of ingestion, and the one that listens
// for changes of keys.
func Connections(pool int) int { return pool + writeConnections + 1 }

// OpenDatabase connects, starting the embedded server first when there is no DATABASE_URL. It waits a while for a
// database that is starting up. Close must be called.
func OpenDatabase(ctx context.Context, c *config.Config, log *slog.Logger, opts ...postgres.Option) (*Database, error) {
	d := &Database{}
	dsn := c.DatabaseURL
	if c.Embedded() {
		own, err := supervise(ctx, c, log)
		if err != nil {
			return nil, err
		}
		d.own = own
		dsn = own.dsn
	}
	return connect(ctx, d, dsn, c.DBPoolSize, log, opts...)
}

func connect(ctx context.Context, d *Database, dsn string, size int, log *slog.Logger, opts ...postgres.Option) (_ *Database, err error) {
	if d.Pool, err = postgres.Open(ctx, dsn, size, opts...); err != nil {
		d.Close(ctx)
		return nil, err
	}
	if d.Writes, err = postgres.Open(ctx, dsn, writeConnections, opts...); err != nil {
		d.Close(ctx)
		return nil, err
	}
	if err := awaitDatabase(ctx, d.Pool, log); err != nil {
		d.Close(ctx)
		return nil, err
	}
	return d, nil
}

// AttachDatabase is OpenDatabase for the commands of an operator: where a running Nimbus has the embedded server, they use
// that one, through its socket. It makes no database: a command that was not told where the server has its own would look
// at a new and empty one, or back it up, and say that all is well.
func AttachDatabase(ctx context.Context, c *config.Config, log *slog.Logger) (*Database, error) {
	if c.Embedded() && !embedded.Exists(c.DataDir) {
		dir, err := filepath.Abs(c.DataDir)
		if err != nil {
			dir = c.DataDir
		}
		return nil, fmt.Errorf("there is no database in %s: set NIMBUS_DATA_DIR or NIMBUS_DATABASE_URL to what the server has", dir)
	}
	return AttachOrMakeDatabase(ctx, c, log)
}

// AttachOrMakeDatabase is AttachDatabase for the commands that may be the first to use a database.
func AttachOrMakeDatabase(ctx context.Context, c *config.Config, log *slog.Logger) (*Database, error) {
	d, err := OpenDatabase(ctx, c, log)
	if !errors.Is(err, embedded.ErrInUse) {
		return d, err
	}
	dsn, ok := embedded.Running(c.DataDir)
	if !ok {
		return nil, err
	}
	return connect(ctx, &Database{}, dsn, c.DBPoolSize, log)
}

// patience is how long a start waits for a database that does not answer yet, as when both are started together.
const patience = 30 * time.Second

func awaitDatabase(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	for told := false; ; {
		err := pool.Ping(ctx)
		if err == nil {
			return nil
		}
		if !postgres.IsUnavailable(err) || ctx.Err() != nil {
			return fmt.Errorf("the database cannot be used: %w", err)
		}
		if !told {
			log.Warn("waiting for the database", "for_at_most", patience.String(), "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the database did not answer within %s: %w", time.Since(began).Round(time.Second), err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Close closes the connections and stops the embedded server.
func (d *Database) Close(ctx context.Context) {
	for _, pool := range []*pgxpool.Pool{d.Writes, d.Pool} {
		if pool != nil {
			pool.Close()
		}
	}
	if d.own != nil {
		d.own.close(ctx)
	}
}

// Prepare brings the schema up to date, or checks that it is.
func Prepare(ctx context.Context, pool *pgxpool.Pool, auto bool, log *slog.Logger) error {
	if !auto {
		return db.Check(ctx, pool)
	}
	return db.Migrate(ctx, pool, log)
}

// supervisor keeps the embedded PostgreSQL running: when it dies, it is started again, recovers by itself, and the
// pool finds it at the same socket. Until then requests are answered with 503.
type supervisor struct {
	cfg  embedded.Config
	dsn  string
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{}
	now  *embedded.Server
}

func supervise(ctx context.Context, c *config.Config, log *slog.Logger) (*supervisor, error) {
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	cfg := embedded.Config{Dir: dir, BinDir: c.PostgresBin, CacheDir: embedded.DefaultCacheDir(), Durable: true, Logger: log}
	srv, err := embedded.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.Background())
	s := &supervisor{cfg: cfg, dsn: srv.DSN(embedded.Database), log: log, stop: stop, done: make(chan struct{}), now: srv}
	go s.run(watch)
	return s, nil
}

func (s *supervisor) run(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.now.Done():
		}
		s.log.Error("the embedded PostgreSQL died; starting it again", "error", s.now.Err())
		_ = s.now.Stop(ctx) // it is dead; this lets go of its lock
		for {
			srv, err := embedded.Start(ctx, s.cfg)
			if err == nil {
				s.now = srv
				s.log.Info("the embedded PostgreSQL is back")
				break
			}
			s.log.Error("the embedded PostgreSQL does not start; trying again", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}
}

func (s *supervisor) close(ctx context.Context) {
	s.stop()
	<-s.done
	if err := s.now.Stop(ctx); err != nil {
		s.log.Warn("the embedded PostgreSQL did not stop in order; it recovers at the next start", "error", err)
	}
}
