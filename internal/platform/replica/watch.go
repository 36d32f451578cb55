package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
)

const (
	interval = time.Second
	// patience is how long a database may take to say where it is. What a standby is asked ends when it takes longer.
	patience = 2 * time.Second
)

// errNoAnswer comes with a cause that names hosts and accounts.
var errNoAnswer = errors.New("it does not answer")

// watch measures how far the standby is behind the primary. It has a connection of its own to each: a pool that is full of
// questions is no sign of a database that is away.
type watch struct {
	primary, standby *pgxpool.Pool
	maxLag           time.Duration
	history          history
}

func newWatch(ctx context.Context, primary, standby *pgxpool.Pool, maxLag time.Duration) (*watch, error) {
	w := &watch{maxLag: maxLag}
	var err error
	if w.primary, err = single(ctx, primary); err != nil {
		return nil, err
	}
	if w.standby, err = single(ctx, standby); err != nil {
		w.primary.Close()
		return nil, err
	}
	return w, nil
}

// single is a pool of one connection to the database of another.
func single(ctx context.Context, of *pgxpool.Pool) (*pgxpool.Pool, error) {
	cfg := of.Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("watch the replica: %w", err)
	}
	return pool, nil
}

func (w *watch) close(log *slog.Logger) {
	postgres.Close(w.primary, log)
	postgres.Close(w.standby, log)
}

// lag is how far a standby is behind. As an error it says why it is not asked.
type lag struct {
	bytes int64
	time  time.Duration
	known bool // false before the standby has replayed anything that the primary was seen to write
}

func (l lag) Error() string {
	if !l.known {
		return fmt.Sprintf("how far it is behind is not known yet; it has %d bytes to replay", l.bytes)
	}
	return fmt.Sprintf("it is %s and %d bytes behind", l.time.Round(100*time.Millisecond), l.bytes)
}

func (w *watch) fit(l lag) bool { return w.maxLag == 0 || l.known && l.time <= w.maxLag }

// measure asks the primary what it has written, and then the standby what it has replayed. An error means that the standby
// cannot be asked at all.
func (w *watch) measure(ctx context.Context) (lag, error) {
	identity, err := w.written(ctx)
	if err == nil {
		w.history.identity = identity
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var standby bool
	var replayed, of int64
	if err := w.standby.QueryRow(limited, `SELECT pg_is_in_recovery(), coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint,
		(SELECT system_identifier FROM pg_control_system())`).Scan(&standby, &replayed, &of); err != nil {
		return lag{}, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	switch {
	case !standby:
		return lag{}, errors.New("it is not a standby")
	case w.history.identity != 0 && of != w.history.identity:
		return lag{}, errors.New("it is the standby of another database")
	}
	return w.history.behind(time.Now(), replayed), nil
}

// written records how far the primary has written, and returns which database it is.
func (w *watch) written(ctx context.Context) (identity int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var position int64
	err = w.primary.QueryRow(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, (SELECT system_identifier FROM pg_control_system())`).
		Scan(&position, &identity)
	if err == nil {
		w.history.add(time.Now(), position)
	}
	return identity, err
}
