package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"

	"github.com/bahagh/nimbus/db"
)

// Progress is told of each table when it is done.
type Progress func(table string, rows int64)

// Write makes a backup of the database in dir, which must be empty or not there yet. now is the time it is given, version
// the Nimbus that makes it. When it fails, dir holds no manifest and can be removed.
func Write(ctx context.Context, pool *pgxpool.Pool, dir, version string, now time.Time, progress Progress) (*Manifest, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	m := &Manifest{Format: format, Nimbus: version, CreatedAt: now.UTC()}
	// What the tables hold is that of one moment, and none of them can be dropped or changed before the end.
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// Others than the ISO style leave open which number is the day, and which is the month.
		if _, err := tx.Exec(ctx, "SET LOCAL datestyle = 'ISO'"); err != nil {
			return err
		}
		// With Citus each connection to a worker has a snapshot of its own: with one for each worker, and so for each
		// project, a project's events and counts are of one moment. To PostgreSQL it is a setting like any other.
		if _, err := tx.Exec(ctx, "SET LOCAL citus.max_adaptive_executor_pool_size = 1"); err != nil {
			return err
		}
		if err := m.describe(ctx, tx); err != nil {
			return err
		}
		for i := range m.Tables {
			t := &m.Tables[i]
			if err := t.copyOut(ctx, tx, dir); err != nil {
				return fmt.Errorf("back up %s: %w", t.Name, err)
			}
			progress(t.Name, t.Rows)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.write(dir); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return m, nil
}

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the backup: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look into the directory of the backup: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a backup needs a directory of its own", dir)
	}
	return nil
}

// describe lists our tables, in an order in which every row finds what it refers to, and locks them. The schema may hold tables
// of other programs, which a restored schema would not have.
func (m *Manifest) describe(ctx context.Context, tx pgx.Tx) error {
	if err := db.Check(ctx, tx); err != nil {
		return err
	}
	st, err := db.ReadStatus(ctx, tx)
	if err != nil {
		return err
	}
	if st.Newer {
		return fmt.Errorf("%w: the schema has version %d and this binary knows the tables of version %d: make the backup with the newer binary",
			db.ErrNewer, st.Current, st.Latest)
	}
	m.SchemaVersion = st.Current
	rows, err := tx.Query(ctx, `
		SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass) AND c.relname = ANY($1)
		GROUP BY c.relname ORDER BY c.relname`, db.BackedUp())
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
		err = row.Scan(&t.Name, &t.Columns)
		t.File = t.Name + ".copy.zst"
		return t, err
	})
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	if want := len(db.BackedUp()); len(tables) != want {
		return fmt.Errorf("the schema of events has %d of our %d tables", len(tables), want)
	}
	rows, err = tx.Query(ctx, `SELECT DISTINCT f.relname::text, t.relname::text
		FROM pg_constraint JOIN pg_class f ON f.oid = conrelid JOIN pg_class t ON t.oid = confrelid
		WHERE contype = 'f' AND conrelid <> confrelid AND f.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass)
		  AND t.relnamespace = f.relnamespace AND f.relname = ANY($1) AND t.relname = ANY($1)`, db.BackedUp())
	if err != nil {
		return fmt.Errorf("list the references: %w", err)
	}
	needs := map[string][]string{}
	var from, to string
	if _, err := pgx.ForEachRow(rows, []any{&from, &to}, func() error { needs[from] = append(needs[from], to); return nil }); err != nil {
		return fmt.Errorf("list the references: %w", err)
	}
	if m.Tables, err = ordered(tables, needs); err != nil {
		return err
	}
	for _, t := range m.Tables {
		if _, err := tx.Exec(ctx, "LOCK TABLE "+pgx.Identifier{t.Name}.Sanitize()+" IN ACCESS SHARE MODE"); err != nil {
			return fmt.Errorf("lock %s: %w", t.Name, err)
		}
	}
	if err := tx.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT secret_key_id), '{}') FROM api_keys`).Scan(&m.SecretKeyIDs); err != nil {
		return fmt.Errorf("list the secret keys: %w", err)
	}
	if err := tx.QueryRow(ctx, `SELECT coalesce(array_agg(to_char(p.since AT TIME ZONE 'UTC', 'YYYY-MM') ||
			CASE WHEN p.name ~ '^events_\d{6}_\d{6}$' THEN '/' || to_char(p.until AT TIME ZONE 'UTC', 'YYYY-MM') ELSE '' END ORDER BY p.since), '{}')
		FROM event_partitions() AS p`).Scan(&m.Months); err != nil {
		return fmt.Errorf("list the partitions: %w", err)
	}
	return nil
}

// ordered puts every table after those that it needs.
func ordered(tables []Table, needs map[string][]string) ([]Table, error) {
	done := map[string]bool{}
	var out []Table
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			ready := !done[t.Name]
			for _, n := range needs[t.Name] {
				ready = ready && done[n]
			}
			if ready {
				done[t.Name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a circle: this Nimbus cannot back them up")
		}
	}
	return out, nil
}

// copyOut writes the table's rows into its file.
func (t *Table) copyOut(ctx context.Context, tx pgx.Tx, dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, t.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	size := &counter{w: io.MultiWriter(f, sum)}
	z, err := zstd.NewWriter(size, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	tag, err := tx.Conn().PgConn().CopyTo(ctx, z, "COPY (SELECT "+columns(t.Columns)+" FROM "+pgx.Identifier{t.Name}.Sanitize()+") TO STDOUT")
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	t.Rows, t.Bytes, t.SHA256 = tag.RowsAffected(), size.n, hex.EncodeToString(sum.Sum(nil))
	return nil
}

func columns(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

// counter counts what goes through.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
