package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is the database that Start makes sure of.
const Database = "nimbus"

const (
	superuser = "nimbus" // the owner of everything in the cluster
	// patience is how long a server gets to shut down cleanly (it writes out what it holds in memory) before it is told to
	// drop everything and recover at the next start.
	patience = 30 * time.Second
)

// ErrInUse is wrapped by the error of Start when another process holds the data directory.
var ErrInUse = errors.New("in use")

// Config says where the server lives and what it may assume.
type Config struct {
	Dir      string // NIMBUS_DATA_DIR: gets pg/ (the cluster), run/ (the socket) and nimbus.lock
	BinDir   string // NIMBUS_POSTGRES_BIN: where postgres and initdb are; empty to search
	CacheDir string // where scripts/fetch-postgres.sh puts them; see DefaultCacheDir
	Durable  bool   // false, for tests only: a power cut may destroy the cluster
	Logger   *slog.Logger
	Settings map[string]string // postgresql.conf settings, over those of defaults
}

// Server is a running PostgreSQL. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	logger  *slog.Logger
	bin     binaries
	who     account
	dataDir string
	sockDir string
	lock    *os.File

	process *os.Process
	log     *tail
	exited  chan struct{} // closed when the process has ended, for whatever reason
	status  error         // how it ended; read after exited

	mu       sync.Mutex
	stopping bool
	done     chan struct{} // closed when it ended without Stop
	err      error
}

// defaults suit steady ingestion on a small machine that PostgreSQL shares with Nimbus. Memory is touched only when used:
// an idle server stays small.
func defaults(durable bool) map[string]string {
	set := map[string]string{
		"shared_buffers":  "128MB",
		"max_connections": "100",
		"timezone":        "UTC",
		"jit":             "off", // costs more than it gains on queries of milliseconds
		// Few, spread-out checkpoints: after each one every page is written to the log in full once.
		"max_wal_size":                 "2GB",
		"checkpoint_timeout":           "15min",
		"checkpoint_completion_target": "0.9",
		"wal_compression":              "on",
		// Nobody subscribes to a private server: saves a process.
		"max_logical_replication_workers": "0",
		"log_min_messages":                "warning",
		"log_line_prefix":                 "", // our logger knows the time
		"log_checkpoints":                 "off",
		"listen_addresses":                "",
		"unix_socket_permissions":         "0700",
	}
	if runtime.GOOS == "linux" {
		// Before a recovery every file is brought to disk: with one call, not a thousand. That is most of the time which
		// a start after a crash takes.
		set["recovery_init_sync_method"] = "syncfs"
	}
	if smallSharedMemory() {
		set["dynamic_shared_memory_type"] = "mmap" // files in the data directory
	}
	if !durable {
		maps.Copy(set, map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
	}
	return set
}

// Start brings up the server in cfg.Dir, making the cluster first where there is none, and returns when it takes queries.
// ctx bounds the start only; the server then runs until Stop or the end of this process. A cancelled Start leaves nothing
// running.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil || cfg.Dir == "" {
		return nil, fmt.Errorf("data directory %q: %w", cfg.Dir, errors.Join(err, os.ErrInvalid))
	}
	cfg.Dir = dir
	s := &Server{
		cfg: cfg, logger: cfg.Logger,
		dataDir: filepath.Join(dir, "pg"),
		done:    make(chan struct{}),
	}
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// Exists says whether there is a cluster in dir. One that cannot be looked at counts: Start says why it cannot.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "pg", "PG_VERSION"))
	return !errors.Is(err, os.ErrNotExist)
}

// Running returns the connection string of the server that another process runs in dir, and whether there is one: for the
// commands of an operator, which must not need the server to stop. The socket needs no password.
func Running(dir string) (dsn string, ok bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	p, ok := readPostmaster(filepath.Join(dir, "pg"))
	if !ok || p.status != "ready" || p.socketDir == "" {
		return "", false
	}
	return (&Server{sockDir: p.socketDir}).DSN(Database), true
}

