package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/durable"
)

const (
	manifestName = "manifest.json"
	format       = 1
)

// Manifest says what is in a backup.
type Manifest struct {
	Format        int       `json:"format"`
	Nimbus        string    `json:"nimbus"` // the version that made it
	CreatedAt     time.Time `json:"created_at"`
	SchemaVersion uint      `json:"schema_version"`
	SecretKeyIDs  []string  `json:"secret_key_ids"` // the ids of the keys under which secrets are encrypted
	Months        []string  `json:"months"`         // partitions of events: a month as 2006-01, several as 2006-01/2007-01 without the last
	Tables        []Table   `json:"tables"`         // in the order in which they are restored
}

// Table is one file of a backup.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	File    string   `json:"file"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
	SHA256  string   `json:"sha256"`
}

// Events is how many events the backup holds.
func (m *Manifest) Events() int64 {
	for _, t := range m.Tables {
		if t.Name == "events" {
			return t.Rows
		}
	}
	return 0
}

// dropForeign takes out the tables that a backup does not hold, and returns their names: releases up to schema version 8 put
// every table of the schema into it, and no migration makes those of other programs here.
func (m *Manifest) dropForeign() (theirs []string) {
	m.Tables = slices.DeleteFunc(m.Tables, func(t Table) bool {
		if slices.Contains(db.BackedUp(), t.Name) {
			return false
		}
		theirs = append(theirs, t.Name)
		return true
	})
	return theirs
}

// Bytes is the size of its files.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, t := range m.Tables {
		n += t.Bytes
	}
	return n
}

// ReadManifest reads what dir says it holds, without looking at the files.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no %s: it is not a backup, or one that was not finished", dir, manifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, manifestName), err)
	}
	if m.Format != format {
		return nil, fmt.Errorf("the backup in %s has format %d and this Nimbus reads format %d: use the one that made it (%s)", dir, m.Format, format, m.Nimbus)
	}
	return &m, nil
}

// CheckFiles compares every file with the manifest and names all those that differ.
func (m *Manifest) CheckFiles(dir string) error {
	var problems []error
	for _, t := range m.Tables {
		if err := t.check(dir); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("the backup in %s is damaged: %w", dir, err)
	}
	return nil
}

func (t *Table) check(dir string) error {
	if filepath.Base(t.File) != t.File {
		return fmt.Errorf("the name %q leads out of the directory", t.File)
	}
	f, err := os.Open(filepath.Join(dir, t.File))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.Copy(h, f); err != nil || n != t.Bytes {
		return errors.Join(err, fmt.Errorf("%s has %d bytes, should have %d", t.File, n, t.Bytes))
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != t.SHA256 {
		return fmt.Errorf("%s has changed since it was written", t.File)
	}
	return nil
}

// write puts the manifest into dir, complete or not at all, and brings the directory to disk.
func (m *Manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, manifestName), append(b, '\n'), os.Rename)
}
