package httpapi

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

func TestTheSDKsThatAreBuiltInAreServed(t *testing.T) {
	t.Parallel()
	get := func(dist fstest.MapFS, method, path string) *httptest.ResponseRecorder {
		e := echo.New()
		if err := registerSDKs(e, dist); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	const name, index = "/sdk/nimbus-analytics-sdk-0.3.0.tgz", `{"packages":[{"name":"x"}]}`
	const wheel, source = "/sdk/nimbus_analytics-0.3.0-py3-none-any.whl", "/sdk/nimbus_analytics-0.3.0.tar.gz"
	packed := fstest.MapFS{".gitkeep": {}, "index.json": {Data: []byte(index)}, name[len("/sdk/"):]: {Data: []byte("tar")},
		wheel[len("/sdk/"):]: {Data: []byte("zip")}, source[len("/sdk/"):]: {Data: []byte("src")}}
	for _, tt := range []struct {
		dist         fstest.MapFS
		method, path string
		status       int
		kind, body   string
	}{
		{packed, "GET", "/sdk/", 200, "application/json", index},
		{packed, "GET", name, 200, "application/gzip", "tar"},
		{packed, "HEAD", name, 200, "application/gzip", "tar"}, // the server itself leaves the body out
		{packed, "GET", wheel, 200, "application/zip", "zip"},
		{packed, "GET", source, 200, "application/gzip", "src"},
		{packed, "GET", "/sdk/.gitkeep", 404, "application/json", ""},
		{fstest.MapFS{".gitkeep": {}}, "GET", "/sdk/", 200, "application/json", `{"packages": []}`},
		{fstest.MapFS{".gitkeep": {}}, "GET", name, 404, "application/json", ""},
	} {
		w := get(tt.dist, tt.method, tt.path)
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s %s: %d %s %q", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

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
		if err := registerSDKs(e, tt.dist); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", tt.path, nil))
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s: %d %s %q", tt.path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}
