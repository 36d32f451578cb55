package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// listening serves the bundle on a socket. change shortens only the time-out that the test is about, because a busy
// machine sends slowly too.
func (s *testBundle) listening(t *testing.T, change func(*http.Server)) (dial func() net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(s.echo, slog.New(slog.DiscardHandler))
	const never = 10 * time.Minute
	srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout, srv.IdleTimeout = never, never, never, never
	change(srv)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
		return c
	}
}

// drip sends a byte now and then until the peer closes the connection, and returns the answer.
func drip(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	said := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(c)
		if errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("the connection is held open: %v", err)
		}
		said <- string(b)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case b := <-said:
			return b
		case <-tick.C:
			_, _ = c.Write([]byte{text[i%len(text)]}) // the end shows in reading
		}
	}
}

func TestSlowSendersAreHungUpOn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.handlers.ingest = func(c echo.Context) error {
		_, err := JSONBody(c)
		return err
	}
	const soon = 100 * time.Millisecond
	t.Run("in the header", func(t *testing.T) {
		t.Parallel()
		c := s.listening(t, func(srv *http.Server) { srv.ReadHeaderTimeout = soon })()
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		if got := drip(t, c, "a"); strings.Contains(got, " 200 ") {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("in the body", func(t *testing.T) {
		t.Parallel()
		c := s.listening(t, func(srv *http.Server) { srv.ReadTimeout = soon })()
		fmt.Fprint(c, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Api-Key: secret\r\nContent-Length: 100000\r\n\r\n")
		if got := drip(t, c, " "); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "Connection: close") {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("between requests", func(t *testing.T) {
		t.Parallel()
		c := s.listening(t, func(srv *http.Server) { srv.IdleTimeout = soon })()
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
			t.Errorf("answered %q, %v", b, err)
		}
	})
}

func TestWhatIsTooLongIsRefusedBeforeItIsHeld(t *testing.T) {
	t.Parallel()
	dial := setup(t).listening(t, func(*http.Server) {})
	long := strings.Repeat("a", 64<<10)
	for name, request := range map[string]string{
		"a header":     "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + long + "\r\n\r\n",
		"many headers": "GET /health HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n",
		"a URL":        "GET /v1/events?project_id=" + long + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial()
			go func() { _, _ = io.WriteString(c, request) }() // it need not be read to its end
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s", res.Status)
			}
		})
	}
}
