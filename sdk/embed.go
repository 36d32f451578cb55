// Package sdk embeds the SDKs as a running Nimbus serves them below /sdk/: dist has index.json, which lists the packages, and
// the files of each. scripts/pack-sdk.sh, scripts/pack-python.sh and make sdk-kotlin write them; until they have run there is nothing but
// a placeholder, and the list is empty.
package sdk

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is what was packed.
var Dist = func() fs.FS {
	dist, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // dist is in the repository, or this would not compile
	}
	return dist
}()
