package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// patience is how long a start waits for a database that does not answer yet, as when both are started together.
	patience   = 30 * time.Second
	retryDelay = 250 * time.Millisecond
	// closeTime is how long Close waits for connections that are in use.
	closeTime  = 5 * time.Second
	poolerTime = 2 * time.Second
)

// Need says what a database is wanted for.
type Need struct {
	Writing bool     // else questions only, as by a backup
	Tables  []string // those that must belong to the role, where they are there
}

// Await returns when the database can be used. It waits a while for one that does not answer yet, or that is a standby
// before its promotion. What no waiting mends is refused at once: a wrong password, a database that is not there, and
// whatever Examine finds (UnfitError).
func Await(ctx context.Context, pool *pgxpool.Pool, need Need, log *slog.Logger) error {
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	for told := false; ; {
		err := usable(limit, pool, need)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("wait for the database: %w", ctx.Err())
		case limit.Err() != nil:
			return fmt.Errorf("the database did not answer within %s: %w", time.Since(began).Round(time.Second), err)
		case !mayHeal(err):
			return err
		}
		if !told {
			log.Warn("waiting for the database", "for_at_most", patience.String(), "error", err)
			told = true
		}
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("wait for the database: %w", ctx.Err())
			}
			return fmt.Errorf("the database did not answer within %s: %w", time.Since(began).Round(time.Second), err)
		case <-time.After(retryDelay):
		}
	}
}

// errStandby is a database that takes no writes until it is promoted.
var errStandby = errors.New("it is a standby, which takes no writes: name the primary in NIMBUS_DATABASE_URL, or promote it")

func usable(ctx context.Context, pool *pgxpool.Pool, need Need) error {
	if err := pool.Ping(ctx); err != nil {
		return err
	}
	faults, err := Examine(ctx, pool, need.Tables)
	if err != nil {
		return err
	}
	if !need.Writing {
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return f.Writing })
	}
	if len(faults) > 0 {
		return &UnfitError{faults}
	}
	if !need.Writing {
		return nil
	}
	var standby bool
	if err := pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return err
	}
	if standby {
		return errStandby
	}
	return nil
}

// mayHeal says that a database which cannot be used now may be there in a moment, without anybody changing a setting.
func mayHeal(err error) bool {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) || errors.As(err, &record) {
		return false
	}
	if errors.Is(err, errStandby) {
		return true
	}
	switch code := sqlState(err); {
	case code == "":
	case code[:2] == "28", // wrong password, no such role, no line for it in pg_hba.conf
		code == "3D000", // no such database
		code == "42501", // the role may not connect
		code == "08P01": // a pooler that does not know a parameter of the URL
		return false
	}
	return IsUnavailable(err)
}

// Close closes the pool. A connection that is still in use after a few seconds is left to the end of the process: to wait
// for it without end would keep that from coming, and nobody would learn why.
func Close(pool *pgxpool.Pool, log *slog.Logger) { closeWithin(closeTime, pool, log) }

func closeWithin(limit time.Duration, pool *pgxpool.Pool, log *slog.Logger) {
	done := make(chan struct{})
	go func() {
		pool.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		log.Error("connections to the database are still in use; the process ends without them", "connections", pool.Stat().AcquiredConns())
	}
}
