package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// The limits of a body, before and after decompression.
const (
	maxSmallBytes = 16 << 10
	maxBodyBytes  = 1 << 20
	maxBulkBytes  = 10 << 20
)

// bodies reads request bodies into shared memory of bounded size. Without the bound, a hundred large requests at once
// would be a gigabyte; with it, those that do not fit get a 503 (back-pressure) and are retried.
type bodies struct {
	limit   int // of one body
	memory  *memory
	clients proxies
	pool    sync.Pool // *[]byte, of firstChunk to maxPooled bytes
	gzip    sync.Pool // *gzip.Reader
	zstd    sync.Pool // *zstd.Decoder

	// zstdTurns has room for the decoders at work. A decoder holds a window of up to maxBulkBytes that memory does not
	// count, and a body of a few bytes can ask for it; more of them than processors would not be faster.
	zstdTurns chan struct{}

	leastTime time.Duration // in which leastBytes of a body must come
	drainTime time.Duration // how long the rest of a refused body is read
}

const (
	// The memory of all bodies of a size that are being read or wait for their commit. Each size has memory of its
	// own, so that slow senders without credentials use up neither the memory of ingestion nor that of authenticated
	// callers.
	heldSmallBytes = 4 << 20
	heldBytes      = 16 << 20
	heldBulkBytes  = 96 << 20

	firstChunk = 16 << 10
	maxPooled  = 2 << 20
)

// BulkMemory is what Options.BulkMemory is by default.
const BulkMemory = heldBulkBytes

// LeastBulkMemory is what one address needs for the largest body, before and after decompression.
const LeastBulkMemory = 4 * (maxBulkBytes + 1<<20)

// newBodyMemory makes the memory for bodies of each x-body.
func newBodyMemory(bulk int64, clients proxies) map[string]*bodies {
	if bulk == 0 {
		bulk = BulkMemory
	}
	return map[string]*bodies{
		contract.BodySmall: newBodies(maxSmallBytes, heldSmallBytes, clients),
		"":                 newBodies(maxBodyBytes, heldBytes, clients),
		contract.BodyBulk:  newBodies(maxBulkBytes, bulk, clients),
	}
}

func newBodies(limit int, held int64, clients proxies) *bodies {
	b := &bodies{limit: limit, memory: newMemory(held), clients: clients, leastTime: leastTime, drainTime: drainTime,
		// Windows are beside memory, and together they are no larger than it.
		zstdTurns: make(chan struct{}, max(1, min(runtime.GOMAXPROCS(0), int(held/maxBulkBytes))))}
	b.pool.New = func() any { s := make([]byte, 0, firstChunk); return &s }
	return b
}

// body is the body of one request: the exact bytes that came, for the signature, and what they hold.
type body struct {
	owner    *bodies
	sender   netip.Prefix
	conn     *http.ResponseController
	limit    int
	raw      []byte
	plain    []byte
	read     bool
	held     []*[]byte
	reserved int64
}

const bodyKey = "nimbus.body"

// limited gives each request its body, and takes the memory back when the request has been handled.
func (b *bodies) limited(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &body{owner: b, sender: subnet(b.clients.address(c.Request())), conn: http.NewResponseController(c.Response()), limit: b.limit}
		c.Set(bodyKey, x)
		defer x.release()
		err := next(c)
		if err != nil && !x.read {
			x.release() // others may need the memory meanwhile
			drain(c, b.limit, b.drainTime)
		}
		return err
	}
}

// drainTime is enough for a client that is sending already.
const drainTime = time.Second

// drain reads the rest of a body before the request is refused. Many clients send all of it before they read the
// answer; if the connection is closed meanwhile, they see a broken connection, and neither the reason nor
// Retry-After. It is bounded in bytes and time: the connection of a client that sends more, or more slowly, is
// closed. Nothing is read from a client that asks first, by Expect: 100-continue, because reading would tell it to
// send.
func drain(c echo.Context, limit int, within time.Duration) {
	r := c.Request()
	if r.Header.Get("Expect") != "" {
		return
	}
	conn := http.NewResponseController(c.Response())
	if conn.SetReadDeadline(time.Now().Add(within)) != nil {
		return // no connection: a test's recorder, or HTTP/2, where a refused body does no harm
	}
	if _, err := io.CopyN(io.Discard, r.Body, int64(limit)); !errors.Is(err, io.EOF) {
		// There is more, or it comes too slowly. The deadline stays, because the server itself keeps reading after
		// the answer and would wait for a slow sender without end.
		c.Response().Header().Set(echo.HeaderConnection, "close")
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
}

func bodyOf(c echo.Context) *body {
	x, _ := c.Get(bodyKey).(*body)
	return x
}

// Raw returns the exact bytes sent.
//
// Errors: 413 over the limit, 400 when the connection breaks off, 503 when the memory for bodies is used up.
func (x *body) Raw(r *http.Request) ([]byte, error) {
	if x.read {
		return x.raw, nil
	}
	if r.ContentLength > int64(x.limit) {
		return nil, x.tooLarge()
	}
	raw, err := x.readAll(newPacedReader(r.Body, x.conn, x.owner.leastTime))
	if err != nil {
		return nil, err
	}
	x.raw, x.read = raw, true
	return raw, nil
}

// Plain returns the bytes after decompression. They are valid until the request is answered.
//
// Errors: those of Raw; 400 when the compression is broken, 413 when it hides more than the limit, 415 when it is not
// known.
func (x *body) Plain(r *http.Request) ([]byte, error) {
	if x.plain != nil {
		return x.plain, nil
	}
	raw, err := x.Raw(r)
	if err != nil {
		return nil, err
	}
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
		x.plain = raw
	case "gzip":
		x.plain, err = x.gunzip(raw)
	case "zstd":
		x.plain, err = x.unzstd(r.Context(), raw)
	default:
		return nil, problem.New(problem.CodeUnsupportedEncoding, "Content-Encoding %.40q is not known here; use gzip or zstd.", enc)
	}
	return x.plain, err
}

