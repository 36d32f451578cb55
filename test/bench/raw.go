package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/bahagh/nimbus/internal/access/projects"
)

// rawConn sends signed requests over one connection with as little work as possible: the generator runs on the same
// processors as the server, so the time that it uses is missing there.
type rawConn struct {
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) dial(ctx context.Context) (*rawConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &rawConn{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// request returns the bytes of a signed request, which are valid for five minutes. Building them is no work of the
// server, so it is done before the clock starts.
func (p *project) request(body []byte) []byte {
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	return fmt.Appendf(nil, "POST /v1/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-Api-Key-Id: %s\r\n"+
		"X-Api-Timestamp: %s\r\nX-Api-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		p.keyID, ts, projects.Sign(p.secret, ts, "POST", "/v1/events", body), len(body), body)
}

// send sends a request and returns when its events are committed; a 503 is tried again, as an SDK would.
func (c *rawConn) send(request []byte) error {
	for {
		if _, err := c.conn.Write(request); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		status, err := c.answer()
		switch {
		case err != nil:
			return err
		case status == 200:
			return nil
		case status != 503:
			return fmt.Errorf("send: the server answered %d", status)
		}
	}
}

// answer reads one answer to its end.
func (c *rawConn) answer() (status int, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("read the answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return 0, fmt.Errorf("read the answer: %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, fmt.Errorf("read the answer: %w", err)
			}
		case len(line) == 0:
			if length < 0 {
				return 0, fmt.Errorf("read the answer: a %d that does not say its length", status)
			}
			if _, err := io.CopyN(io.Discard, c.in, int64(length)); err != nil {
				return 0, fmt.Errorf("read the answer: %w", err)
			}
			return status, nil
		default:
			name, value, _ := bytes.Cut(line, []byte(": "))
			if bytes.EqualFold(name, []byte("Content-Length")) {
				if length, err = strconv.Atoi(string(value)); err != nil {
					return 0, fmt.Errorf("read the answer: %w", err)
				}
			}
		}
	}
}
