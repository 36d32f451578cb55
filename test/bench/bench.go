// Package bench measures Nimbus and prints the tables of docs/benchmarks.md.
//
// Both sides of a ratio are measured in one run on one machine, because absolute numbers of a shared machine mean
// little. The server is a process of its own on a durable embedded PostgreSQL; events go through its public API,
// signed, over loopback. The baseline is the upper bound of PostgreSQL: COPY of the same rows into a table without
// any index, by the same client library.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/crash"
)

// Options sets the size of the benchmark.
type Options struct {
	Nimbus      string        // the program that is measured
	Events      int           // loaded for the measurement of reading
	Duration    time.Duration // of each measurement of ingestion
	PostgresBin string
	Keep        string // directory to use and keep; empty: a temporary one
	Profile     string // file for a CPU profile of the server during batches of 1,000; empty: none
	Out         io.Writer
	Log         *slog.Logger
}

// Run measures everything and prints the tables as Markdown.
func Run(ctx context.Context, o Options) (err error) {
	w := &world{Options: o}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx); err != nil {
		return err
	}
	w.printf("%s, %d cores, %s, PostgreSQL %s, fsync on.\n\n", time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version(), w.pg.Version())
	for _, measure := range []func(context.Context) error{w.idle, w.decoding, w.ingestion, w.fill, w.counts, w.timelines, w.measures} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// world is the running server, its database, and a project to send to.
type world struct {
	Options
	env    []string // settings of the server
	dir    string
	pg     *embedded.Server
	pool   *pgxpool.Pool
	server *exec.Cmd
	url    string
	admin  string
	client *http.Client

	token   string
	project *project
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(w.Out, format, args...) }

func (w *world) start(ctx context.Context) error {
	var err error
	if w.dir = w.Keep; w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "nimbus-bench-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	if err := os.Chmod(w.dir, 0o711); err != nil { // the database may run as another user
		return fmt.Errorf("open the directory: %w", err)
	}
	if w.pg, err = embedded.Start(ctx, embedded.Config{Dir: w.dir, BinDir: w.PostgresBin, CacheDir: embedded.DefaultCacheDir(),
		Durable: true, Logger: w.Log}); err != nil {
		return err
	}
	if w.pool, err = postgres.Open(ctx, w.pg.DSN(embedded.Database), 4); err != nil {
		return err
	}
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.register(ctx)
}

// serve starts `nimbus serve` as a process of its own and waits for its ready line.
func (w *world) serve(ctx context.Context) error {
	admin, release, err := crash.HoldAddr()
	if err != nil {
		return err
	}
	defer release()
	w.server = exec.CommandContext(context.WithoutCancel(ctx), w.Nimbus, "serve")
	w.server.Env = append(os.Environ(), "NIMBUS_DATABASE_URL="+w.pg.DSN(embedded.Database), "NIMBUS_ADDR=127.0.0.1:0",
		"NIMBUS_ADMIN_ADDR="+admin, "NIMBUS_DATA_DIR="+filepath.Join(w.dir, "server"), "NIMBUS_LOG_LEVEL=info", "NIMBUS_BCRYPT_COST=4",
		"NIMBUS_RATE_LIMIT_ENABLED=false",                                      // one key sends more than any real one may
		"NIMBUS_QUERY_TIMEOUT_SECONDS=25", "NIMBUS_QUERY_MAX_EVENTS=100000000") // the limits must not cut a measurement off
	w.server.Env = append(w.server.Env, w.env...)
	w.admin = "http://" + admin
	stderr, err := w.server.StderrPipe()
	if err != nil {
		return fmt.Errorf("read the server's log: %w", err)
	}
	if err := w.server.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "msg=ready url="); ok {
			w.url, _, _ = strings.Cut(rest, " ")
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return nil
		}
	}
	return errors.New("the server did not start; run nimbus serve to see why")
}

func (w *world) close() error {
	var problems []error
	if w.server != nil && w.server.Process != nil {
		problems = append(problems, w.server.Process.Signal(os.Interrupt), w.server.Wait())
	}
	if w.pool != nil {
		w.pool.Close()
	}
	if w.pg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		problems = append(problems, w.pg.Stop(ctx))
	}
	if w.Keep == "" && w.dir != "" {
		problems = append(problems, os.RemoveAll(w.dir))
	}
	return errors.Join(problems...)
}

// rss returns the resident memory of the server process in MiB.
func (w *world) rss() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.server.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the server's memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1024, nil
		}
	}
	return 0, errors.New("the system does not say how much memory the server has")
}

func (w *world) idle(context.Context) error {
	mib, err := w.rss()
	if err != nil {
		return err
	}
	w.printf("| idle | measured |\n|---|---|\n| resident memory of the server process | %.1f MiB |\n\n", mib)
	return nil
}
