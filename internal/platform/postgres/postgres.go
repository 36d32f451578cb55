package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 5 * time.Second
	// rollbackTimeout bounds the only thing done after the caller's context has ended.
	rollbackTimeout = 5 * time.Second
)

// Option changes what Open would do.
type Option func(*pgxpool.Config)

// WithApplicationName is the name shown in pg_stat_activity, in place of "nimbus".
func WithApplicationName(name string) Option {
	return func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["application_name"] = name }
}

// WithReadOnly makes every transaction read-only: for a replica, and for queries that must not write by accident.
func WithReadOnly() Option {
	return func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on" }
}

// Open makes a pool of at most size connections (0: twice the processors, at least 4) to a postgres:// URL or a
// keyword/value string. It fails only when that cannot be understood; connections are made when they are needed. What the
// string itself sets, such as application_name or connect_timeout, is kept, but for the settings that every session needs.
func Open(ctx context.Context, url string, size int, opts ...Option) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err) // pgx keeps the password out of it
	}
	if size <= 0 {
		size = max(4, 2*runtime.GOMAXPROCS(0))
	}
	cfg.MaxConns = int32(size)
	cfg.MinConns, cfg.MinIdleConns = 0, 0 // an idle Nimbus holds no backends, each of which costs megabytes
	cfg.MaxConnIdleTime = 5 * time.Minute
	// Connections are renewed so that load balancers and fail-overs are noticed, not all at the same moment.
	cfg.MaxConnLifetime = time.Hour
	cfg.MaxConnLifetimeJitter = 10 * time.Minute
	cfg.HealthCheckPeriod = 30 * time.Second
	cc := cfg.ConnConfig
	if cc.ConnectTimeout <= 0 || cc.ConnectTimeout > time.Minute {
		cc.ConnectTimeout = connectTimeout
	}
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "nimbus"
	}
	pin(cc)
	cfg.AfterConnect = registerCodecs
	for _, opt := range opts {
		opt(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return pool, nil
}

type txKey struct{}

// WithTx returns a context in which InTx is part of tx: its changes are visible when tx commits, and not before. A caller uses it
// to join the transactions of the functions it calls to its own, when none of them needs a second connection.
func WithTx(ctx context.Context, tx pgx.Tx) context.Context {
	return context.WithValue(ctx, txKey{}, tx)
}

// InTx runs fn in a transaction, or in a savepoint of that of WithTx. It commits when fn returns nil
// and rolls back when fn returns an error, which is returned as it is, or panics, in which case the panic goes on. fn must
// neither commit nor keep the transaction. After an error nothing of it has happened, unless the error is ErrUnconfirmed.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) (err error) {
	begin, outermost := pool.Begin, true
	if outer, ok := ctx.Value(txKey{}).(pgx.Tx); ok {
		begin, outermost = outer.Begin, false
	}
	tx, err := begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// The caller's context may be what ended the transaction; a rollback saves the connection for the next one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		if rerr := tx.Rollback(ctx); rerr != nil && !errors.Is(rerr, pgx.ErrTxClosed) && err == nil {
			err = fmt.Errorf("roll back: %w", rerr)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	committed = true // from here on pgx ends the transaction itself, whatever the answer
	if err := tx.Commit(ctx); err != nil {
		if outermost {
			err = unconfirmed(ctx, err)
		}
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