func (x *body) gunzip(raw []byte) ([]byte, error) {
	z, ok := x.owner.gzip.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer x.owner.gzip.Put(z)
	if err := z.Reset(bytes.NewReader(raw)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the strict handler takes io.EOF for "no body"
		}
		return nil, malformed("gzip", err)
	}
	plain, err := x.readAll(z)
	return plain, asMalformed("gzip", err)
}

func (x *body) unzstd(ctx context.Context, raw []byte) ([]byte, error) {
	select {
	case x.owner.zstdTurns <- struct{}{}:
		defer func() { <-x.owner.zstdTurns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a zstd decoder: %w", ctx.Err())
	}
	z, ok := x.owner.zstd.Get().(*zstd.Decoder)
	if !ok {
		var err error
		// One goroutine, and no window larger than the largest body: a header cannot make it reserve gigabytes.
		if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxBulkBytes)); err != nil {
			return nil, fmt.Errorf("make a zstd decoder: %w", err)
		}
	}
	defer x.owner.zstd.Put(z)
	if err := z.Reset(bytes.NewReader(raw)); err != nil {
		return nil, malformed("zstd", err)
	}
	plain, err := x.readAll(z)
	return plain, asMalformed("zstd", err)
}

// readAll reads up to the limit. The memory grows with what has arrived and not with what is announced, so that a
// slow sender holds little.
func (x *body) readAll(r io.Reader) ([]byte, error) {
	p, _ := x.owner.pool.Get().(*[]byte)
	buf := (*p)[:0]
	if !x.reserve(cap(buf)) {
		x.owner.pool.Put(p)
		return nil, x.full()
	}
	x.held = append(x.held, p)
	for {
		if len(buf) == cap(buf) {
			size := min(2*cap(buf), x.limit+1)
			if len(buf) > x.limit {
				return nil, x.tooLarge()
			}
			if !x.reserve(size - cap(buf)) {
				return nil, x.full()
			}
			buf = append(make([]byte, 0, size), buf...)
			*p = buf
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > x.limit {
			return nil, x.tooLarge()
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			*p = buf
			return buf, nil
		default:
			return nil, &readError{err}
		}
	}
}

func (x *body) reserve(n int) bool {
	if !x.owner.memory.take(x.sender, int64(n)) {
		return false
	}
	x.reserved += int64(n)
	return true
}

func (x *body) release() {
	for _, p := range x.held {
		if cap(*p) <= maxPooled {
			x.owner.pool.Put(p)
		}
	}
	x.owner.memory.give(x.sender, x.reserved)
	x.held, x.reserved, x.raw, x.plain = nil, 0, nil, nil
}

func (x *body) tooLarge() error {
	return problem.New(problem.CodeBodyTooLarge, "The body may have %d bytes at most, before and after decompression.", x.limit)
}

func (x *body) full() error {
	return &problem.Error{Code: problem.CodeQueueFull, RetryAfter: time.Second,
		Detail: "Too many large requests at once. Nothing of this request was stored; try again."}
}

// readError is a body that could not be read to its end.
type readError struct{ cause error }

func (e *readError) Error() string { return "read the body: " + e.cause.Error() }
func (e *readError) Unwrap() error { return e.cause }

func asMalformed(encoding string, err error) error {
	var read *readError
	if errors.As(err, &read) {
		return malformed(encoding, read.cause)
	}
	return err
}

func malformed(encoding string, err error) error {
	return problem.Wrap(err, problem.CodeMalformedEncoding, "The body is not %s from its beginning to its end.", encoding)
}
