package imports

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"os"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// refusedFile gets the lines that were not understood, as they were: they can be corrected there and imported. A nil one
// takes them, too.
type refusedFile struct {
	f       *os.File
	w       *bufio.Writer
	written int64
	fresh   bool // this run has not looked at its end yet
}

func openRefused(path string) (*refusedFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the file for refused lines: %w", err)
	}
	return &refusedFile{f: f, w: bufio.NewWriter(f), fresh: true}, nil
}

// begin goes on where the state says that the file ended: what a killed run wrote behind it is written again.
func (r *refusedFile) begin(s *State) error {
	if r == nil {
		return nil
	}
	if r.fresh || s.Records > 0 {
		info, err := r.f.Stat()
		if err != nil {
			return err
		}
		r.written = min(s.Refused, info.Size())
		r.fresh = false
	}
	if err := r.f.Truncate(r.written); err != nil {
		return err
	}
	_, err := r.f.Seek(r.written, 0)
	return err
}

// write writes the refused records: lines, or the rows of a table below their columns.
func (r *refusedFile) write(refused []refusal, delimiter rune) error {
	if r == nil {
		return nil
	}
	for k := range refused {
		rec := refused[k].record
		if len(rec.text) == 0 {
			continue // it could not be read
		}
		if !rec.row {
			n, err := r.w.Write(append(rec.text, '\n'))
			r.written += int64(n)
			if err != nil {
				return err
			}
			continue
		}
		if err := r.row(rec, delimiter); err != nil {
			return err
		}
	}
	return nil
}

func (r *refusedFile) row(rec *record, delimiter rune) error {
	var columns, values []string
	for name, v := range compat.Members(rec.text) {
		columns, values = append(columns, string(name)), append(values, compat.Text(v))
	}
	w := csv.NewWriter(writer(func(b []byte) (int, error) {
		n, err := r.w.Write(b)
		r.written += int64(n)
		return n, err
	}))
	if delimiter != 0 {
		w.Comma = delimiter
	}
	if r.written == 0 {
		_ = w.Write(columns) // the error is kept for the end
	}
	_ = w.Write(values)
	w.Flush()
	return w.Error()
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// flush returns how many bytes are in the file.
func (r *refusedFile) flush() (int64, error) {
	if r == nil {
		return 0, nil
	}
	return r.written, r.w.Flush()
}

func (r *refusedFile) close() error { return errors.Join(r.w.Flush(), r.f.Close()) }
