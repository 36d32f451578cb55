package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/durable"
)

func TestAFileIsThereInFullAndNothingBesideIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	want := func(content string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil || string(b) != content {
			t.Errorf("the file has %q, %v; want %q", b, err, content)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("the directory has %v, %v", entries, err)
		}
	}
	if err := durable.WriteFile(path, []byte("one"), os.Link); err != nil {
		t.Fatal(err)
	}
	want("one")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if err := durable.WriteFile(path, []byte("two"), os.Link); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link over a file: %v", err)
	}
	want("one")
	if err := durable.WriteFile(path, []byte("three"), os.Rename); err != nil {
		t.Fatal(err)
	}
	want("three")
	if err := durable.WriteFile(filepath.Join(dir, "no", "f"), nil, os.Rename); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no directory: %v", err)
	}
}
