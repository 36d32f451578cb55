package db

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"github.com/golang-migrate/migrate/v4/source"
	"github.com/jackc/pgx/v5/pgconn"
)

// unfinished explains a file that cannot be a transaction and was cut off: which object it left in which state.
func (s schema) unfinished(ctx context.Context, q Querier, st Status) error {
	return fmt.Errorf("%w: %s was begun on version %d and has not ended: %s. Run nimbus migrate up, which goes on with it",
		ErrUnfinished, st.Unfinished, st.Current, s.found(ctx, q, st.Unfinished))
}

// found says what the file has left in the database so far.
func (s schema) found(ctx context.Context, q Querier, file string) string {
	body, err := fs.ReadFile(s.files, "migrations/"+file)
	if err != nil {
		return "this binary has no such file"
	}
	ix, ok := concurrentIndex(string(body))
	if !ok {
		return "the file has changed since"
	}
	state, err := indexState(ctx, q, ix.name)
	if err != nil {
		return err.Error()
	}
	return "index " + ix.name + " " + state
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

// has says whether this program has a file of that name.
func (s schema) has(file string) bool {
	_, err := fs.Stat(s.files, "migrations/"+file)
	return err == nil
}

// steps passes golang-migrate's one line per applied file on to our logger.
type steps struct{ logger *slog.Logger }

func (l steps) Printf(format string, args ...any) {
	l.logger.Info("migrated", "step", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (steps) Verbose() bool { return false }
