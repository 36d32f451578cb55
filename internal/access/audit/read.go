package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Page returns at most limit entries of a project, newest first, that come after cursor; an empty cursor starts at the
// newest. next is empty on the last page. A cursor that no Page returned is errCursor.
func (l *Log) Page(ctx context.Context, project uuid.UUID, f Filter, limit int32, cursor string) (page []Stored, next string, err error) {
	var after *position
	if cursor != "" {
		if after, err = decodeCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	page, err = l.page(ctx, project, f, after, limit+1) // one more than asked for tells whether there is a next page
	if err != nil {
		return nil, "", err
	}
	if len(page) > int(limit) {
		page = page[:limit]
		next = encodeCursor(position{page[limit-1].At, page[limit-1].ID})
	}
	return page, next, nil
}

const (
	exportPage = 1000             // how many entries of an export are read at once
	pageTime   = 30 * time.Second // and how long that may take; the whole takes as long as its reader
)

// All calls each for every entry that passes the filter, newest first, until each returns an error.
func (l *Log) All(ctx context.Context, project uuid.UUID, f Filter, each func(*Stored) error) error {
	for after := (*position)(nil); ; {
		within, cancel := context.WithTimeout(ctx, pageTime)
		page, err := l.page(within, project, f, after, exportPage)
		cancel()
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
		last := page[len(page)-1]
		after = &position{last.At, last.ID}
	}
}

var errCursor = errors.New("must be the next_cursor of the page before")

const cursorBytes = 8 + 16 // microseconds, and the id

func encodeCursor(p position) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, p.id[:]...))
}

func decodeCursor(s string) (*position, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorBytes {
		return nil, errCursor
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	// PostgreSQL knows no time outside of these, and would answer with an error instead of with nothing.
	if at.Year() < 1970 || at.Year() > 9999 {
		return nil, errCursor
	}
	return &position{at, uuid.UUID(b[8:])}, nil
}

const (
	pruneStepRows = 1000 // as db/queries/audit.sql has it
	maxPruneSteps = 1000
)

// Prune removes entries that concern no project and are older than keep, in short steps, up to a bounded number; what is left
// over is for the next run. Entries of a project go with it. The database refuses to remove what is not 30 days old.
func (l *Log) Prune(ctx context.Context, now time.Time, keep time.Duration) error {
	for range maxPruneSteps {
		removed, err := l.prune(ctx, now.Add(-keep))
		if err != nil || removed < pruneStepRows {
			return err
		}
	}
	return nil
}
