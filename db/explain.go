package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/jackc/pgx/v5/pgconn"
)

// explain turns a failed run into what an operator needs: which file, what PostgreSQL said, what state the database is in,
// what to type next.
func (s schema) explain(ctx context.Context, q Querier, err error, direction string) error {
	if err == nil {
		return nil
	}
	st, serr := s.status(context.WithoutCancel(ctx), q)
	if serr != nil || !st.Dirty {
		return fmt.Errorf("migrate %s: %w", direction, err) // no file was at fault, or there is no asking any more
	}
	// golang-migrate marks the target before it runs the file: going up that is the file's own number, going down the one
	// below it.
	file, back := st.Current, s.before(st.Current)
	if direction == "down" {
		file = s.after(st.Current)
		back = file
	}
	name := s.file(file, direction)
	var pg *pgconn.PgError
	var dbErr database.Error
	if !errors.As(err, &dbErr) {
		return fmt.Errorf("migrate %s: %s: %w", direction, name, err)
	}
	if !errors.As(dbErr.OrigErr, &pg) {
		// The connection went away: whether the file was committed is not known.
		return fmt.Errorf("migrate %s: %s: %w: %w", direction, name, dbErr.OrigErr, s.refuse(st))
	}
	return fmt.Errorf("migrate %s: %s, line %d: %w%s. The file is one transaction, so none of it was applied; "+
		"the database is as version %d left it, but marked dirty. Correct what is wrong, then: nimbus migrate force %d, and nimbus migrate %s",
		direction, name, max(dbErr.Line, 1), pg, detail(pg), back, back, direction)
}

// dirty explains a run that was cut off: killed, or disconnected, between marking a version and clearing the mark.
func (s schema) dirty(v uint) error {
	var cases []string
	if v != 0 {
		cases = append(cases, fmt.Sprintf("It was applying %s: if what that makes is not there, nimbus migrate force %d; if it is, nimbus migrate force %d.",
			s.file(v, "up"), s.before(v), v))
	}
	if next := s.after(v); next != 0 {
		cases = append(cases, fmt.Sprintf("It was taking back by %s: if what that drops is still there, nimbus migrate force %d; if not, nimbus migrate force %d.",
			s.file(next, "down"), next, v))
	}
	return fmt.Errorf("%w: a run was cut off at version %d, and no migration runs until somebody has looked. "+
		"Every file is one transaction, applied in full or not at all, so one of these holds. %s "+
		"Then run nimbus migrate up. (A CREATE INDEX CONCURRENTLY cut off half-way leaves an invalid index: drop it first.)",
		ErrDirty, v, strings.Join(cases, " Or: "))
}

func detail(pg *pgconn.PgError) string {
	var more []string
	for _, text := range []string{pg.Detail, pg.Hint} {
		if text != "" {
			more = append(more, strings.TrimSuffix(text, "."))
		}
	}
	if len(more) == 0 {
		return ""
	}
	return " (" + strings.Join(more, "; ") + ")"
}

// versions lists the numbers of the files, in order.
func (s schema) versions() ([]uint, error) {
	entries, err := fs.ReadDir(s.files, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var all []uint
	for _, e := range entries {
		if m, err := source.DefaultParse(e.Name()); err == nil {
			all = append(all, m.Version)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// before is the version that comes before v, after the one that follows it; 0 where there is none.
func (s schema) before(v uint) uint {
	versions, _ := s.versions()
	if i := slices.Index(versions, v); i > 0 {
		return versions[i-1]
	}
	return 0
}

func (s schema) after(v uint) uint {
	versions, _ := s.versions()
	for _, w := range versions {
		if w > v {
			return w
		}
	}
	return 0
}

// file is the name of a migration's file, for messages.
func (s schema) file(v uint, direction string) string {
	entries, _ := fs.ReadDir(s.files, "migrations")
	for _, e := range entries {
		if m, err := source.DefaultParse(e.Name()); err == nil && m.Version == v && string(m.Direction) == direction {
			return e.Name()
		}
	}
	return fmt.Sprintf("no such file in this binary: %d", v)
}

// steps passes golang-migrate's one line per applied file on to our logger.
type steps struct{ logger *slog.Logger }

func (l steps) Printf(format string, args ...any) {
	l.logger.Info("migrated", "step", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (steps) Verbose() bool { return false }
