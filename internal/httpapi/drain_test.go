package httpapi

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// withoutMemory has so little memory that one sender may hold no more than the first chunk.
func withoutMemory(drainTime time.Duration) http.Handler {
	b := newBodies(maxBulkBytes, 2*firstChunk, nil)
	b.drainTime = drainTime
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(slog.New(slog.DiscardHandler), "")
	e.POST("/", func(c echo.Context) error {
		if _, err := bodyOf(c).Raw(c.Request()); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	}, b.limited)
	return e
}

// connect serves h as the program does, and returns a connection to it.
func connect(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(h, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func head(size int) []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
}

func status(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// A client that reads the answer only after it has sent its whole body must get it, and may reuse the connection.
func TestARefusedBodyIsReadSoThatItsSenderSeesWhy(t *testing.T) {
	t.Parallel()
	conn := connect(t, withoutMemory(time.Minute)) // a busy machine may take more than the usual second

	in := bufio.NewReader(conn)
	for range 2 {
		if _, err := conn.Write(append(head(maxBulkBytes), make([]byte, maxBulkBytes)...)); err != nil {
			t.Fatalf("the connection broke before the answer: %v", err)
		}
		if got := status(t, in); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	}
}

func TestARefusedBodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	conn := connect(t, withoutMemory(drainTime))
	if _, err := conn.Write(append(head(maxBulkBytes), make([]byte, 2*firstChunk)...)); err != nil {
		t.Fatal(err)
	}
	if got := status(t, bufio.NewReader(conn)); got != http.StatusServiceUnavailable { // without a limit the rest would be waited for
		t.Errorf("status %d, want 503", got)
	}
}

// Reading would ask for the body that the answer is about to refuse.
func TestASenderThatAsksFirstIsNotAskedForABodyThatIsRefused(t *testing.T) {
	t.Parallel()
	conn := connect(t, setup(t).echo)
	if _, err := conn.Write([]byte("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := status(t, bufio.NewReader(conn)); got != http.StatusUnauthorized {
		t.Errorf("status %d, want the refusal and not 100", got)
	}
}

// A stalled body holds memory that others wait for: 16 of them once kept everybody from logging in for a minute.
func TestABodyThatStallsIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBodies(maxBulkBytes, heldBulkBytes, nil)
	b.leastTime = 50 * time.Millisecond
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(slog.New(slog.DiscardHandler), "")
	e.POST("/", func(c echo.Context) error {
		_, err := bodyOf(c).Raw(c.Request())
		return err
	}, b.limited)
	for _, sent := range []int{0, 3 * leastBytes} { // it stalls at once, or after some progress
		conn := connect(t, e)
		if _, err := conn.Write(append(head(1<<20), make([]byte, sent)...)); err != nil {
			t.Fatal(err)
		}
		if got := status(t, bufio.NewReader(conn)); got != http.StatusBadRequest { // the connection's own deadline is a minute
			t.Errorf("after %d bytes: status %d, want 400", sent, got)
		}
	}
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	if b.memory.left != heldBulkBytes {
		t.Errorf("%d bytes are still held", heldBulkBytes-b.memory.left)
	}
}
