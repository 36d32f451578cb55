package imports

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// record is one line of a source, or one row of a table as an object of its columns.
type record struct {
	part   string // the file that it stands in
	line   int    // its first line there, from 1 on
	text   []byte
	row    bool   // of a table
	reason string // why it is none; empty when it is one
	detail string
}

// maxLine is the largest line in bytes: an event has 32 KiB of props, and what vendors add to it is not as much again.
const maxLine = 16 << 20

// records yields those of a source, one after the other. It stops when yield returns false.
func (s *source) records(o *Options, yield func(record) bool) error {
	for k := range s.parts {
		p := &s.parts[k]
		r, err := p.open()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b := bufio.NewReaderSize(r, 1<<20)
		var more bool
		if isTable(b, o.Format) {
			more, err = rows(b, p.name, o.Delimiter, yield)
		} else {
			more, err = lines(b, p.name, yield)
		}
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// isTable tells a table from lines of JSON: PostHog exports both.
func isTable(b *bufio.Reader, format string) bool {
	if format != "posthog" {
		return format == "csv"
	}
	begin, _ := b.Peek(64)
	begin = bytes.TrimSpace(bytes.TrimPrefix(begin, byteOrderMark))
	return len(begin) > 0 && begin[0] != '{'
}

// lines yields the lines that are not empty.
func lines(b *bufio.Reader, name string, yield func(record) bool) (more bool, err error) {
	for n := 1; ; n++ {
		text, tooLong, err := line(b)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if n == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		r := record{part: name, line: n, text: bytes.TrimSpace(text)}
		if tooLong {
			r.reason, r.detail = "line_too_long", "a line has at most 16 MiB"
		} else if len(r.text) > 0 {
			decoded, ok := compat.Decodable(r.text)
			if r.text = decoded; !ok {
				r.reason, r.detail = "malformed_json", "the line is not JSON; the file may have been cut"
			}
		}
		if (len(r.text) > 0 || tooLong) && !yield(r) {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
	}
}

// line reads one line of its own memory. Of one that is too long nothing is kept.
func line(b *bufio.Reader) (text []byte, tooLong bool, err error) {
	for {
		piece, err := b.ReadSlice('\n')
		if len(text)+len(piece) > maxLine {
			tooLong = true
		}
		if tooLong {
			text = nil
		} else {
			text = append(text, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}

// rows yields the rows of a table, whose first one names the columns.
func rows(b *bufio.Reader, name string, delimiter rune, yield func(record) bool) (more bool, err error) {
	if begin, _ := b.Peek(len(byteOrderMark)); bytes.Equal(begin, byteOrderMark) {
		_, _ = b.Discard(len(begin)) // they are in the buffer
	}
	r := csv.NewReader(b)
	r.ReuseRecord, r.FieldsPerRecord = true, -1
	if delimiter != 0 {
		r.Comma = delimiter
	}
	first, err := r.Read()
	if errors.Is(err, io.EOF) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("the row of the columns: %w", err)
	}
	columns := make([]string, len(first))
	for k, column := range first {
		columns[k] = strings.TrimSpace(column)
	}
	for {
		row, err := r.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case errors.As(err, &broken):
			if !yield(record{part: name, line: broken.StartLine, reason: "malformed_row", detail: broken.Err.Error()}) {
				return false, nil
			}
			continue
		case err != nil:
			return false, err
		}
		at, _ := r.FieldPos(0)
		out := record{part: name, line: at, text: object(columns, row), row: true}
		if len(row) != len(columns) {
			out.reason, out.detail = "malformed_row", fmt.Sprintf("a row has %d columns and the first one %d", len(row), len(columns))
		}
		if !yield(out) {
			return false, nil
		}
	}
}

// object is a row as an object of texts.
func object(columns, row []string) []byte {
	b := []byte{'{'}
	for k := range min(len(columns), len(row)) {
		if k > 0 {
			b = append(b, ',')
		}
		b = append(compat.Quote(b, columns[k]), ':')
		b = compat.Quote(b, row[k])
	}
	return append(b, '}')
}
