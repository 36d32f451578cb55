package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// driver is golang-migrate's way to the database. Its own records the version in a transaction apart from the file's, so that
// a kill between the two leaves a database that nobody dares to touch; this one writes both in one.
type driver struct {
	ctx    context.Context // golang-migrate's interface has no room for one
	schema schema
	record record
	logger *slog.Logger

	from, target uint   // where the file that runs next begins, and where it leads
	file         string // its name
}

// Version implements database.Driver. What is unfinished has been dealt with before: it is never dirty.
func (d *driver) Version() (version int, dirty bool, err error) {
	st, err := d.schema.status(d.ctx, d.record.conn)
	if err != nil || st.Current == 0 {
		return database.NilVersion, false, err
	}
	return int(st.Current), false, nil
}

// SetVersion implements database.Driver. golang-migrate calls it before and after a file: the first call says where the file
// leads, and Run has done what the second one asks for.
func (d *driver) SetVersion(version int, dirty bool) error {
	if !dirty {
		return nil
	}
	st, err := d.schema.status(d.ctx, d.record.conn)
	if err != nil {
		return err
	}
	d.from, d.target = st.Current, uint(max(version, 0))
	d.file = d.schema.file(d.target, "up")
	if d.target < d.from {
		d.file = d.schema.file(d.from, "down")
	}
	return nil
}

// Run implements database.Driver.
func (d *driver) Run(migration io.Reader) error {
	body, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("read %s: %w", d.file, err)
	}
	if ix, alone := concurrentIndex(string(body)); alone {
		return d.runAlone(string(body), ix)
	}
	return d.runInTransaction(string(body))
}

func (d *driver) runInTransaction(body string) error {
	tx, err := d.record.conn.Begin(d.ctx)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", d.file, err)
	}
	defer tx.Rollback(context.WithoutCancel(d.ctx))
	if err := exec(d.ctx, tx.Conn(), body); err != nil {
		return d.explain(err, body, fmt.Sprintf("The file is one transaction, so nothing of it was applied: the database is still at version %d. "+
			"Correct what is wrong, and run it again", d.from))
	}
	if tx.Conn().PgConn().TxStatus() != 'T' {
		return fmt.Errorf("%s ends its transaction, and so cannot be undone when it fails: it must not", d.file)
	}
	if err := d.record.set(d.ctx, tx, d.target); err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	if err := tx.Commit(d.ctx); err != nil {
		return fmt.Errorf("%s: commit: %w. Whether it was applied is recorded in the database: run it again, and it goes on from there", d.file, err)
	}
	return nil
}

// index is what a file that cannot be a transaction makes or drops.
type index struct {
	name   string
	create bool
}

var (
	comment    = regexp.MustCompile(`--[^\n]*`)
	concurrent = regexp.MustCompile(`(?i)^\s*(CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+CONCURRENTLY\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?([a-z0-9_]+)`)
)

// concurrentIndex says whether the body is a statement that PostgreSQL does not run in a transaction.
func concurrentIndex(body string) (index, bool) {
	found := concurrent.FindStringSubmatch(comment.ReplaceAllString(body, ""))
	if found == nil {
		return index{}, false
	}
	return index{name: found[2], create: strings.EqualFold(found[1][:1], "c")}, true
}

// The states of an index.
const (
	indexMissing = "is not there"
	indexInvalid = "is there, but invalid: its making was cut off or failed"
	indexValid   = "is there and whole"
)

func indexState(ctx context.Context, q Querier, name string) (string, error) {
	state := indexMissing
	err := q.QueryRow(ctx, "SELECT CASE WHEN indisvalid THEN $2 ELSE $3 END FROM pg_index WHERE indexrelid = to_regclass($1)",
		name, indexValid, indexInvalid).Scan(&state)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("look for index %s: %w", name, err)
	}
	return state, nil
}

// runAlone runs a file that is the making or dropping of an index, and goes on where a cut-off run has left it.
func (d *driver) runAlone(body string, ix index) error {
	conn := d.record.conn
	st, err := d.schema.status(d.ctx, conn)
	if err != nil {
		return err
	}
	state, err := indexState(d.ctx, conn, ix.name)
	if err != nil {
		return err
	}
	again := st.Unfinished == d.file
	if !again {
		if err := d.record.begin(d.ctx, d.file); err != nil {
			return err
		}
	}
	switch {
	case again && ix.create && state == indexValid, again && !ix.create && state == indexMissing:
		// It had ended, and only the record was missing.
	case again && ix.create && state == indexInvalid:
		if err = exec(d.ctx, conn, "DROP INDEX CONCURRENTLY "+ix.name); err == nil {
			err = exec(d.ctx, conn, body)
		}
	default:
		err = exec(d.ctx, conn, body)
	}
	if err != nil {
		state, serr := indexState(context.WithoutCancel(d.ctx), conn, ix.name)
		if serr != nil {
			state = "may be there or not: the database does not answer"
		}
		return d.explain(err, body, fmt.Sprintf("The file cannot be a transaction: index %s %s. Correct what is wrong, and run it again: it goes on from there",
			ix.name, state))
	}
	return pgx.BeginFunc(d.ctx, conn, func(tx pgx.Tx) error { return d.record.set(d.ctx, tx, d.target) })
}

// exec runs a whole file, which may be many statements.
func exec(ctx context.Context, conn *pgx.Conn, body string) error {
	_, err := conn.PgConn().Exec(ctx, body).ReadAll()
	return err
}

// explain says which file failed and where, in PostgreSQL's words, and then what state the database is in.
func (d *driver) explain(err error, body, state string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fmt.Errorf("%s: %w. %s", d.file, err, state)
	}
	return fmt.Errorf("%s, line %d: %w%s. %s", d.file, line(body, int(pg.Position)), err, detail(pg), state)
}

// line is the one that the character at position, counted from 1, stands on. PostgreSQL says 0 where it knows none.
func line(body string, position int) int {
	before := []rune(body)
	before = before[:max(0, min(position-1, len(before)))]
	return strings.Count(string(before), "\n") + 1
}

// Open implements database.Driver. Nothing calls it: the driver is handed over as it is.
func (d *driver) Open(string) (database.Driver, error) { return d, nil }

// Close implements database.Driver. The connection belongs to the lock.
func (*driver) Close() error { return nil }

// Lock implements database.Driver. The connection of this driver holds the lock already.
func (*driver) Lock() error { return nil }

// Unlock implements database.Driver.
func (*driver) Unlock() error { return nil }

// Drop implements database.Driver.
func (*driver) Drop() error { return errors.New("dropping everything is not what this driver is for") }
