// Command nimbus is the whole of Nimbus: the server and the commands that operate it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/bahagh/nimbus/internal/platform/config"
)

// command is one word after nimbus.
type command struct {
	name  string
	args  string // as shown in the usage
	about string
	run   func(ctx context.Context, e *env) error
	// client runs a command that is none of a server, in place of run: no setting is read for it.
	client func(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error
}

// commands is the whole table; the help is made of it.
var commands = []command{
	{name: "serve", about: "run the server", run: serve},
	{name: "demo", about: "run the server with a demo account, a project and realistic events", run: demo},
	{name: "migrate", args: "up|down [N]|status|force VERSION", about: "bring the database's schema up to date, back, or show where it is", run: migrate},
	{name: "keys", args: "rewrap", about: "encrypt project secrets anew under the current NIMBUS_SECRET_KEY", run: keys},
	{name: "accounts", args: "list|create EMAIL [operator]|disable|enable|delete EMAIL [with-projects]|reset-password|make-operator EMAIL",
		about: "make, disable and delete accounts, and links to a new password, beside the running server", run: runAccounts},
	{name: "people", args: "erase|export PROJECT_ID PERSON", about: "erase a person, or write all that is known of him, beside the running server", run: runPeople},
	{name: "rollups", args: "verify|rebuild [PROJECT_ID]", about: "compare the counts with the events while the server runs, or correct them", run: runRollups},
	{name: "parts", args: "status|verify|rebuild [PROJECT_ID]", about: "show how far the parts are, compare them with the counts while the server runs, or build anew what is wrong", run: runParts},
	{name: "mcp", about: "offer the questions of a running Nimbus to an assistant, over standard input and output", run: runMCP},
	{name: "import", args: "[FLAGS] segment|mixpanel|posthog|amplitude|csv|ndjson FILE…|URL…",
		about: "send the history that another product has exported to a running Nimbus", client: runImport},
	{name: "backup", args: "DIR", about: "write everything into a new directory, as of one moment, while the server runs", run: runBackup},
	{name: "restore", args: "DIR [without-keys]", about: "fill an empty database from a backup", run: runRestore},
	{name: "verify", args: "DIR", about: "prove a backup: its files, a restore into a scratch database, and the counts there", run: runVerify},
	{name: "doctor", about: "look at settings, database, schema, clocks, secrets, disk, Redis and the replica, and say what to do", run: doctor},
	{name: "check-config", about: "check the settings, show what is in force, and exit", run: checkConfig},
	{name: "version", about: "show the version", run: version},
}

// env is what a command gets: its settings, the words after it, and where to write.
type env struct {
	cfg    *config.Config
	args   []string
	stdout io.Writer
	log    *slog.Logger
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run returns the exit code: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(stdout)
		return 0
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		fmt.Fprintf(stderr, "nimbus: there is no command %q; see nimbus help\n", args[0])
		return 2
	}
	if client := commands[i].client; client != nil {
		return exitCode(client(ctx, args[1:], environ, stdout, stderr), stderr)
	}
	fset := flag.NewFlagSet("nimbus "+args[0], flag.ContinueOnError)
	fset.SetOutput(stderr)
	cfg, rest, err := config.Load(fset, args[1:], environ)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "nimbus: the settings are not valid:")
		for line := range strings.Lines(err.Error()) {
			fmt.Fprint(stderr, "  ", line)
		}
		fmt.Fprintln(stderr)
		return 2
	}
	if commands[i].args == "" && len(rest) > 0 {
		fmt.Fprintf(stderr, "nimbus: %s takes no words after its flags, and there is %q\n", args[0], rest[0])
		return 2
	}
	e := &env{cfg: cfg, args: rest, stdout: stdout, log: newLogger(cfg, stderr)}
	return exitCode(commands[i].run(ctx, e), stderr)
}

// exitCode says what went wrong.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "nimbus:", err)
	if wrongly := (usageError{}); errors.As(err, &wrongly) {
		return 2
	}
	return 1
}

// usageError is that of a command which was called wrongly and has done nothing.
type usageError struct{ error }

func usage(w io.Writer) {
	fmt.Fprint(w, "Nimbus: self-hosted product analytics.\n\nUsage: nimbus COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-13s %s\n", c.name, c.about)
		if c.args != "" {
			fmt.Fprintf(w, "  %-13s   nimbus %s %s\n", "", c.name, c.args)
		}
	}
	fmt.Fprint(w, "\nEvery setting is a flag, a variable NIMBUS_* and a line of .env: see nimbus serve -h.\n")
}

// newLogger writes JSON for machines, or text for people.
func newLogger(c *config.Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.JSONLog() {
		return slog.New(slog.NewJSONHandler(w, o)).With("app", c.AppName)
	}
	return slog.New(slog.NewTextHandler(w, o))
}
