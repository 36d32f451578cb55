package nimbustest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/embedded"
)

// StandbyServer is a streaming standby that can be killed and started again.
type StandbyServer struct {
	t      testing.TB
	cfg    embedded.Config
	server *embedded.Server
}

// Standby makes a streaming standby of a PrivateServer and starts it; it ends with the test. It is a copy of the data
// directory, taken while the primary runs, as pg_basebackup takes one, which not every machine with a server has.
func Standby(t testing.TB, primary *embedded.Server, configure ...func(*embedded.Config)) *StandbyServer {
	t.Helper()
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := baseBackup(ctx, primary, filepath.Join(dir, "pg")); err != nil {
		t.Fatalf("copy the primary: %v", err)
	}
	s := &StandbyServer{t: t, cfg: serverConfig(dir)}
	s.cfg.Settings["primary_conninfo"] = primary.DSN("postgres")
	for _, f := range configure {
		f(&s.cfg)
	}
	s.Start()
	t.Cleanup(func() {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.server.Stop(hurry)
	})
	return s
}

// Start starts it, again after Kill.
func (s *StandbyServer) Start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := embedded.Start(ctx, s.cfg)
	if err != nil {
		s.t.Fatalf("start the standby: %v", err)
	}
	s.server = server
}

// Kill ends it with SIGKILL.
func (s *StandbyServer) Kill() {
	s.t.Helper()
	if err := syscall.Kill(s.server.Pid(), syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	<-s.server.Done()
}

// DSN is the connection string of its copy of [embedded.Database].
func (s *StandbyServer) DSN() string { return s.server.DSN(embedded.Database) }

// Exec runs a statement on it, such as the pause and the resumption of its replay.
func (s *StandbyServer) Exec(sql string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// CatchUp waits until it has replayed the primary's write-ahead log.
func (s *StandbyServer) CatchUp(primary *embedded.Server) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var position string
	ask := func(dsn, sql string, into any, args ...any) {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Close(ctx)
		if err := conn.QueryRow(ctx, sql, args...).Scan(into); err != nil {
			s.t.Fatal(err)
		}
	}
	ask(primary.DSN("postgres"), "SELECT pg_current_wal_insert_lsn()::text", &position)
	for done := false; !done; {
		ask(s.DSN(), "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", &done, position)
		select {
		case <-ctx.Done():
			s.t.Fatalf("the standby does not come to %s: %v", position, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// baseBackup copies the data directory of a running server to a place, ready to be started as its standby. The log is
// left out: the standby streams it, from the beginning of the copy.
func baseBackup(ctx context.Context, primary *embedded.Server, to string) error {
	conn, err := pgx.Connect(ctx, primary.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) // also ends a backup that was not stopped
	var from, label string
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory'), current_setting('server_version_num')::int").Scan(&from, &version); err != nil {
		return err
	}
	start, stop := "pg_backup_start('nimbustest', true)", "pg_backup_stop(false)"
	if version < 150000 {
		start, stop = "pg_start_backup('nimbustest', true, false)", "pg_stop_backup(false, false)"
	}
	if _, err := conn.Exec(ctx, "SELECT "+start); err != nil {
		return err
	}
	if err := copyCluster(from, to); err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, "SELECT labelfile FROM "+stop).Scan(&label); err != nil {
		return err
	}
	for name, content := range map[string]string{"backup_label": label, "standby.signal": ""} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(content), 0o600); err != nil {
			return err
		}
		if err := sameOwner(from, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// notCopied are the contents of directories, and files, that belong to the running server alone.
var notCopied = []string{"pg_wal/", "pg_replslot/", "pg_dynshmem/", "pg_notify/", "pg_serial/", "pg_snapshots/", "pg_stat_tmp/", "pg_subtrans/",
	"postmaster.pid", "postmaster.opts"}

func copyCluster(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed during the copy; replay of the log removes it too
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		for _, not := range notCopied {
			if name == not || strings.HasSuffix(not, "/") && strings.HasPrefix(name, not) {
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		target := filepath.Join(to, name)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, 0o700)
		case d.Type().IsRegular():
			var content []byte
			if content, err = os.ReadFile(path); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil {
				err = os.WriteFile(target, content, 0o600)
			}
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return sameOwner(from, target)
	})
}

// sameOwner gives a file to the account that runs the server, which is not root even when the tests are.
func sameOwner(as, path string) error {
	info, err := os.Stat(as)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(st.Uid), int(st.Gid))
}
