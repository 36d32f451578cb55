package imports

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bahagh/nimbus/internal/platform/durable"
)

// State is how far the import of a source is.
type State struct {
	Job     string `json:"job"`     // identifies where it goes to and how it is read
	Head    string `json:"head"`    // fingerprint of the beginning of the source
	Bytes   int    `json:"bytes"`   // of that beginning; a source that has grown begins with them, too
	Records int    `json:"records"` // that were answered for, from the beginning on
	Ended   bool   `json:"ended"`   // there were no more
	Report  Report `json:"report"`
	Refused int64  `json:"refused"` // bytes of the file of refused lines
}

// suffix is that of state files.
const suffix = ".nimbus-import"

// statePath is the state file of a source: beside it, or in the working directory for that of a URL.
func (o *Options) statePath(from string) string {
	if o.StateDir != "" {
		return filepath.Join(o.StateDir, baseName(from)+suffix)
	}
	if isURL(from) {
		return baseName(from) + suffix
	}
	return from + suffix
}

// job identifies where the events go and how lines are read: a state of another job says nothing about this one.
func (o *Options) job() string {
	zone := ""
	if o.Zone != nil {
		zone = o.Zone.String()
	}
	b, _ := json.Marshal([]any{o.URL, o.ProjectID, o.Format, o.Columns, zone, o.Delimiter}) // nothing that cannot be encoded
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// readState returns the state of a source; an empty one when there is none, or it is of something else.
func readState(path, job string, begin []byte) (State, error) {
	fresh := State{Job: job, Head: fingerprint(begin), Bytes: len(begin), Report: newReport()}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	} else if err != nil {
		return fresh, err
	}
	s := State{Report: newReport()}
	if err := json.Unmarshal(b, &s); err != nil {
		return fresh, fmt.Errorf("%s is no state of an import: %w; remove it to begin anew", path, err)
	}
	if s.Job != job || s.Bytes > len(begin) || s.Head != fingerprint(begin[:s.Bytes]) {
		return fresh, nil
	}
	return s, nil
}

func fingerprint(begin []byte) string {
	sum := sha256.Sum256(begin)
	return hex.EncodeToString(sum[:])
}

func (s *State) write(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(b, '\n'), os.Rename)
}
