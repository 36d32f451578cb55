package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

const testLimit = 300 << 10 // several times firstChunk, so that buffers grow

// request is one whose body comes from r, without an announced length.
func request(r io.Reader, encoding string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/", struct{ io.Reader }{r})
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	return req
}

// noise is bytes that no compression makes smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func gzipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func zstded(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var out []byte
	for _, p := range parts {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		out = w.EncodeAll(p, out)
	}
	return out
}

// zstdFrame is a frame of one raw byte that asks for a window of 1<<(10+exponent) bytes.
func zstdFrame(exponent byte) []byte {
	return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3, 0x09, 0x00, 0x00, 'x'}
}

// checkReturned fails the test when memory is still counted as held.
func checkReturned(t testing.TB, b *bodies, want int64) {
	t.Helper()
	if got := b.memory.left; got != want || len(b.memory.held) > 0 {
		t.Errorf("%d bytes of memory were never given back", want-got)
	}
}

func TestABodyIsReadExactlyHoweverItArrives(t *testing.T) {
	t.Parallel()
	owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
	for _, size := range []int{0, 1, firstChunk - 1, firstChunk, firstChunk + 1, 2 * firstChunk, testLimit - 1, testLimit} {
		want := noise(size)
		for name, reader := range map[string]func(io.Reader) io.Reader{
			"at once":            func(r io.Reader) io.Reader { return r },
			"byte by byte":       iotest.OneByteReader,
			"in halves":          iotest.HalfReader,
			"the end with bytes": iotest.DataErrReader,
		} {
			x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
			req := request(reader(bytes.NewReader(want)), "")
			raw, err := x.Raw(req)
			if err != nil || !bytes.Equal(raw, want) {
				t.Fatalf("%d bytes %s: got %d, %v", size, name, len(raw), err)
			}
			// The signature is checked over the bytes that the decoder then sees.
			again, err := x.Raw(req)
			plain, perr := x.Plain(req)
			if err != nil || perr != nil || !bytes.Equal(again, want) || !bytes.Equal(plain, want) {
				t.Errorf("%d bytes %s, a second time: %d and %d, %v, %v", size, name, len(again), len(plain), err, perr)
			}
			x.release()
		}
	}
	checkReturned(t, owner, heldBulkBytes)
}

func TestCompressedBodiesAreReadWhole(t *testing.T) {
	t.Parallel()
	owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
	a, b := noise(firstChunk+7), bytes.Repeat([]byte("nimbus "), 20_000)
	both := append(bytes.Clone(a), b...)
	for name, tt := range map[string]struct {
		encoding  string
		raw, want []byte
	}{
		"gzip":                            {"gzip", gzipped(t, a), a},
		"gzip in capitals and spaces":     {" GZip ", gzipped(t, a), a},
		"gzip of nothing":                 {"gzip", gzipped(t, nil), nil},
		"gzip of several members":         {"gzip", gzipped(t, a, nil, b), both},
		"zstd":                            {"zstd", zstded(t, a), a},
		"zstd of nothing":                 {"zstd", zstded(t, nil), nil},
		"zstd of several frames":          {"zstd", zstded(t, a, b), both},
		"zstd with a window of 8 MiB":     {"zstd", zstdFrame(13), []byte("x")},
		"identity":                        {"identity", a, a},
		"zstd with a frame to be skipped": {"zstd", append([]byte{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'h', 'i'}, zstded(t, b)...), b},
	} {
		x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
		req := request(iotest.HalfReader(bytes.NewReader(tt.raw)), tt.encoding)
		got, err := x.Plain(req)
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(tt.want), err)
		}
		if raw, err := x.Raw(req); err != nil || !bytes.Equal(raw, tt.raw) {
			t.Errorf("%s: the bytes for the signature changed: %v", name, err)
		}
		x.release()
	}
	checkReturned(t, owner, heldBulkBytes)
}

