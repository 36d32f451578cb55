// Package durable writes files atomically: complete or not at all, and safe from a power cut (fsync).
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile makes a file that only its owner can read. name gives it its name once its contents are on disk: os.Rename
// replaces what is there, os.Link fails where something is. When it returns, the name is on disk too.
func WriteFile(path string, b []byte, name func(oldpath, newpath string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after a rename it no longer exists; after a link it keeps its other name
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return errors.Join(name(f.Name(), path), SyncDir(dir))
}

// SyncDir writes the entries of a directory to disk (fsync).
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
