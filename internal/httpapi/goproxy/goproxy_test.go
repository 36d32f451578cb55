package goproxy_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/httpapi/goproxy"
)

func get(t *testing.T, path string) (int, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	goproxy.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.Bytes()
}

const module = "/" + goproxy.Module

func TestOneModuleIsServedInOneVersion(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../../sdk/go/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		module + "/@v/list":                            goproxy.Version + "\n",
		module + "/@latest":                            `{"Version":"` + goproxy.Version + `"}`,
		module + "/@v/" + goproxy.Version + ".info":    `{"Version":"` + goproxy.Version + `"}`,
		module + "/@v/" + goproxy.Version + ".mod":     string(mod),
		module + "/@v/v0.0.1.mod":                      "404",
		"/github.com/google/uuid/@v/list":              "404",
		"/github.com/bahagh/nimbus/@v/list":            "404",
		module + "/@v/" + goproxy.Version + ".ziphash": "404",
	} {
		status, body := get(t, path)
		if want == "404" && status != http.StatusNotFound || want != "404" && (status != http.StatusOK || string(body) != want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// go.sum keeps the hash of the zip, so it depends on nothing but the sources, and has all of them but the tests and their data.
func TestTheZipHasTheSources(t *testing.T) {
	t.Parallel()
	path := module + "/@v/" + goproxy.Version + ".zip"
	_, first := get(t, path)
	status, second := get(t, path)
	if status != http.StatusOK || !bytes.Equal(first, second) {
		t.Fatalf("%d; two zips of %d and %d bytes differ", status, len(first), len(second))
	}
	archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, f := range archive.File {
		got = append(got, strings.TrimPrefix(f.Name, goproxy.Module+"@"+goproxy.Version+"/"))
	}
	err = fs.WalkDir(os.DirFS("../../../sdk/go"), ".", func(name string, d fs.DirEntry, err error) error {
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if !d.IsDir() && !strings.HasSuffix(name, "_test.go") && name != "oapi-codegen.yaml" {
			want = append(want, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the zip has %q, the folder %q", got, want)
	}
	t.Logf("%d bytes", len(first))
}
