package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/platform/memory"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// buildVersion is set by the Makefile; a build without it takes the module's version.
var buildVersion string

func serve(ctx context.Context, e *env) error {
	if os.Getenv("GOGC") == "" {
		// The live heap is a few megabytes: collecting each time it has doubled costs more than the memory it saves.
		debug.SetGCPercent(400)
	}
	limit := memory.Apply(e.cfg.Embedded())
	if limit > 0 {
		e.log.Info("memory is limited; what callers may make the process hold is fitted to it", "limit_mib", limit>>20)
	}
	a, err := app.New(ctx, e.cfg, time.Now, e.log, app.WithMemory(limit))
	if err != nil {
		return err
	}
	return a.Run(ctx, func(addr string) {
		e.log.Info("ready", "url", "http://"+addr, "docs", "http://"+addr+"/docs", "version", versionString())
	})
}

func version(_ context.Context, e *env) error {
	script := httpapi.Tracker()
	_, err := fmt.Fprintf(e.stdout, "nimbus %s %s %s/%s\nsdk.js %s %s\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		script.Path, script.Integrity)
	return err
}

func versionString() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

func checkConfig(_ context.Context, e *env) error {
	settings := e.cfg.Redacted()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if _, err := fmt.Fprintf(e.stdout, "%s=%s\n", name, settings[name]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(e.stdout, "The settings are valid.")
	return err
}

func migrate(ctx context.Context, e *env) error {
	verb, n, err := migration(e.args)
	if err != nil {
		return usageError{err} // before a database is started for it
	}
	open := app.AttachDatabase
	if verb == "up" {
		open = app.AttachOrMakeDatabase
	}
	d, err := open(ctx, e.cfg, e.log)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	switch verb {
	case "up":
		err = db.Migrate(ctx, d.Pool, e.log)
	case "down":
		err = db.Down(ctx, d.Pool, n)
	case "force":
		err = db.Force(ctx, d.Pool, uint(n))
	}
	if err != nil {
		return err
	}
	s, err := db.ReadStatus(ctx, d.Pool)
	if err != nil {
		return err
	}
	state := ""
	switch {
	case s.Unfinished != "":
		state = ", and " + s.Unfinished + " is unfinished"
	case s.Newer:
		state = fmt.Sprintf("; programs that know version %d may use it", s.CompatibleFrom)
	}
	_, err = fmt.Fprintf(e.stdout, "schema version %d, this binary has %d%s\n", s.Current, s.Latest, state)
	return err
}

// migration reads the words after migrate: what to do, and the number that goes with it.
func migration(args []string) (verb string, n int, err error) {
	if len(args) == 0 {
		return "up", 0, nil
	}
	verb, args = args[0], args[1:]
	switch {
	case verb != "up" && verb != "down" && verb != "status" && verb != "force":
		return "", 0, fmt.Errorf("migrate takes up, down, status or force, not %q", verb)
	case verb == "force" && len(args) == 0:
		return "", 0, errors.New("migrate force needs the version to set")
	case len(args) > 1 || len(args) == 1 && (verb == "up" || verb == "status"):
		return "", 0, fmt.Errorf("migrate %s does not take %q", verb, args[len(args)-1])
	case len(args) == 0:
		return verb, 1, nil // one step down
	}
	if n, err = strconv.Atoi(args[0]); err != nil || n < 0 {
		return "", 0, fmt.Errorf("migrate %s: %q is not a number", verb, args[0])
	}
	return verb, n, nil
}

func keys(ctx context.Context, e *env) error {
	if len(e.args) != 1 || e.args[0] != "rewrap" {
		return usageError{errors.New("keys takes one word: rewrap")}
	}
	d, err := app.AttachDatabase(ctx, e.cfg, e.log)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	ring, err := e.ring(e.cfg.LoadSecretKey)
	if err != nil {
		return err
	}
	n, err := projects.NewKeys(d.Pool, ring, time.Now).Rewrap(ctx, func(done int) { e.log.Info("rewrapping", "done", done) })
	fmt.Fprintf(e.stdout, "%d secrets are now under the current key.\n", n)
	return err
}

// database is the server's, for a command that needs its schema to be one that this binary may use. The caller closes it.
func (e *env) database(ctx context.Context) (*app.Database, error) {
	d, err := app.AttachDatabase(ctx, e.cfg, e.log)
	if err != nil {
		return nil, err
	}
	if err := db.Check(ctx, d.Pool); err != nil {
		d.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return d, nil
}

// ring holds the keys under which the secrets in the database are encrypted. Where they are generated, the database must be
// open already: its lock is that of the data directory too.
func (e *env) ring(load func() error) (*secretbox.Ring, error) {
	if err := load(); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: set NIMBUS_SECRET_KEY or NIMBUS_DATA_DIR to what the server has", err)
	} else if err != nil {
		return nil, err
	}
	return secretbox.New(e.cfg.SecretKey, e.cfg.SecretKeyPrevious...)
}
