package httpapi

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

// mavenTypes are the media types of a Maven repository's files, by the end of their names. Checksums are text.
var mavenTypes = map[string]string{".jar": "application/java-archive", ".pom": "application/xml", ".xml": "application/xml"}

// registerMaven serves dist/maven, when the SDK for Kotlin was packed (make sdk-kotlin), so that Gradle and Maven take
// <server>/sdk/maven as a repository. The paths are those of Maven's repository layout; a release of the server replaces
// what is there, so that it is not cached for long.
func registerMaven(e *echo.Echo, dist fs.FS) error {
	files, err := fs.Sub(dist, "maven")
	if err != nil {
		return fmt.Errorf("embedded Maven repository: %w", err)
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if name == "." && err != nil {
			return fs.SkipAll // it was not packed
		}
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		mediaType := mavenTypes[path.Ext(name)]
		if mediaType == "" {
			mediaType = echo.MIMETextPlainCharsetUTF8
		}
		url := path.Join("/sdk/maven", name)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			e.Add(method, url, func(c echo.Context) error {
				c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=300")
				return c.Blob(http.StatusOK, mediaType, body)
			})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("embedded Maven repository: %w", err)
	}
	return nil
}
