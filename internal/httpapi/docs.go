package httpapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
	"gopkg.in/yaml.v3"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

//go:embed assets
var assets embed.FS

// The pages run their own scripts only. The viewers write inline styles; Redoc searches in a worker it makes itself.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// registerDocs serves the contract and its pages from the binary: they work without the internet and always match
// this server.
func registerDocs(e *echo.Echo, o Options) error {
	spec := bytes.Replace(o.Spec, []byte("\n  - url: /\n"), []byte("\n  - url: "+o.BasePath+"/\n"), 1)
	// Lazily: it would be most of the work of a start.
	asJSON := sync.OnceValues(func() ([]byte, error) { return yamlToJSON(spec) })
	pages, err := template.ParseFS(assets, "assets/pages.html")
	if err != nil {
		return fmt.Errorf("parse the pages: %w", err)
	}
	e.GET("/openapi.yaml", blob("application/yaml; charset=utf-8", spec))
	e.GET("/openapi.json", func(c echo.Context) error {
		b, err := asJSON()
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, b)
	})
	for _, name := range []string{"docs", "redoc", "errors"} {
		var b bytes.Buffer
		if err := pages.ExecuteTemplate(&b, name, map[string]any{"AppName": o.AppName, "Base": o.BasePath, "Kinds": problem.Kinds()}); err != nil {
			return fmt.Errorf("render the page %s: %w", name, err)
		}
		at := "/" + name
		if name == "errors" {
			at = "/docs/errors"
		}
		e.GET(at, page(b.Bytes()))
	}
	swagger := []string{"swagger-ui.css", "swagger-ui-bundle.js"}
	for _, name := range swagger {
		if err := asset(e, static.FS, name+".gz", name); err != nil {
			return err
		}
	}
	for from, name := range map[string]string{
		"assets/docs.js": "docs.js", "assets/redoc.js": "redoc.js", "assets/redoc.standalone.js.gz": "redoc.standalone.js",
	} {
		if err := asset(e, assets, from, name); err != nil {
			return err
		}
	}
	return nil
}

func blob(contentType string, b []byte) echo.HandlerFunc {
	return func(c echo.Context) error { return c.Blob(http.StatusOK, contentType, b) }
}

func page(b []byte) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", pagePolicy)
		return c.HTMLBlob(http.StatusOK, b)
	}
}

// asset serves a file under /docs/assets, in its compressed form when it has one. Every browser accepts gzip; a
// client that does not gets an error instead of bytes that it cannot read.
func asset(e *echo.Echo, from fs.FS, file, name string) error {
	b, err := fs.ReadFile(from, file)
	if err != nil {
		return fmt.Errorf("embedded file %s: %w", file, err)
	}
	compressed := strings.HasSuffix(file, ".gz")
	contentType := mime.TypeByExtension(path.Ext(name))
	e.GET("/docs/assets/"+name, func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "public, max-age=86400")
		if compressed {
			if !strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
				return c.String(http.StatusNotAcceptable, "this file is served with Content-Encoding: gzip only")
			}
			h.Set(echo.HeaderContentEncoding, "gzip")
			h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
		}
		return c.Blob(http.StatusOK, contentType, b)
	})
	return nil
}

func yamlToJSON(spec []byte) ([]byte, error) {
	var doc any
	if err := yaml.Unmarshal(spec, &doc); err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("the contract as JSON: %w", err)
	}
	return b, nil
}
