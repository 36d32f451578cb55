// Command scratchdb runs a command with a PostgreSQL of its own:
//
//	go run ./test/nimbustest/scratchdb -- sqlc vet
//
// It starts an embedded server in a temporary directory, applies the migrations, runs the command with DATABASE_URL
// set to the database, removes everything and exits with the command's exit code. DATABASE_URL is in the URL form,
// because sqlc reads no other. The server is not durable, and nothing of it remains.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// startTimeout is for a loaded machine; the server is usually there in a second.
const startTimeout = 5 * time.Minute

// exitFailed is the exit code when the command could not be run; any other is the command's own.
const exitFailed = 125

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: scratchdb -- command [argument ...]")
		os.Exit(exitFailed)
	}
	// An interrupt reaches the command as well, which ends; then the server is stopped as always.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, args)
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "scratchdb:", err)
		os.Exit(exitFailed)
	}
}

func run(ctx context.Context, args []string) (err error) {
	dir, err := os.MkdirTemp("", "nimbus-scratchdb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// As root the server runs under another account, which must be able to enter; the cluster itself is 0700.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := embedded.Start(startCtx, embedded.Config{
		Dir: dir, BinDir: os.Getenv("NIMBUS_POSTGRES_BIN"), CacheDir: embedded.DefaultCacheDir(), Durable: false,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	dsn, err := asURL(server.DSN(embedded.Database))
	if err != nil {
		return err
	}
	if err := migrate(startCtx, dsn); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn)
	return cmd.Run()
}

func migrate(ctx context.Context, dsn string) error {
	pool, err := postgres.Open(ctx, dsn, 0)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := db.Migrate(ctx, pool, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// asURL is the keyword/value string in the form postgres://user@/database?host=/directory.
func asURL(dsn string) (string, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", err
	}
	query := url.Values{"host": {cfg.Host}, "port": {fmt.Sprint(cfg.Port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(cfg.User), Path: "/" + cfg.Database, RawQuery: query.Encode()}
	return u.String(), nil
}
