package contract

import (
	"bufio"
	"errors"
	"io"
	"net/http"
)

const streamBuffer = 32 << 10

// Stream returns an answer that is written while it is read (x-answer: export). It waits for the first byte, so that what goes wrong
// before it, as a database that is away, is a problem and no stream that breaks off.
func Stream(write func(w io.Writer) error) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(w, streamBuffer)
		err := write(out)
		_ = w.CloseWithError(errors.Join(err, out.Flush()))
	}()
	first := bufio.NewReaderSize(r, streamBuffer)
	if _, err := first.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &stream{first, r}, nil
}

// stream is an answer whose status has been sent. When the rest cannot be read it aborts the connection:
// ended in order, a part would look like the whole.
type stream struct {
	io.Reader
	source *io.PipeReader
}

// Read panics with http.ErrAbortHandler when there is more that cannot be read.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// Close lets the writing end when nobody reads the answer any more.
func (s *stream) Close() error { return s.source.Close() }