func (s *Server) start(ctx context.Context) error {
	begun := time.Now()
	if err := s.choose(ctx); err != nil {
		return err
	}
	s.sweep()
	if err := s.stopOrphan(ctx); err != nil {
		return err
	}
	major, err := clusterMajor(s.dataDir)
	if err != nil {
		return err
	}
	if major == 0 {
		s.logger.Info("making a PostgreSQL cluster", "dir", s.dataDir, "version", s.bin.version, "account", s.who.name)
		if err := s.initCluster(ctx); err != nil {
			return fmt.Errorf("make a PostgreSQL cluster in %s: %w", s.dataDir, err)
		}
	}
	if s.sockDir, err = s.socketDir(); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	if err := s.ensureDatabase(ctx); err != nil {
		_ = s.Stop(context.WithoutCancel(ctx))
		return fmt.Errorf("embedded PostgreSQL in %s: %w", s.dataDir, err)
	}
	s.logger.Info("PostgreSQL is ready", "version", s.bin.version, "pid", s.Pid(), "dir", s.dataDir,
		"took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// choose settles who runs which programs, and that they can get at them and at the data.
func (s *Server) choose(ctx context.Context) error {
	var err error
	if s.who, err = accountFor(s.dataDir); err != nil {
		return err
	}
	if err := s.who.canReach(s.cfg.Dir); err != nil {
		return fmt.Errorf("%w: choose another NIMBUS_DATA_DIR, such as /var/lib/nimbus", err)
	}
	if s.who.cred != nil {
		_ = s.lock.Chown(s.who.uid, s.who.gid) // so that the account itself can take it another time
	}
	have, err := clusterMajor(s.dataDir)
	if err != nil {
		return err
	}
	if s.bin, err = find(ctx, s.cfg.BinDir, s.cfg.CacheDir, have); err != nil {
		if have != 0 {
			return fmt.Errorf("the data in %s is of PostgreSQL %d: %w", s.dataDir, have, err)
		}
		return err
	}
	if have != 0 && s.bin.major != have {
		return fmt.Errorf("the data in %s is of PostgreSQL %d, but only PostgreSQL %d is installed (%s): "+
			"install PostgreSQL %d, or move it with pg_upgrade, or choose another NIMBUS_DATA_DIR to begin with no data",
			s.dataDir, have, s.bin.major, s.bin.dir, have)
	}
	if err := s.who.canReach(s.bin.dir); err != nil {
		return fmt.Errorf("%w: install PostgreSQL where everyone can read it, and see NIMBUS_POSTGRES_BIN", err)
	}
	return nil
}

// ensureDatabase makes the database of Nimbus, here rather than after initdb so that a crash in between is made good.
func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists); err != nil || exists {
		return err
	}
	create := "CREATE DATABASE " + pgx.Identifier{Database}.Sanitize()
	if !s.cfg.Durable && s.bin.major >= 15 {
		create += " STRATEGY file_copy" // a fifth of the time where nothing waits for the disk
	}
	_, err = conn.Exec(ctx, create)
	return err
}

// DSN is the connection string for a database of this server. [Database] exists; others are the caller's to make.
func (s *Server) DSN(db string) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname='%s' sslmode=disable", quote(s.sockDir), superuser, quote(db))
}

// Pid is the process of the server; it changes with every start.
func (s *Server) Pid() int { return s.process.Pid }

// Version is that of the programs, such as "15.14".
func (s *Server) Version() string { return s.bin.version }

// Done is closed when the server ends without Stop. Err then says how. To go on, Start anew: the directory is free again.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop shuts the server down: open transactions are rolled back, what is in memory is written out. When ctx ends first, or
// after half a minute, it is stopped hard, and recovers at its next start: nothing acknowledged is lost either way. Stop
// returns when the process is gone; calling it again is harmless.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.log.steady.Store(false)
	defer s.lock.Close() // watch does so too; a caller of Stop may rely on it
	if clean := s.shutDown(ctx); !clean {
		return fmt.Errorf("embedded PostgreSQL (pid %d) did not stop in time and was stopped hard", s.process.Pid)
	}
	return nil
}
