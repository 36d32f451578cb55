// Package frontend embeds the built dashboard. Until `npm run build` has run, there is nothing in it but a placeholder,
// and the server says how to build it.
package frontend

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is what Vite built: index.html, and assets whose names have a hash of their content.
var Dist = func() fs.FS {
	dist, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // dist is in the repository, or this would not compile
	}
	return dist
}()
