package live

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// position is the last event seen of one source: a node that publishes events of a project, numbered from 1.
type position struct {
	source uint64 // random; never 0
	seq    uint64 // of the newest event
}

// cursor is a place in the stream of a project: the last sequence number of each source. So it means the same on
// every node, although each node has the events of several sources in an order of its own.
type cursor struct {
	at        time.Time // when it was made, to the millisecond
	positions []position
}

const (
	cursorVersion = 1
	// maxSources bounds a cursor. A source is kept while it sends messages: there are about as many as there are nodes.
	maxSources = 32
	headBytes  = 1 + 8
)

var errCursor = errors.New("is not a cursor of a live stream; start again without one")

// append appends the cursor as text.
func (c *cursor) append(dst []byte) []byte {
	b := make([]byte, 0, headBytes+maxSources*(8+binary.MaxVarintLen64))
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixMilli()))
	for _, p := range c.positions {
		b = binary.BigEndian.AppendUint64(b, p.source)
		b = binary.AppendUvarint(b, p.seq)
	}
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// decodeCursor reads a cursor that came from outside. It proves nothing and grants nothing: a made-up cursor affects
// only the stream that sent it.
func decodeCursor(s string) (*cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < headBytes || b[0] != cursorVersion {
		return nil, errCursor
	}
	ms := binary.BigEndian.Uint64(b[1:])
	if ms > uint64(maxTime) {
		return nil, errCursor
	}
	c := &cursor{at: time.UnixMilli(int64(ms)).UTC()}
	for b = b[headBytes:]; len(b) > 0; {
		if len(b) < 9 || len(c.positions) == maxSources {
			return nil, errCursor
		}
		p := position{source: binary.BigEndian.Uint64(b)}
		seq, n := binary.Uvarint(b[8:])
		if n <= 0 || p.source == 0 || c.find(p.source) != nil {
			return nil, errCursor
		}
		p.seq = seq
		c.positions = append(c.positions, p)
		b = b[8+n:]
	}
	return c, nil
}

// maxTime is the last millisecond of the year 9999, the last that JSON can say.
var maxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1

func (c *cursor) find(source uint64) *position {
	for k := range c.positions {
		if c.positions[k].source == source {
			return &c.positions[k]
		}
	}
	return nil
}

// advance moves the cursor behind the event seq of the source, and all before it.
func (c *cursor) advance(source, seq uint64) {
	switch p := c.find(source); {
	case p != nil:
		p.seq = max(p.seq, seq)
	case len(c.positions) < maxSources:
		c.positions = append(c.positions, position{source, seq})
	}
}