func TestEveryWayToFailHasItsCodeAndGivesTheMemoryBack(t *testing.T) {
	t.Parallel()
	owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
	small := bytes.Repeat([]byte(`{"name":"x"}`), 100)
	bomb := make([]byte, testLimit+1)
	gz, zs := gzipped(t, small), zstded(t, small)
	broken := errors.New("the wire was cut")
	type failure struct {
		name, encoding string
		body           io.Reader
		length         int64 // announced; -1: none
		code           problem.Code
	}
	failures := []failure{
		{"announced as too large", "", strings.NewReader("x"), testLimit + 1, problem.CodeBodyTooLarge},
		{"too large by a byte", "", bytes.NewReader(bomb), -1, problem.CodeBodyTooLarge},
		{"endless", "", iotest.HalfReader(endless{}), -1, problem.CodeBodyTooLarge},
		{"too large in gzip", "gzip", bytes.NewReader(gzipped(t, bomb)), -1, problem.CodeBodyTooLarge},
		{"too large in gzip, member by member", "gzip", bytes.NewReader(gzipped(t, bomb[:testLimit/2], bomb[:testLimit/2], bomb[:2])), -1, problem.CodeBodyTooLarge},
		{"too large in zstd", "zstd", bytes.NewReader(zstded(t, bomb)), -1, problem.CodeBodyTooLarge},
		{"too large in zstd, frame by frame", "zstd", bytes.NewReader(zstded(t, bomb[:testLimit/2], bomb[:testLimit/2], bomb[:2])), -1, problem.CodeBodyTooLarge},
		{"gzip too large even compressed", "gzip", bytes.NewReader(gzipped(t, noise(testLimit+100))), -1, problem.CodeBodyTooLarge},
		{"cut at once", "", iotest.ErrReader(broken), -1, problem.CodeMalformedJSON},
		{"cut in the middle", "", io.MultiReader(bytes.NewReader(noise(firstChunk+5)), iotest.ErrReader(broken)), -1, problem.CodeMalformedJSON},
		{"shorter than announced", "gzip", io.MultiReader(bytes.NewReader(gz), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, problem.CodeMalformedJSON},
		{"slow beyond patience", "", iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(small))), -1, problem.CodeMalformedJSON},
		{"not gzip", "gzip", bytes.NewReader(small), -1, problem.CodeMalformedEncoding},
		{"nothing as gzip", "gzip", strings.NewReader(""), -1, problem.CodeMalformedEncoding},
		{"gzip with something behind it", "gzip", bytes.NewReader(append(bytes.Clone(gz), "junk"...)), -1, problem.CodeMalformedEncoding},
		{"zstd as gzip", "gzip", bytes.NewReader(zs), -1, problem.CodeMalformedEncoding},
		{"not zstd", "zstd", bytes.NewReader(small), -1, problem.CodeMalformedEncoding},
		{"zstd with something behind it", "zstd", bytes.NewReader(append(bytes.Clone(zs), "junk"...)), -1, problem.CodeMalformedEncoding},
		{"zstd with a window of 16 MiB", "zstd", bytes.NewReader(zstdFrame(14)), -1, problem.CodeMalformedEncoding},
		{"zstd with a window of 2 TiB", "zstd", bytes.NewReader(zstdFrame(31)), -1, problem.CodeMalformedEncoding},
		{"a large window in the second frame", "zstd", bytes.NewReader(append(zstdFrame(0), zstdFrame(31)...)), -1, problem.CodeMalformedEncoding},
		{"brotli", "br", bytes.NewReader(small), -1, problem.CodeUnsupportedEncoding},
		{"two encodings", "gzip, zstd", bytes.NewReader(small), -1, problem.CodeUnsupportedEncoding},
	}
	for k := 1; k < len(gz); k++ {
		failures = append(failures, failure{fmt.Sprintf("gzip cut after %d bytes", k), "gzip", bytes.NewReader(gz[:k]), -1, problem.CodeMalformedEncoding})
	}
	for k := 1; k < len(zs); k++ {
		failures = append(failures, failure{fmt.Sprintf("zstd cut after %d bytes", k), "zstd", bytes.NewReader(zs[:k]), -1, problem.CodeMalformedEncoding})
	}
	for _, f := range failures {
		x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
		req := request(f.body, f.encoding)
		req.ContentLength = f.length
		got, err := x.Plain(req)
		if err == nil {
			t.Errorf("%s: accepted as %d bytes", f.name, len(got))
			continue
		}
		if p := toProblem(err); p.Code != f.code {
			t.Errorf("%s: %s, want %s (%v)", f.name, p.Code, f.code, err)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: the strict handler would take it for an absent body", f.name)
		}
		x.release()
		checkReturned(t, owner, heldBulkBytes)

		// The pooled state after a failure does not affect the next request.
		y := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
		for enc, raw := range map[string][]byte{"gzip": gz, "zstd": zs} {
			y.read, y.plain = false, nil
			if got, err := y.Plain(request(bytes.NewReader(raw), enc)); err != nil || !bytes.Equal(got, small) {
				t.Fatalf("%s after %q: %v", enc, f.name, err)
			}
		}
		y.release()
	}
	checkReturned(t, owner, heldBulkBytes)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestRequestsBeyondTheMemoryAreAskedToComeAgain(t *testing.T) {
	t.Parallel()
	large := noise(testLimit)
	for name, tt := range map[string]struct {
		left     int64
		body     []byte
		encoding string
	}{
		"none for the first chunk":        {firstChunk - 1, []byte("x"), ""},
		"none for growing":                {2*firstChunk - 1, large, ""},
		"none for the plain form of gzip": {firstChunk + 10, gzipped(t, []byte("x")), "gzip"},
		"none for the plain form of zstd": {firstChunk + 10, zstded(t, []byte("x")), "zstd"},
	} {
		owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
		owner.memory.left = tt.left
		x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
		_, err := x.Plain(request(bytes.NewReader(tt.body), tt.encoding))
		if p := toProblem(err); p.Code != problem.CodeQueueFull || p.RetryAfter <= 0 || problem.KindOf(p.Code).Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		x.release()
		checkReturned(t, owner, tt.left)
	}
}

