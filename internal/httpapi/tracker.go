package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/tracker"
)

// TrackerScript is the browser's tracker as this server serves it.
type TrackerScript struct {
	Path      string // content-addressed: another script has another path
	Integrity string // for the integrity attribute of the script element
}

// Tracker describes the tracker that is built into this program.
func Tracker() TrackerScript {
	name := sha256.Sum256(tracker.JS)
	sum := sha512.Sum384(tracker.JS)
	return TrackerScript{Path: "/sdk/" + hex.EncodeToString(name[:8]) + ".js", Integrity: "sha384-" + base64.StdEncoding.EncodeToString(sum[:])}
}

// registerTracker serves the tracker to pages of every CORS origin: at /sdk.js the current one, and at a
// content-addressed path that may be cached for ever. The headers of the first name the path and the hash of the
// second.
func registerTracker(e *echo.Echo) error {
	small, err := compressed(tracker.JS)
	if err != nil {
		return fmt.Errorf("compress the tracker: %w", err)
	}
	script := Tracker()
	serve := func(caching string) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Cache-Control", caching)
			h.Set("Access-Control-Allow-Origin", "*") // integrity needs CORS
			h.Set("Access-Control-Expose-Headers", "Content-Location, Nimbus-Integrity, ETag")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
			h.Set("Content-Location", script.Path)
			h.Set("Nimbus-Integrity", script.Integrity)
			h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
			// Weak, because it stands for the script and not for one of its two encodings.
			etag := `W/"` + strings.TrimSuffix(strings.TrimPrefix(script.Path, "/sdk/"), ".js") + `"`
			h.Set("ETag", etag)
			if strings.Contains(c.Request().Header.Get("If-None-Match"), etag) {
				return c.NoContent(http.StatusNotModified)
			}
			body := tracker.JS
			if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
				h.Set(echo.HeaderContentEncoding, "gzip")
				body = small
			}
			h.Set(echo.HeaderContentLength, fmt.Sprint(len(body)))
			return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", body)
		}
	}
	e.GET("/sdk.js", serve("public, max-age=3600, stale-while-revalidate=86400"))
	e.GET(script.Path, serve("public, max-age=31536000, immutable"))
	return nil
}

// compressed is b as small as gzip makes it.
func compressed(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
