//go:build !unix

package nimbus

import (
	"io"
	"os"
)

// lockFile takes no lock where there is no flock: give each tracker a directory of its own.
func lockFile(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// syncDir has nothing to do where directories cannot be synced.
func syncDir(string) error { return nil }
