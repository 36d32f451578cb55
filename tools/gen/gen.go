// Package gen is what the generators of code from the contract have in common: their command line, how they write, and what they say
// of a contract that they cannot translate.
package gen

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Main is a command that turns the document -spec into files in the directory -out. Files there that end with stale and are not among
// them are removed; none when it is empty. Every flag is required, those too that the command has defined before.
func Main(generate func(spec string) (map[string][]byte, error), stale string) {
	spec := flag.String("spec", "", "the OpenAPI document")
	out := flag.String("out", "", "the directory of the files")
	flag.Parse()
	usable := flag.NArg() == 0
	flag.VisitAll(func(f *flag.Flag) { usable = usable && f.Value.String() != "" })
	if !usable {
		flag.Usage()
		os.Exit(2)
	}
	files, err := generate(*spec)
	if err == nil {
		err = Write(*out, files, stale)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// Write replaces a file only when its text changes, so that builds and watchers see no change where there is none.
func Write(dir string, files map[string][]byte, stale string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if stale == "" || !strings.HasSuffix(e.Name(), stale) || files[e.Name()] != nil {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Problems collects what is wrong with the contract, each with its place in the document, so that all of it is said at once.
type Problems []string

// Add notes a problem.
func (p *Problems) Add(at, format string, args ...any) {
	*p = append(*p, at+": "+fmt.Sprintf(format, args...))
}

// Err is all of them, nil when there is none.
func (p *Problems) Err() error {
	if len(*p) == 0 {
		return nil
	}
	return errors.New(strings.Join(*p, "\n"))
}
