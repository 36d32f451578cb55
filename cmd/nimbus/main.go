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
}

// commands is the whole table; the help is made of it.
var commands = []command{
	{"serve", "", "run the server", serve},
	{"demo", "", "run the server with a demo account, a project and realistic events", demo},
	{"migrate", "up|down [N]|status|force VERSION", "bring the database's schema up to date, back, or show where it is", migrate},
	{"keys", "rewrap", "encrypt project secrets anew under the current NIMBUS_SECRET_KEY", keys},
	{"accounts", "list|create EMAIL [operator]|disable|enable|delete EMAIL [with-projects]|reset-password|make-operator EMAIL",
		"make, disable and delete accounts, and links to a new password, beside the running server", runAccounts},
	{"people", "erase|export PROJECT_ID PERSON", "erase a person, or write all that is known of him, beside the running server", runPeople},
	{"rollups", "verify|rebuild [PROJECT_ID]", "compare the counts with the events while the server runs, or correct them", runRollups},
	{"parts", "status|verify|rebuild [PROJECT_ID]", "show how far the parts are, compare them with the counts while the server runs, or build anew what is wrong", runParts},
	{"mcp", "", "offer the questions of a running Nimbus to an assistant, over standard input and output", runMCP},
	{"backup", "DIR", "write everything into a new directory, as of one moment, while the server runs", runBackup},
	{"restore", "DIR [without-keys]", "fill an empty database from a backup", runRestore},
	{"verify", "DIR", "prove a backup: its files, a restore into a scratch database, and the counts there", runVerify},
	{"doctor", "", "look at settings, database, schema, clocks, secrets, disk, Redis and the replica, and say what to do", doctor},
	{"check-config", "", "check the settings, show what is in force, and exit", checkConfig},
	{"version", "", "show the version", version},
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
	if err := commands[i].run(ctx, e); err != nil {
		fmt.Fprintln(stderr, "nimbus:", err)
		if wrongly := (usageError{}); errors.As(err, &wrongly) {
			return 2
		}
		return 1
	}
	return 0
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
