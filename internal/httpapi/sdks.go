package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

// packageTypes are the media types of packages, by the end of their names.
var packageTypes = map[string]string{".tgz": "application/gzip", ".whl": "application/zip", ".tar.gz": "application/gzip"}

// registerSDKs serves the packages that are built into this program, so that `npm install <server>/sdk/….tgz` and
// `pip install <server>/sdk/….whl` need no registry. /sdk/ lists them, with the hashes that package managers check
// (Subresource Integrity, sha512; sha256 for pip). A path has the version in it, and its content changes with the program, so
// it is not cached for long.
func registerSDKs(e *echo.Echo, dist fs.FS) error {
	index, err := fs.ReadFile(dist, "index.json")
	if errors.Is(err, fs.ErrNotExist) {
		index, err = []byte(`{"packages": []}`), nil
	}
	if err != nil {
		return fmt.Errorf("embedded SDKs: %w", err)
	}
	serve := func(url, contentType string, body []byte) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			e.Add(method, url, func(c echo.Context) error {
				c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=300")
				return c.Blob(http.StatusOK, contentType, body)
			})
		}
	}
	serve("/sdk/", echo.MIMEApplicationJSON, index)
	for end, mediaType := range packageTypes {
		packages, err := fs.Glob(dist, "*"+end)
		if err != nil {
			return fmt.Errorf("embedded SDKs: %w", err)
		}
		for _, name := range packages {
			body, err := fs.ReadFile(dist, name)
			if err != nil {
				return fmt.Errorf("embedded SDKs: %w", err)
			}
			serve(path.Join("/sdk", name), mediaType, body)
		}
	}
	return nil
}
