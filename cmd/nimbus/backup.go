package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/backup"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// told logs each table as it is done.
func (e *env) told(what string) backup.Progress {
	return func(table string, rows int64) { e.log.Info(what, "table", table, "rows", rows) }
}

// oneDirectory is the only word after a command.
func oneDirectory(command string, args []string) (string, error) {
	if len(args) != 1 {
		return "", usageError{fmt.Errorf("%s takes one word: the directory of the backup", command)}
	}
	return args[0], nil
}

func runBackup(ctx context.Context, e *env) error {
	dir, err := oneDirectory("backup", e.args)
	if err != nil {
		return err
	}
	d, err := app.AttachDatabase(ctx, e.cfg, e.log)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	m, err := backup.Write(ctx, d.Pool, dir, versionString(), time.Now(), e.told("backed up"))
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d events and all else, %.1f MiB, are in %s.\n", m.Events(), float64(m.Bytes())/(1<<20), dir)
	if len(m.SecretKeyIDs) > 0 {
		fmt.Fprintf(e.stdout, "Keep %s too, and apart from it: the secrets of API keys are encrypted under it, and it is not in the backup.\n", e.cfg.SecretKeyIn())
	}
	return nil
}

func runRestore(ctx context.Context, e *env) error {
	withoutKeys := len(e.args) == 2 && e.args[1] == "without-keys"
	if len(e.args) != 1 && !withoutKeys {
		return usageError{errors.New("restore takes the directory of the backup, and then without-keys if its NIMBUS_SECRET_KEY is lost")}
	}
	dir := e.args[0]
	m, err := backup.ReadManifest(dir)
	if err != nil {
		return err // before a database is started for it
	}
	d, err := app.AttachOrMakeDatabase(ctx, e.cfg, e.log)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	ring, err := e.ring(e.cfg.EnsureSecrets)
	if err != nil {
		return err
	}
	lost := slices.DeleteFunc(slices.Clone(m.SecretKeyIDs), ring.Has)
	if len(lost) > 0 && !withoutKeys {
		return fmt.Errorf("the secrets of API keys in the backup are encrypted under keys that are not here (%v): set NIMBUS_SECRET_KEY or NIMBUS_SECRET_KEY_PREVIOUS to them, "+
			"or put the secrets.json of the old data directory into this one; or restore without-keys, and replace the API keys of every project afterwards", lost)
	}
	if m, err = backup.Restore(ctx, d.Pool, dir, e.log, e.told("restored")); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d events and all else are restored, as of %s.\n", m.Events(), m.CreatedAt.Format(time.RFC3339))
	if len(lost) > 0 {
		fmt.Fprintln(e.stdout, "API keys cannot sign until they are replaced (rotate a project's main key, delete any other): their secrets cannot be decrypted.")
	}
	return nil
}

// runVerify restores the backup into a database of its own and counts everything there.
func runVerify(ctx context.Context, e *env) (err error) {
	dir, err := oneDirectory("verify", e.args)
	if err != nil {
		return err
	}
	if _, err := backup.ReadManifest(dir); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "nimbus-verify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := os.Chmod(scratch, 0o755); err != nil { // the account that runs PostgreSQL passes through
		return err
	}
	srv, err := embedded.Start(ctx, embedded.Config{Dir: filepath.Join(scratch, "data"), BinDir: e.cfg.PostgresBin, CacheDir: embedded.DefaultCacheDir(), Logger: e.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop(context.WithoutCancel(ctx))) }()
	pool, err := postgres.Open(ctx, srv.DSN(embedded.Database), e.cfg.DBPoolSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := backup.Restore(ctx, pool, dir, e.log, e.told("restored"))
	if err != nil {
		return err
	}
	r, err := rollups.NewProof(pool).Verify(ctx, nil, func(int, int) {})
	if err != nil {
		return err
	}
	printDifferences(e.stdout, r, "differ")
	if r.Differences > 0 {
		return errors.New("the counts in the backup are not those of its events; restore it, then nimbus rollups rebuild")
	}
	fmt.Fprintf(e.stdout, "The backup of %s by Nimbus %s is whole: %d events, every file as it was written, every count as it should be.\n",
		m.CreatedAt.Format(time.RFC3339), m.Nimbus, m.Events())
	return nil
}
