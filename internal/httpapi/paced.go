package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A body must make progress: leastBytes within each leastTime until it ends, because a stalled sender holds memory
// that others wait for. The slowest phone network is ten times as fast.
const (
	leastBytes = 4 << 10
	leastTime  = 10 * time.Second
	// bodyTime is how long all of a body may take.
	bodyTime = 60 * time.Second
)

// pacedReader reads a body and enforces its minimum rate. It moves the read deadline of the connection, and removes
// it at the end: otherwise the server would take a deadline that passes later for a client that disconnected.
type pacedReader struct {
	body   io.Reader
	conn   *http.ResponseController
	end    time.Time
	within time.Duration
	due    time.Time // when the next leastBytes must be there
	behind int       // of them still to come
}

func newPacedReader(body io.Reader, conn *http.ResponseController, within time.Duration) *pacedReader {
	now := time.Now()
	return &pacedReader{body: body, conn: conn, end: now.Add(bodyTime), within: within, due: now.Add(within), behind: leastBytes}
}

func (p *pacedReader) Read(b []byte) (int, error) {
	due := p.due
	if p.end.Before(due) {
		due = p.end
	}
	_ = p.conn.SetReadDeadline(due) // without a connection, as in a test, nothing stalls
	n, err := p.body.Read(b)
	if p.behind -= n; p.behind <= 0 {
		p.due, p.behind = time.Now().Add(p.within), leastBytes
	}
	if errors.Is(err, io.EOF) {
		_ = p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
