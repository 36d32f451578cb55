// Package goproxy serves the Go SDK to the go command, by the module proxy protocol
// (https://go.dev/ref/mod#goproxy-protocol). So `go get` works wherever this server is reachable, with the version
// that belongs to it.
package goproxy

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// The proxy serves one module in one version, that of the SDK in this repository.
const (
	Module  = "github.com/bahagh/nimbus/sdk/go"
	Version = "v" + nimbus.Version
)

// Handler serves the module below the path that is in GOPROXY, and a 404 for all other modules, after which the go
// command tries the next proxy.
func Handler() http.Handler {
	archive := sync.OnceValues(build) // lazily: most servers never get a request
	const at, info = "GET /" + Module, `{"Version":"` + Version + `"}`
	mux := http.NewServeMux()
	text := func(pattern, mediaType, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { answer(w, mediaType, []byte(body)) })
	}
	text(at+"/@v/list", "text/plain; charset=utf-8", Version+"\n")
	text(at+"/@latest", "application/json", info)
	text(at+"/@v/"+Version+".info", "application/json", info)
	mux.HandleFunc(at+"/@v/"+Version+".mod", func(w http.ResponseWriter, r *http.Request) {
		mod, err := nimbus.Source.ReadFile("go.mod")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, "text/plain; charset=utf-8", mod)
	})
	mux.HandleFunc(at+"/@v/"+Version+".zip", func(w http.ResponseWriter, r *http.Request) {
		b, err := archive()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, "application/zip", b)
	})
	return mux
}

func answer(w http.ResponseWriter, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	// Another release of the server has another SDK at the same path of the list.
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(body) // the client may have gone
}

// build makes the module's zip. It is deterministic: go.sum holds its hash.
func build() ([]byte, error) {
	var files []zip.File
	err := fs.WalkDir(nimbus.Source, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, file(name))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("goproxy: list the sources: %w", err)
	}
	var b bytes.Buffer
	if err := zip.Create(&b, module.Version{Path: Module, Version: Version}, files); err != nil {
		return nil, fmt.Errorf("goproxy: %w", err)
	}
	return b.Bytes(), nil
}

// file is a source file, as package zip wants it.
type file string

// Path is the path in the module.
func (f file) Path() string { return string(f) }

// Lstat describes the file.
func (f file) Lstat() (fs.FileInfo, error) { return fs.Stat(nimbus.Source, string(f)) }

// Open opens the file.
func (f file) Open() (io.ReadCloser, error) { return nimbus.Source.Open(string(f)) }
