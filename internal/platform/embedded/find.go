package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version Nimbus is tested to work with: older ones lack syntax its migrations use.
const oldest = 14

// ErrNoPostgres is what [FindBinaries] and [Start] wrap when this machine has no PostgreSQL server at all.
var ErrNoPostgres = errors.New("no PostgreSQL server found")

// binaries is one usable installation.
type binaries struct {
	dir     string // holds postgres and initdb
	version string // as `postgres --version` has it, e.g. "15.14"
	major   int
}

// DefaultCacheDir is where scripts/fetch-postgres.sh unpacks PostgreSQL, one directory per major version. As root that is
// outside root's home, because the unprivileged account that runs the server must be able to read it.
func DefaultCacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/nimbus/postgres"
	}
	if dir, err := os.UserHomeDir(); err == nil {
		// Not os.UserCacheDir: the script has to come to the same answer in three lines of shell, on macOS too.
		return filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join(dir, ".cache")), "nimbus", "postgres")
	}
	return ""
}

// FindBinaries returns the directory of the PostgreSQL server programs that would be used for a new data directory, and
// their major version. It looks in binDir (where one is given it must hold them), PATH, the places where distributions and
// Homebrew put them (highest major version first), and cacheDir.
func FindBinaries(ctx context.Context, binDir, cacheDir string) (dir string, major int, err error) {
	b, err := find(ctx, binDir, cacheDir, 0)
	return b.dir, b.major, err
}

// find is FindBinaries for a cluster of major version want; see pick.
func find(ctx context.Context, binDir, cacheDir string, want int) (binaries, error) {
	return pick(ctx, candidates(binDir, cacheDir), binDir, want)
}

// pick takes the first directory with programs of major version want; 0 takes the first with any. Where only other versions
// are installed it returns the first of them and no error: the caller knows which data directory to complain about.
func pick(ctx context.Context, dirs []string, binDir string, want int) (binaries, error) {
	var first binaries
	var old string
	for _, dir := range dirs {
		b, err := probe(ctx, dir)
		switch {
		case err != nil && dir == binDir:
			return binaries{}, fmt.Errorf("NIMBUS_POSTGRES_BIN: %w", err)
		case err != nil:
			continue
		case b.major < oldest:
			old = fmt.Sprintf(" (%s has %s; Nimbus needs %d or newer)", dir, b.version, oldest)
			continue
		case want == 0 || b.major == want:
			return b, nil
		case first.dir == "":
			first = b
		}
	}
	if first.dir != "" {
		return first, nil
	}
	return binaries{}, fmt.Errorf("%w%s: install one (apt-get install postgresql, or make postgres), "+
		"point NIMBUS_POSTGRES_BIN at the directory of its programs, or set NIMBUS_DATABASE_URL to use a server you already have",
		ErrNoPostgres, old)
}

// candidates lists the directories to look in, best first. None of them need exist.
func candidates(binDir, cacheDir string) []string {
	var dirs []string
	if binDir != "" {
		dirs = append(dirs, binDir)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		// PATH often has only a link, and initdb stands beside what the link points to.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range usualPlaces {
		dirs = append(dirs, highestFirst(pattern)...)
	}
	if cacheDir != "" {
		dirs = append(dirs, highestFirst(filepath.Join(cacheDir, "*", "bin"))...)
	}
	return dirs
}

// usualPlaces are patterns; nothing in them depends on the platform, since a place that does not exist costs nothing.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",                       // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                // the PostgreSQL project's RPMs
	"/usr/libexec/postgresql*",                        // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",              // Homebrew, Apple silicon
	"/usr/local/opt/postgresql@*/bin",                 // Homebrew, Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin", // Homebrew, Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// highestFirst expands a pattern and sorts the hits by the version number in them: 9 before 10 would be alphabetical.
func highestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // the only error is a bad pattern
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(numberIn(b), numberIn(a)) })
	return dirs
}

// numberIn is the last number in a path: the major version in every place PostgreSQL is installed.
func numberIn(path string) int {
	fields := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[len(fields)-1])
	return n
}

// probe asks the programs themselves what they are: a directory name proves nothing, and a binary for another
// architecture or C library is found out here rather than at start.
func probe(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, fmt.Errorf("%s holds no PostgreSQL server programs: %w", dir, err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	cmd.Env = environment()
	out, err := cmd.Output()
	if err != nil {
		return binaries{}, fmt.Errorf("%s does not run here: %w", filepath.Join(dir, "postgres"), err)
	}
	// "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
	_, rest, _ := strings.Cut(string(out), ") ")
	version, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	major, err := majorOf(version)
	if err != nil {
		return binaries{}, fmt.Errorf("%s --version says %q: %w", filepath.Join(dir, "postgres"), strings.TrimSpace(string(out)), err)
	}
	return binaries{dir: dir, version: version, major: major}, nil
}

// majorOf reads the major version off "15.14", "18beta1" or the "15" of a PG_VERSION file.
func majorOf(version string) (int, error) {
	version = strings.TrimSpace(version)
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	return strconv.Atoi(version[:end])
}

// environment is what PostgreSQL's programs are run with. The caller's own is kept from them: PGDATA, PGPORT and the like
// would be obeyed, and LC_ALL decides the language of the messages that we pass on and look into.
func environment() []string {
	return []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
}
