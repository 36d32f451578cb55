package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A body must bring leastBytes within leastTime, again and again until it ends: a sender who stalls holds memory that others wait
// for. The slowest phone network is ten times as fast.
const (
	leastBytes = 4 << 10
	leastTime  = 10 * time.Second
	// bodyTime is how long all of a body may take.
	bodyTime = 60 * time.Second
)

// pacedReader reads a body that must come at a least rate. It moves the read deadline of the connection, and lifts it at the end:
// the server would else take a deadline that passes later for a client who went away.
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
	_ = p.conn.SetReadDeadline(due) // where there is no connection, as in a test, nobody stalls
	n, err := p.body.Read(b)
	if p.behind -= n; p.behind <= 0 {
		p.due, p.behind = time.Now().Add(p.within), leastBytes
	}
	if errors.Is(err, io.EOF) {
		_ = p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