// A sender that starts bodies and stalls has its share, and the others have the rest.
func TestOneSenderLeavesHalfOfTheMemoryToOthers(t *testing.T) {
	t.Parallel()
	const room = 6
	owner := newBodies(testLimit, room*firstChunk, proxies{netip.MustParsePrefix("10.0.0.0/8")})
	e := echo.New()
	// send sends a small body from each address, while those before it are held.
	var send func(from []string) error
	send = func(from []string) error {
		req := request(strings.NewReader("x"), "")
		req.RemoteAddr = "10.0.0.1:1"
		req.Header.Set(headerForwardedFor, from[0])
		return owner.limited(func(c echo.Context) error {
			if _, err := bodyOf(c).Raw(c.Request()); err != nil || len(from) == 1 {
				return err
			}
			return send(from[1:])
		})(e.NewContext(req, httptest.NewRecorder()))
	}
	one, other := []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, []string{"192.0.2.2", "192.0.2.2", "192.0.2.2"}
	for name, tt := range map[string]struct {
		from []string
		fits bool
	}{
		"half":                          {one, true},
		"more than half":                {append(slices.Clone(one), "192.0.2.1"), false},
		"more than half, of one /64":    {[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"}, false},
		"another takes the other half":  {slices.Concat(one, other), true},
		"and for a third there is none": {slices.Concat(one, other, []string{"192.0.2.3"}), false},
	} {
		if err := send(tt.from); tt.fits && err != nil || !tt.fits && !problem.Is(err, problem.CodeQueueFull) {
			t.Errorf("%s: %v", name, err)
		}
		checkReturned(t, owner, room*firstChunk)
	}
}

// A window is memory that the accounting does not see, so the number of decoders is what bounds it.
func TestAFewZstdDecodersWorkAtATime(t *testing.T) {
	t.Parallel()
	owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
	for range cap(owner.zstdTurns) {
		owner.zstdTurns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
	if _, err := x.Plain(request(bytes.NewReader(zstdFrame(13)), "zstd").WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("not waiting for its turn: %v", err)
	}
	x.release()
	checkReturned(t, owner, heldBulkBytes)
	<-owner.zstdTurns
	x = &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
	if got, err := x.Plain(request(bytes.NewReader(zstdFrame(13)), "zstd")); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	if len(owner.zstdTurns) != cap(owner.zstdTurns)-1 {
		t.Error("the turn was not given back")
	}
}

func TestManyBodiesAtOnceAreExactOrRefusedAndNeverMixed(t *testing.T) {
	t.Parallel()
	owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
	const budget = 6 * testLimit
	owner.memory.left = budget
	var wg sync.WaitGroup
	var good, refused sync.Map
	for worker := range 16 {
		wg.Go(func() {
			for k := range 20 {
				want := bytes.Repeat([]byte{byte(worker), byte(k)}, (worker+1)*testLimit/40)
				raw, encoding := want, ""
				switch k % 3 {
				case 1:
					raw, encoding = gzipped(t, want), "gzip"
				case 2:
					raw, encoding = zstded(t, want), "zstd"
				}
				x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: testLimit}
				got, err := x.Plain(request(bytes.NewReader(raw), encoding))
				switch {
				case problem.Is(err, problem.CodeQueueFull):
					refused.Store(worker*100+k, true)
				case err != nil || !bytes.Equal(got, want):
					t.Errorf("worker %d, body %d: %d bytes, want %d, %v", worker, k, len(got), len(want), err)
				default:
					good.Store(worker*100+k, true)
				}
				x.release()
			}
		})
	}
	wg.Wait()
	checkReturned(t, owner, budget)
	if n := size(&good) + size(&refused); n != 16*20 {
		t.Errorf("%d bodies were seen", n)
	}
}

func size(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func TestAPanicInAHandlerGivesTheMemoryBack(t *testing.T) {
	t.Parallel()
	owner := newBodies(testLimit, heldBulkBytes, nil)
	e := echo.New()
	c := e.NewContext(request(strings.NewReader("some bytes"), ""), httptest.NewRecorder())
	handler := owner.limited(func(c echo.Context) error {
		x := bodyOf(c)
		if _, err := x.Raw(c.Request()); err != nil || owner.memory.left == heldBulkBytes {
			t.Errorf("nothing is held while the handler runs: %v", err)
		}
		panic("a bug")
	})
	func() {
		defer func() { _ = recover() }()
		_ = handler(c)
	}()
	checkReturned(t, owner, heldBulkBytes)
}

// FuzzBody checks the guarantees of reading on any bytes: no panic, nothing beyond the limit, and all memory returned.
func FuzzBody(f *testing.F) {
	encodings := []string{"", "identity", "gzip", "zstd", "br"}
	sample := []byte(`{"project_id":"x","events":[{"name":"y"}]}`)
	for k, raw := range [][]byte{nil, sample, gzipped(f, sample, sample), zstded(f, sample, sample), zstdFrame(0), zstdFrame(13), zstdFrame(31),
		gzipped(f, make([]byte, 1<<20)), zstded(f, make([]byte, 1<<20))} {
		f.Add(raw, uint8(k), uint32(testLimit), k%2 == 0)
	}
	f.Fuzz(func(t *testing.T, raw []byte, encoding uint8, limit uint32, slowly bool) {
		owner := newBodies(maxBulkBytes, heldBulkBytes, nil)
		x := &body{owner: owner, conn: http.NewResponseController(httptest.NewRecorder()), limit: int(limit % (1 << 20))}
		var r io.Reader = bytes.NewReader(raw)
		if slowly {
			r = iotest.HalfReader(r)
		}
		enc := encodings[int(encoding)%len(encodings)]
		req := request(r, enc)
		got, err := x.Plain(req)
		if err == nil {
			if len(got) > x.limit || len(raw) > x.limit {
				t.Errorf("%d bytes, %d compressed, with a limit of %d", len(got), len(raw), x.limit)
			}
			if (enc == "" || enc == "identity") && !bytes.Equal(got, raw) {
				t.Error("the bytes changed")
			}
			if again, err := x.Raw(req); err != nil || !bytes.Equal(again, raw) {
				t.Errorf("the bytes for the signature changed: %v", err)
			}
		} else if status := problem.KindOf(toProblem(err).Code).Status; status < 400 || status >= 500 {
			t.Errorf("the caller's bytes were answered with %d: %v", status, err)
		}
		x.release()
		checkReturned(t, owner, heldBulkBytes)
		if len(owner.zstdTurns) != 0 {
			t.Error("a turn was not given back")
		}
	})
}
