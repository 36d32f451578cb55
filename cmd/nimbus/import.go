package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bahagh/nimbus/internal/events/imports"
)

// runImport sends history to a Nimbus. It is a client: it knows the variables of the SDKs and no setting of a server.
func runImport(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	line := &progressLine{out: stderr, live: isTerminal(stderr)}
	o, sources, err := importOptions(args, environ, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return usageError{err}
	}
	o.Logger = slog.New(slog.NewTextHandler(line, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Progress = line.show
	im, err := imports.New(*o)
	if err != nil {
		return usageError{err}
	}
	for _, from := range sources {
		report, importErr := im.Import(ctx, from)
		line.end()
		printImport(stdout, from, &report)
		if importErr != nil {
			err = fmt.Errorf("%s: %w; what is counted above is stored, and the same command goes on behind it", from, importErr)
			break
		}
	}
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if err != nil {
		cancel() // nothing is waited for
	}
	defer cancel()
	closed := im.Close(closing)
	if err == nil {
		return closed
	}
	return err
}

// importOptions reads the words and flags, in any order.
func importOptions(args, environ []string, out io.Writer) (*imports.Options, []string, error) {
	env := make(map[string]string)
	for _, kv := range environ {
		if name, v, ok := strings.Cut(kv, "="); ok {
			env[name] = v
		}
	}
	o := &imports.Options{Columns: make(map[string]string)}
	f := flag.NewFlagSet("nimbus import", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.URL, "url", cmp.Or(env["NIMBUS_URL"], "http://127.0.0.1:8080"), "of the Nimbus that the events go to (NIMBUS_URL)")
	f.StringVar(&o.ProjectID, "project", env["NIMBUS_PROJECT_ID"], "id of the project (NIMBUS_PROJECT_ID)")
	f.StringVar(&o.KeyID, "key-id", env["NIMBUS_KEY_ID"], "id of an API key, nk_…: requests are signed with its secret (NIMBUS_KEY_ID)")
	f.StringVar(&o.StateDir, "state", "", "`directory` of the state files; they are beside the files, or in the working directory for URLs")
	f.BoolVar(&o.Again, "again", false, "begin at the beginning, whatever the state file says; nothing is stored twice")
	f.StringVar(&o.Refused, "refused", "", "`file` that gets the lines which are not understood")
	f.IntVar(&o.Requests, "requests", 0, "requests under way at once (default 4)")
	f.Func("column", "of csv: `FIELD=COLUMN`, FIELD being "+strings.Join(imports.Fields, ", ")+"; FIELD==TEXT is the same in all rows", func(s string) error {
		field, column, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("it is FIELD=COLUMN")
		}
		o.Columns[field] = column
		return nil
	})
	f.Func("delimiter", "of csv: the `character` between columns (default a comma; tab for a tabulator)", func(s string) error {
		r, size := utf8.DecodeRuneInString(strings.Replace(s, "tab", "\t", 1))
		o.Delimiter = r
		if size == 0 || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError {
			return errors.New("it is one character")
		}
		return nil
	})
	f.Func("zone", "`name` of the zone of times that say none, such as Europe/Berlin (default UTC)", func(s string) (err error) {
		o.Zone, err = time.LoadLocation(s)
		return err
	})
	f.Usage = func() {
		fmt.Fprintf(out, "Usage: nimbus import [FLAGS] %s FILE…|URL…\n\n"+
			"The key is NIMBUS_SECRET (an API secret, ns_…) or NIMBUS_WRITE_KEY (nw_…).\n\n", strings.Join(imports.Formats, "|"))
		f.PrintDefaults()
	}
	var words []string
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return nil, nil, err
		}
		if args = f.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	o.Secret, o.WriteKey = env["NIMBUS_SECRET"], env["NIMBUS_WRITE_KEY"]
	switch {
	case len(words) == 0:
		return nil, nil, errors.New("import needs a format: " + alternatives(imports.Formats))
	case len(words) == 1:
		return nil, nil, errors.New("import needs files or URLs behind the format")
	case o.Secret == "" && o.WriteKey == "":
		return nil, nil, errors.New("import needs a key: set NIMBUS_SECRET or NIMBUS_WRITE_KEY")
	case o.Secret != "":
		o.WriteKey = ""
	default:
		o.KeyID = ""
	}
	o.Format = words[0]
	return o, words[1:], nil
}

// printImport says what became of a source.
func printImport(w io.Writer, from string, r *imports.Report) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d lines, %d events and %d operations on profiles", from, r.Records, r.Events, r.Operations)
	if r.Duplicates > 0 {
		fmt.Fprintf(&b, " (of this run %d were there already)", r.Duplicates)
	}
	fmt.Fprintf(&b, "; %d lines were not understood.\n", r.RefusedRecords())
	for _, name := range r.Reasons() {
		why := r.Refused[name]
		fmt.Fprintf(&b, "  %-22s %9d  first %s:%d  %s\n", name, why.Count, why.Part, why.Line, why.Detail)
	}
	_, _ = io.WriteString(w, b.String())
}

// progressLine is the last line of a terminal, written again and again; the log goes above it.
type progressLine struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	shown time.Time
	width int
}

// progressRefresh is how often the line is written.
const progressRefresh = 200 * time.Millisecond

func (p *progressLine) show(at imports.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live || time.Since(p.shown) < progressRefresh {
		return
	}
	p.shown = time.Now()
	text := fmt.Sprintf("%s  %d lines  %.0f/s", at.Source, at.Records, float64(at.Run)/at.Took.Seconds())
	if at.Size > 0 {
		share := min(1, float64(at.Read)/float64(at.Size))
		text += fmt.Sprintf("  %3.0f%%", share*100)
		if share > 0 {
			text += "  " + time.Duration(float64(at.Took)*(1-share)/share).Round(time.Second).String() + " left"
		}
	}
	n := utf8.RuneCountInString(text)
	fmt.Fprint(p.out, "\r", text, strings.Repeat(" ", max(0, p.width-n)))
	p.width = n
}

// Write writes what comes above the line.
func (p *progressLine) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	return p.out.Write(b)
}

func (p *progressLine) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.shown = time.Time{}
}

func (p *progressLine) clear() {
	if p.width > 0 {
		fmt.Fprint(p.out, "\r", strings.Repeat(" ", p.width), "\r")
		p.width = 0
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
