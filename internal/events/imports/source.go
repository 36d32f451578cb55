package imports

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// source is a file to be imported, or what a URL answers.
type source struct {
	name  string // its last part, which is in the keys of lines without an id
	size  int64  // bytes; 0 when it is not known
	read  atomic.Int64
	begin []byte // of its bytes, headBytes at most
	close func() error
	parts []part
}

// part is a stream of lines: all of a source, or a file in an archive.
type part struct {
	name string
	open func() (io.ReadCloser, error) // without the compression
}

// headBytes is how much of a source tells it from another one of the same name. It is the beginning, so that a file which
// has grown is the same one.
const headBytes = 64 << 10

// isURL tells a URL from the name of a file.
func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }

// baseName is the last part of a file's name or of the path of a URL.
func baseName(from string) string {
	if u, err := url.Parse(from); err == nil && isURL(from) {
		return path.Base(u.Path)
	}
	return filepath.Base(from)
}

// open opens a file or a URL.
func open(ctx context.Context, from string) (*source, error) {
	if isURL(from) {
		return openURL(ctx, from)
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	s, err := ofFile(f, baseName(from))
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return s, nil
}

func ofFile(f *os.File, name string) (*source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("is a directory; name the files in it")
	}
	s := &source{name: name, size: info.Size(), close: f.Close}
	begin := make([]byte, headBytes)
	n, err := f.ReadAt(begin, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s.begin = begin[:n]
	if bytes.HasPrefix(begin, []byte("PK\x03\x04")) {
		return s, s.ofArchive(f)
	}
	s.parts = []part{{name, func() (io.ReadCloser, error) { return plain(&counted{f, &s.read}) }}}
	return s, nil
}

// openURL streams what a URL answers. A zip archive, which has its table of contents at the end, is downloaded first.
func openURL(ctx context.Context, from string) (*source, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("%s answers %s", req.URL.Redacted(), res.Status)
	}
	s := &source{name: baseName(from), size: max(0, res.ContentLength), close: res.Body.Close}
	body := bufio.NewReaderSize(&counted{res.Body, &s.read}, headBytes)
	begin, err := body.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = res.Body.Close()
		return nil, fmt.Errorf("%s: %w", req.URL.Redacted(), err)
	}
	s.begin = bytes.Clone(begin)
	if bytes.HasPrefix(begin, []byte("PK\x03\x04")) {
		return download(body, res.Body, s.name)
	}
	s.parts = []part{{s.name, func() (io.ReadCloser, error) { return plain(body) }}}
	return s, nil
}

func download(r io.Reader, body io.Closer, name string) (*source, error) {
	defer body.Close()
	f, err := os.CreateTemp("", "nimbus-import-*")
	if err != nil {
		return nil, err
	}
	gone := func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }
	if _, err := io.Copy(f, r); err != nil {
		return nil, errors.Join(fmt.Errorf("download %s: %w", name, err), gone())
	}
	s, err := ofFile(f, name)
	if err != nil {
		return nil, errors.Join(err, gone())
	}
	s.close = gone
	return s, nil
}

// ofArchive makes a part of each file in a zip archive, in their order.
func (s *source) ofArchive(f *os.File) error {
	z, err := zip.NewReader(f, s.size)
	if err != nil {
		return err
	}
	s.size = 0
	for _, member := range z.File {
		if member.FileInfo().IsDir() || strings.HasPrefix(member.Name, "__MACOSX/") {
			continue
		}
		s.size += int64(member.UncompressedSize64)
		s.parts = append(s.parts, part{path.Base(member.Name), func() (io.ReadCloser, error) {
			stored, err := member.Open()
			if err != nil {
				return nil, err
			}
			r, err := plain(&counted{stored, &s.read})
			if err != nil {
				return nil, errors.Join(err, stored.Close())
			}
			return r, nil
		}})
	}
	if len(s.parts) == 0 {
		return errors.New("the archive is empty")
	}
	return nil
}

// plain is a stream without its compression, which is found by its first bytes.
func plain(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	begin, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.HasPrefix(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// counted counts what is read, for the progress.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
