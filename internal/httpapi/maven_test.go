package httpapi

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

func TestTheMavenRepositoryThatIsBuiltInIsServed(t *testing.T) {
	t.Parallel()
	const at = "maven/io/github/bahagh/nimbus-analytics/0.1.0/nimbus-analytics-0.1.0"
	packed := fstest.MapFS{".gitkeep": {}, at + ".jar": {Data: []byte("jar")}, at + ".jar.sha1": {Data: []byte("sum")}, at + ".pom": {Data: []byte("pom")}}
	for _, tt := range []struct {
		dist       fstest.MapFS
		path       string
		status     int
		kind, body string
	}{
		{packed, "/sdk/" + at + ".jar", 200, "application/java-archive", "jar"},
		{packed, "/sdk/" + at + ".jar.sha1", 200, "text/plain; charset=UTF-8", "sum"},
		{packed, "/sdk/" + at + ".pom", 200, "application/xml", "pom"},
		{packed, "/sdk/maven/org/example/other/1/other-1.pom", 404, "application/json", ""}, // the client asks the next repository
		{fstest.MapFS{".gitkeep": {}}, "/sdk/" + at + ".jar", 404, "application/json", ""},
	} {
		e := echo.New()
		if err := registerMaven(e, tt.dist); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", tt.path, nil))
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s: %d %s %q", tt.path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}
