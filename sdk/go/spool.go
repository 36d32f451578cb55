package nimbus

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A spool is a log of the waiting events of one project. It consists of segments, files that are only appended to and
// are removed when the last of their events is settled. A segment is the line segmentHead and records: the length and
// the CRC-32C of an event, each in four bytes, little-endian, then the event.
//
// A crash may tear the last record of a segment; reading stops there, and new events go to a new segment. An event
// that was settled in a segment that was not yet removed is sent again by the next run, which its idempotency key
// makes harmless.
type spool struct {
	dir  string
	sync time.Duration // negative: in every append
	log  *slog.Logger
	lock io.Closer

	mu      sync.Mutex
	next    uint64   // number of the next segment
	current *segment // nil until the first event
	dirty   *time.Timer
}

// segment is a file of the spool.
type segment struct {
	path string
	file *os.File // nil unless it is the current one
	size int64
	left int // events not settled
}

// position is where in the spool an event stands.
type position struct{ segment *segment }

const (
	segmentHead  = "nimbus1\n"
	segmentBytes = 256 << 10 // a full segment; the most that is sent again for one event
	recordHead   = 8
	maxRecord    = leastBytes
	segmentName  = "%016x.events"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openSpool makes the tracker's spool and returns the events it finds in it, oldest first.
func (t *Tracker) openSpool() ([]item, error) {
	dir := filepath.Join(t.cfg.SpoolDir, t.cfg.ProjectID) // a segment does not say whose events it has
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("nimbus: make the spool: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("nimbus: the spool %s is in use: %w", dir, err)
	}
	s := &spool{dir: dir, sync: t.cfg.SpoolSync, log: t.cfg.Logger, lock: lock}
	found, err := s.read()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nimbus: read the spool: %w", err), lock.Close())
	}
	t.spool = s
	return found, nil
}

// read returns the events of all segments.
func (s *spool) read() ([]item, error) {
	entries, err := os.ReadDir(s.dir) // sorted, and so are the numbers in the names
	if err != nil {
		return nil, err
	}
	var found []item
	for _, entry := range entries {
		var number uint64
		_, err := fmt.Sscanf(entry.Name(), segmentName, &number)
		if err != nil || fmt.Sprintf(segmentName, number) != entry.Name() {
			continue // no segment
		}
		s.next = number + 1
		seg := &segment{path: filepath.Join(s.dir, entry.Name())}
		raw, err := os.ReadFile(seg.path)
		if err != nil {
			return nil, err
		}
		events, torn := records(raw)
		if torn > 0 {
			s.log.Warn("nimbus: the end of a spool segment is torn, as by a crash", "segment", seg.path, "bytes", torn)
		}
		for _, e := range events {
			found = append(found, item{json: e, at: position{seg}})
		}
		if seg.left = len(events); seg.left == 0 {
			if err := os.Remove(seg.path); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// records returns the whole records of a segment, and how many bytes behind them are none.
func records(raw []byte) (events [][]byte, torn int) {
	if len(raw) < len(segmentHead) || string(raw[:len(segmentHead)]) != segmentHead {
		return nil, len(raw)
	}
	for raw = raw[len(segmentHead):]; len(raw) >= recordHead; {
		size, sum := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
		if size == 0 || size > maxRecord || int(size) > len(raw)-recordHead {
			break
		}
		event := raw[recordHead : recordHead+size]
		// The checksum finds what a crash tore; bytes of another program must not break the batch they are sent in.
		if crc32.Checksum(event, castagnoli) != sum || !json.Valid(event) {
			break
		}
		events = append(events, event)
		raw = raw[recordHead+size:]
	}
	return events, len(raw)
}

// append writes an event. After an error it is not in the spool.
func (s *spool) append(event []byte) (position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(event); err != nil {
		return position{}, fmt.Errorf("nimbus: write the event to the spool: %w", err)
	}
	s.current.left++
	return position{s.current}, nil
}

func (s *spool) write(event []byte) error {
	if s.current != nil && s.current.size >= segmentBytes {
		if err := s.endSegment(); err != nil {
			return err
		}
	}
	if s.current == nil {
		if err := s.startSegment(); err != nil {
			return err
		}
	}
	record := make([]byte, recordHead, recordHead+len(event))
	binary.LittleEndian.PutUint32(record, uint32(len(event)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(event, castagnoli))
	_, err := s.current.file.Write(append(record, event...))
	if err == nil && s.sync < 0 {
		err = s.current.file.Sync()
	}
	if err != nil {
		// Behind half a record nothing could be read again.
		return errors.Join(err, s.endSegmentAt(s.current.size))
	}
	s.current.size += int64(recordHead + len(event))
	if s.sync > 0 && s.dirty == nil {
		s.dirty = time.AfterFunc(s.sync, s.flush)
	}
	return nil
}

// startSegment starts a segment. Its name is on disk before its first event.
func (s *spool) startSegment() error {
	seg := &segment{path: filepath.Join(s.dir, fmt.Sprintf(segmentName, s.next)), size: int64(len(segmentHead))}
	f, err := os.OpenFile(seg.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.next++
	if _, err = f.WriteString(segmentHead); err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(seg.path))
	}
	seg.file, s.current = f, seg
	return nil
}

// endSegment ends the current segment: what comes goes to the next.
func (s *spool) endSegment() error {
	seg := s.current
	s.current = nil
	f := seg.file
	seg.file = nil
	if seg.left == 0 {
		return errors.Join(f.Close(), os.Remove(seg.path))
	}
	return errors.Join(f.Sync(), f.Close())
}

// endSegmentAt is endSegment for a segment whose end, from this offset on, must not stay.
func (s *spool) endSegmentAt(size int64) error {
	return errors.Join(s.current.file.Truncate(size), s.endSegment())
}

// flush forces to disk what was written since the last time.
func (s *spool) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = nil
	if s.current == nil {
		return
	}
	if err := s.current.file.Sync(); err != nil {
		s.log.Error("nimbus: the spool cannot be forced to disk", "error", err)
	}
}

// settle forgets events. A segment without others is removed.
func (s *spool) settle(items []item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range items {
		seg := items[k].at.segment
		if seg.left--; seg.left > 0 {
			continue
		}
		var err error
		if seg == s.current {
			err = s.endSegment()
		} else {
			err = os.Remove(seg.path)
		}
		if err != nil {
			s.log.Error("nimbus: a spool segment stays; its events will be sent again, and stored once", "error", err)
		}
	}
}

// close forces everything to disk and lets others have the directory.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirty != nil {
		s.dirty.Stop()
	}
	var err error
	if s.current != nil {
		err = s.endSegment()
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("nimbus: close the spool: %w", err)
	}
	return nil
}
