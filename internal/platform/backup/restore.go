package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"

	"github.com/bahagh/nimbus/db"
)

// ErrNotEmpty is wrapped when the database to restore into holds something already.
var ErrNotEmpty = errors.New("the database is not empty")

// Restore fills the database with what is in dir. The database must hold no accounts, projects or events. The files are
// checked first; the rows then come in one transaction, and the schema is brought up to date at the end.
func Restore(ctx context.Context, pool *pgxpool.Pool, dir string, log *slog.Logger, progress Progress) (*Manifest, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := m.CheckFiles(dir); err != nil {
		return nil, err
	}
	if theirs := m.dropForeign(); len(theirs) > 0 {
		log.Warn("the backup has tables that are not of Nimbus; they are left out", "tables", theirs)
	}
	st, err := db.ReadStatus(ctx, pool)
	switch {
	case err != nil:
		return nil, err
	case m.SchemaVersion > st.Latest:
		return nil, fmt.Errorf("the backup has schema version %d and this Nimbus knows only up to %d: use %s or newer", m.SchemaVersion, st.Latest, m.Nimbus)
	case st.Current != 0 && st.Current != m.SchemaVersion: // where a restore that failed has left it
		return nil, fmt.Errorf("%w: it has schema version %d; restore into a new one", ErrNotEmpty, st.Current)
	}
	if err := db.MigrateTo(ctx, pool, m.SchemaVersion, log); err != nil {
		return nil, err
	}
	if err := empty(ctx, pool); err != nil {
		return nil, err
	}
	for _, month := range m.Months {
		if err := makePartition(ctx, pool, month); err != nil {
			return nil, fmt.Errorf("make the partition %s of the backup in %s: %w", month, dir, err)
		}
	}
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return m.copyIn(ctx, tx, dir, progress) }); err != nil {
		return nil, err
	}
	// Without statistics the first questions would be planned as if there was nothing.
	if _, err := pool.Exec(ctx, "ANALYZE"); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	return m, db.Migrate(ctx, pool, log)
}

// makePartition makes a partition of the manifest. The database has the schema of the backup: one with partitions of
// several months has the function for them.
func makePartition(ctx context.Context, pool *pgxpool.Pool, months string) error {
	first, end, several := strings.Cut(months, "/")
	since, err := time.Parse("2006-01", first)
	if err != nil {
		return err
	}
	if !several {
		_, err = pool.Exec(ctx, "SELECT ensure_event_partition($1)", since)
		return err
	}
	until, err := time.Parse("2006-01", end)
	if err != nil {
		return err
	}
	// It is there when a restore before this one failed half-way.
	_, err = pool.Exec(ctx, `SELECT attach_event_partition(new_event_partition($1, $2), $1, $2)
		WHERE NOT EXISTS (SELECT FROM event_partitions() AS p WHERE p.since = $1 AND p.until = $2)`, since, until)
	return err
}

func empty(ctx context.Context, pool *pgxpool.Pool) error {
	var full bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM projects) OR EXISTS (SELECT 1 FROM events)`).Scan(&full); err != nil {
		return fmt.Errorf("look whether the database is empty: %w", err)
	}
	if full {
		return fmt.Errorf("%w: restore into a new one", ErrNotEmpty)
	}
	return nil
}

func (m *Manifest) copyIn(ctx context.Context, tx pgx.Tx, dir string, progress Progress) error {
	// What migrations have put in comes from the backup too; dependents go first.
	for _, t := range slices.Backward(m.Tables) {
		if _, err := tx.Exec(ctx, "DELETE FROM "+pgx.Identifier{t.Name}.Sanitize()); err != nil {
			return fmt.Errorf("clear %s: %w", t.Name, err)
		}
	}
	for i := range m.Tables {
		t := &m.Tables[i]
		if err := t.copyIn(ctx, tx, dir); err != nil {
			return fmt.Errorf("restore %s: %w", t.Name, err)
		}
		progress(t.Name, t.Rows)
	}
	return nil
}

func (t *Table) copyIn(ctx context.Context, tx pgx.Tx, dir string) error {
	f, err := os.Open(filepath.Join(dir, t.File))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	name := pgx.Identifier{t.Name}.Sanitize()
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, z, "COPY "+name+" ("+columns(t.Columns)+") FROM STDIN")
	if err != nil {
		return err
	}
	if tag.RowsAffected() != t.Rows {
		return fmt.Errorf("%d rows came of %d", tag.RowsAffected(), t.Rows)
	}
	return t.advanceSequences(ctx, tx, name)
}

// advanceSequences sees to it that numbers which were given out are not given out again.
func (t *Table) advanceSequences(ctx context.Context, tx pgx.Tx, name string) error {
	rows, err := tx.Query(ctx, `SELECT attname::text FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND pg_get_serial_sequence($1::text, attname::text) IS NOT NULL`, name)
	if err != nil {
		return err
	}
	counted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, column := range counted {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SELECT setval(pg_get_serial_sequence($1, $2), greatest(max(%[1]s), 1), max(%[1]s) IS NOT NULL) FROM %[2]s",
			pgx.Identifier{column}.Sanitize(), name), name, column); err != nil {
			return fmt.Errorf("set the sequence of %s: %w", column, err)
		}
	}
	return nil
}
