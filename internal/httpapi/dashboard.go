package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// The dashboard runs its own scripts and styles only, all of them files: nothing that is injected into a page runs.
const dashboardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

const dashboardRoute = "/*" // as the metrics and the log call it

// notBuilt is the page of a server that was built without the dashboard.
const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><base href="/" /><title>Nimbus</title><h1>Nimbus is running</h1>
<p>This server was built without its dashboard. With Node.js 20.19 or later, run <code>make build</code> and start it again.</p>
<p>The API works: see <a href="docs">its documentation</a>.</p>`

// dashboardFile is a file of the dashboard, in each encoding in which it is sent.
type dashboardFile struct {
	contentType string
	etag        string
	plain       []byte
	gzip        []byte // nil when compression was not worth it
	brotli      []byte
}

// dashboard serves the files of dist, and index.html for every other path that a browser navigates to, because the
// dashboard has its own router. It is a middleware that handles paths without a route: a catch-all route would turn
// the answers to wrong methods (405) into pages.
func dashboard(dist fs.FS, base string) (echo.MiddlewareFunc, error) {
	files, err := dashboardFiles(dist)
	if err == nil && base != "" {
		files["index.html"], err = files["index.html"].below(base)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded dashboard: %w", err)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			err := next(c)
			if !errors.Is(err, echo.ErrNotFound) {
				return err
			}
			r := c.Request()
			name := strings.TrimPrefix(r.URL.Path, "/")
			if r.Method != http.MethodGet || strings.HasPrefix(name, "v1/") {
				return err
			}
			f, found := files[name]
			if !found {
				// A file of an earlier build is gone: HTML in its place would only fail later, with a worse message.
				if strings.HasPrefix(name, "assets/") || name != "" && !strings.Contains(r.Header.Get(echo.HeaderAccept), echo.MIMETextHTML) {
					return err
				}
				f = files["index.html"]
			}
			c.SetPath(dashboardRoute)
			h := c.Response().Header()
			if strings.HasPrefix(name, "assets/") {
				h.Set(echo.HeaderCacheControl, "public, max-age=31536000, immutable") // the name has a hash of the content
			} else {
				h.Set(echo.HeaderCacheControl, "no-cache")
			}
			h.Set(echo.HeaderContentSecurityPolicy, dashboardPolicy)
			return f.send(c)
		}
	}, nil
}

func dashboardFiles(dist fs.FS) (map[string]dashboardFile, error) {
	files := make(map[string]dashboardFile)
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".br") || entry.Name() == ".gitkeep" {
			return err
		}
		var f dashboardFile
		for suffix, into := range map[string]*[]byte{"": &f.plain, ".gz": &f.gzip, ".br": &f.brotli} {
			if *into, err = fs.ReadFile(dist, name+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
				return err
			}
		}
		files[name] = f.described(name)
		return nil
	})
	if _, built := files["index.html"]; !built {
		files["index.html"] = dashboardFile{plain: []byte(notBuilt)}.described("index.html")
	}
	return files, err
}

func (f dashboardFile) described(name string) dashboardFile {
	sum := sha256.Sum256(f.plain)
	f.etag = `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"` // weak: the same for every encoding
	if f.contentType = mime.TypeByExtension(path.Ext(name)); f.contentType == "" {
		f.contentType = echo.MIMEOctetStream
	}
	return f
}

// below is the page for a base path: what it loads is relative to its base. The compressed forms are made anew, as gzip alone.
func (f dashboardFile) below(base string) (dashboardFile, error) {
	f.plain = bytes.Replace(f.plain, []byte(`<base href="/" />`), []byte(`<base href="`+base+`/" />`), 1)
	f.brotli = nil
	var err error
	if f.gzip, err = compressed(f.plain); err != nil {
		return f, err
	}
	return f.described("index.html"), nil
}

// send answers in the smallest encoding that the browser accepts, or with 304 when it has the file.
func (f dashboardFile) send(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h.Set("ETag", f.etag)
	h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if r.Header.Get("If-None-Match") == f.etag {
		return c.NoContent(http.StatusNotModified)
	}
	body, accepts := f.plain, r.Header.Get(echo.HeaderAcceptEncoding)
	switch {
	case f.brotli != nil && strings.Contains(accepts, "br"):
		body = f.brotli
		h.Set(echo.HeaderContentEncoding, "br")
	case f.gzip != nil && strings.Contains(accepts, "gzip"):
		body = f.gzip
		h.Set(echo.HeaderContentEncoding, "gzip")
	}
	h.Set(echo.HeaderContentType, f.contentType)
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	c.Response().WriteHeader(http.StatusOK)
	_, err := c.Response().Write(body)
	return err
}
