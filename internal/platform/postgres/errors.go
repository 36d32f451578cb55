package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// IsUnavailable says that the database could not do its work just now, through no fault of the statement: it is away,
// starting, stopping, full, out of connections, a read-only standby, or slower than the caller's deadline. Answer 503.
func IsUnavailable(err error) bool {
	if code := sqlState(err); code != "" {
		switch code {
		case "57P01", "57P02", "57P03", "57P05": // shut down by an administrator, crashed, cannot connect now, idle too long
			return true
		case "25P03", "25P04": // the operator's limits of a transaction: they end the connection, too
			return true
		case "25006": // read-only: a standby before its promotion, or the old primary after a fail-over
			return true
		}
		switch code[:2] {
		case "08", "53", "58": // connection; out of memory, disk or connections; the operating system's own errors
			return true
		}
		// A refusal while connecting, for instance of the password, is a state of the database, not of the statement.
		return isConnect(err)
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false // the caller went away: nothing is known about the database
	case errors.Is(err, context.DeadlineExceeded), // waiting for a connection, or for the answer
		errors.Is(err, puddle.ErrClosedPool), // we are shutting down ourselves
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNREFUSED):
		return true
	}
	var netErr net.Error
	return isConnect(err) || errors.As(err, &netErr) || isClosedConn(err)
}

// ErrUnconfirmed says that a transaction may be committed, and may not be: the answer to its COMMIT never came.
var ErrUnconfirmed = errors.New("it is not known whether this was committed")

// unconfirmed marks the error of a COMMIT after which nobody knows. What the server says against it undoes the transaction,
// unless it says that the connection is ended: then it may have been waiting for a standby, after its own commit.
func unconfirmed(ctx context.Context, err error) error {
	if pgconn.SafeToRetry(err) { // it was never sent
		return err
	}
	if code := sqlState(err); code == "57P01" || code == "57P02" || code == "" && (IsUnavailable(err) || ctx.Err() != nil) {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return err
}

// IsRetryable says that the transaction lost against another one and would probably succeed if run again at once: a
// serialization failure, a deadlock, or a lock not to be had; or against a migration that changed the result
// of a prepared statement, which the driver then prepares again.
func IsRetryable(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", "55P03":
		return !isConnect(err)
	case "0A000": // else it is something that PostgreSQL cannot do, today or tomorrow
		// By the function that says so: its words are in the language of lc_messages.
		var pg *pgconn.PgError
		return errors.As(err, &pg) && pg.Routine == "RevalidateCachedQuery"
	}
	return false
}

// IsCanceled says that somebody ended the statement: an administrator, or a statement_timeout that the operator has set. It
// is no class of its own, because what it means depends on who asked: a question may have been too heavy, while a write
// stored nothing and can be sent again.
func IsCanceled(err error) bool { return sqlState(err) == "57014" }

// IsUnique says that a row exists already, by the unique constraint or index of that name; an empty name means any.
func IsUnique(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && (constraint == "" || pg.ConstraintName == constraint)
}

// IsData says that the rows are at fault: a value out of range or malformed (class 22), a constraint broken (class 23), or
// a key too long for its index (54000). The same rows fail again; their neighbours in a batch need not.
func IsData(err error) bool {
	code := sqlState(err)
	return code == "54000" || (len(code) == 5 && (code[:2] == "22" || code[:2] == "23"))
}

// IsUnexplained says that the server gave its general reason (XX000) only. It is what Citus makes of whatever a worker
// refuses of a COPY, or of an INSERT that it turns into one: a duplicate row, an invalid row, or a lock that is held.
func IsUnexplained(err error) bool { return sqlState(err) == "XX000" }

// IsNoTable says that a table of the statement does not exist.
func IsNoTable(err error) bool { return sqlState(err) == "42P01" }

// IsDiskFull says that the database had no room to write to.
func IsDiskFull(err error) bool { return sqlState(err) == "53100" }

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 {
		return pg.Code
	}
	return ""
}

func isConnect(err error) bool {
	var c *pgconn.ConnectError
	return errors.As(err, &c)
}

// isClosedConn recognizes the use of a connection that had broken before, for which pgx has no exported error.
func isClosedConn(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "conn closed" {
			return true
		}
	}
	return false
}
