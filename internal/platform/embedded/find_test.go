package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// install makes a directory with programs that claim to be of the given version.
func install(t *testing.T, dir, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindBinariesFindsARealServer(t *testing.T) {
	t.Parallel()
	dir, major, err := FindBinaries(t.Context(), os.Getenv("NIMBUS_POSTGRES_BIN"), DefaultCacheDir())
	if err != nil {
		t.Fatal(err)
	}
	if major < oldest {
		t.Errorf("major = %d", major)
	}
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		t.Error(err)
	}
}

func TestPick(t *testing.T) {
	t.Parallel()
	top := tempDir(t)
	v17 := install(t, filepath.Join(top, "17"), "17.2 (Debian 17.2-1)")
	v18 := install(t, filepath.Join(top, "18"), "18beta1")
	v9 := install(t, filepath.Join(top, "9"), "9.6.24")
	none := filepath.Join(top, "none")
	for name, c := range map[string]struct {
		dirs []string
		want int
		dir  string
	}{
		"first":                         {[]string{none, v17, v18}, 0, v17},
		"the major asked for":           {[]string{v17, v18}, 18, v18},
		"another when there is no such": {[]string{v17, v18}, 15, v17},
		"too old is passed over":        {[]string{v9, v18}, 0, v18},
	} {
		got, err := pick(t.Context(), c.dirs, "", c.want)
		if err != nil || got.dir != c.dir {
			t.Errorf("%s: %q, %v, want %q", name, got.dir, err, c.dir)
		}
	}
}

func TestNothingInstalledSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := pick(t.Context(), nil, "", 0)
	if !errors.Is(err, ErrNoPostgres) {
		t.Fatalf("error %v", err)
	}
	mustContain(t, err, "apt-get install postgresql", "make postgres", "NIMBUS_DATABASE_URL", "NIMBUS_POSTGRES_BIN")
	old := install(t, tempDir(t), "9.6.24")
	_, err = pick(t.Context(), []string{old}, "", 0)
	mustContain(t, err, "9.6.24", old, "14 or newer")
}

func TestGivenDirectoryMustHoldTheServer(t *testing.T) {
	t.Parallel()
	empty := tempDir(t)
	_, _, err := FindBinaries(t.Context(), empty, "")
	mustContain(t, err, "NIMBUS_POSTGRES_BIN", empty)
}

func TestCacheIsSearchedHighestFirst(t *testing.T) {
	t.Parallel()
	cache := tempDir(t)
	for _, major := range []string{"9", "18", "17", "100"} {
		install(t, filepath.Join(cache, major, "bin"), major+".1")
	}
	var got []string
	for _, dir := range highestFirst(filepath.Join(cache, "*", "bin")) {
		got = append(got, filepath.Base(filepath.Dir(dir)))
	}
	if want := []string{"100", "18", "17", "9"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		level slog.Level
		text  string
	}{
		"ERROR:  division by zero":      {slog.LevelError, "division by zero"},
		"WARNING:  out of date":         {slog.LevelWarn, "out of date"},
		"LOG:  checkpoint":              {slog.LevelInfo, "checkpoint"},
		"DETAIL:  Key (a)=(1) exists.":  {slog.LevelDebug, "DETAIL:  Key (a)=(1) exists."},
		"\tcontinued":                   {slog.LevelDebug, "continued"},
		"postgres: could not find that": {slog.LevelDebug, "postgres: could not find that"},
	} {
		level, text := severity(line, slog.LevelDebug) // the level that stands for "as before"
		if level != want.level || text != want.text {
			t.Errorf("severity(%q) = %v, %q, want %v, %q", line, level, text, want.level, want.text)
		}
	}
}
