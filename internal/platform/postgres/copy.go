package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// Copy stores n rows by COPY in its binary form; row is called for each, in order, and must append a value of the
// column's type for every column.
//
// The driver's own way takes each value as an interface and looks up how to write it: that was a third of what the
// server spent on an event. It also asks for the types of the columns first; here the author of row knows them.
func Copy(ctx context.Context, tx pgx.Tx, table string, columns []string, n int, row func(k int, r *CopyRow)) error {
	quoted := make([]string, len(columns))
	for k, c := range columns {
		quoted[k] = pgx.Identifier{c}.Sanitize()
	}
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN BINARY", pgx.Identifier{table}.Sanitize(), strings.Join(quoted, ", "))
	r := &copyReader{rows: n, columns: uint16(len(columns)), row: row}
	r.out.buf = append(r.out.buf, copyHeader...)
	r.rest = r.out.buf
	ctx, span := tracing.Start(ctx, "COPY "+table) // the driver's tracer does not see it
	_, err := tx.Conn().PgConn().CopyFrom(ctx, r, sql)
	tracing.End(span, err)
	return err
}

// copyHeader is a signature, no flags, and no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyReader makes the rows as they are read, so that they are never in memory all at once.
type copyReader struct {
	rows, next int
	columns    uint16
	row        func(int, *CopyRow)
	out        CopyRow
	rest       []byte // of out, not read yet
}

func (r *copyReader) Read(p []byte) (int, error) {
	if len(r.rest) < len(p) { // fill it up: each read becomes a message and a system call
		r.out.buf = append(r.out.buf[:0], r.rest...)
		for ; r.next < r.rows && len(r.out.buf) < len(p); r.next++ {
			r.out.buf = binary.BigEndian.AppendUint16(r.out.buf, r.columns)
			r.row(r.next, &r.out)
		}
		r.rest = r.out.buf
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// CopyRow takes the values of one row.
type CopyRow struct{ buf []byte }

// UUID appends a uuid.
func (r *CopyRow) UUID(id uuid.UUID) {
	r.size(len(id))
	r.buf = append(r.buf, id[:]...)
}

// Int64 appends a bigint.
func (r *CopyRow) Int64(n int64) {
	r.size(8)
	r.buf = binary.BigEndian.AppendUint64(r.buf, uint64(n))
}

// Time appends a timestamptz.
func (r *CopyRow) Time(t time.Time) { r.Int64(t.UnixMicro() - postgresEpochMicros) }

// Text appends a text.
func (r *CopyRow) Text(s string) {
	r.size(len(s))
	r.buf = append(r.buf, s...)
}

// OptionalText appends a text, or NULL when it is empty.
func (r *CopyRow) OptionalText(s string) {
	if s == "" {
		r.size(-1)
		return
	}
	r.Text(s)
}

// OptionalBool appends true, or NULL when it is false.
func (r *CopyRow) OptionalBool(b bool) {
	if !b {
		r.size(-1)
		return
	}
	r.size(1)
	r.buf = append(r.buf, 1)
}

// JSONB appends a jsonb, given as JSON.
func (r *CopyRow) JSONB(j []byte) {
	r.size(1 + len(j))
	r.buf = append(append(r.buf, jsonbVersion), j...)
}

// size appends the length of a value; PostgreSQL refuses a row long before one is too long for it.
func (r *CopyRow) size(n int) { r.buf = binary.BigEndian.AppendUint32(r.buf, uint32(int32(n))) }
