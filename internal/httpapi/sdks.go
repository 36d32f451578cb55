package httpapi

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

// packageTypes are the media types of what is served, by the end of its name: packages, and the files of a Maven repository.
var packageTypes = map[string]string{
	".tgz": "application/gzip", ".gz": "application/gzip", ".whl": "application/zip", ".jar": "application/java-archive",
	".pom": echo.MIMEApplicationXML, ".xml": echo.MIMEApplicationXML, ".md5": echo.MIMETextPlainCharsetUTF8,
	".sha1": echo.MIMETextPlainCharsetUTF8, ".sha256": echo.MIMETextPlainCharsetUTF8, ".sha512": echo.MIMETextPlainCharsetUTF8,
}

// registerSDKs serves the packages that are built into this program, so that `npm install <server>/sdk/….tgz` and
// `pip install <server>/sdk/….whl` need no registry, and <server>/sdk/maven is a repository for Gradle and Maven when the SDK for
// Kotlin was packed (make sdk-kotlin). /sdk/ lists them, with the hashes that package managers check (Subresource Integrity, sha512;
// sha256 for pip). A path has the version in it, and its content changes with the program, so it is not cached for long.
func registerSDKs(e *echo.Echo, dist fs.FS) error {
	serve := func(url, contentType string, body []byte) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			e.Add(method, url, func(c echo.Context) error {
				c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=300")
				return c.Blob(http.StatusOK, contentType, body)
			})
		}
	}
	index := []byte(`{"packages": []}`)
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		mediaType := packageTypes[path.Ext(name)]
		if err != nil || d.IsDir() || mediaType == "" && name != "index.json" {
			return err
		}
		body, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		if name == "index.json" {
			index = body
			return nil
		}
		serve(path.Join("/sdk", name), mediaType, body)
		return nil
	})
	if err != nil {
		return fmt.Errorf("embedded SDKs: %w", err)
	}
	serve("/sdk/", echo.MIMEApplicationJSON, index)
	return nil
}
