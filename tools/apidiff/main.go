// Command apidiff fails when a change of the contract would break a client that was written for the old one, unless the
// version says so.
//
//	go run ./apidiff -redocly ../node_modules/.bin/redocly -config ../.redocly.yaml old.yaml new.yaml
//
// Redocly compares the two documents and knows, for each kind of change, in which direction it breaks: a lower
// maximum breaks requests, a removed property breaks replies. This program adds two rules that Redocly cannot know:
// the meaning of our own extensions, and that only a new major version may break (a new minor one while the major
// version is 0).
//
// It exits with 0 when nothing breaks or the version allows it, 1 when something breaks, and 2 when the comparison
// failed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/mod/semver"
)

const (
	exitBreaks = 1
	exitFailed = 2
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("apidiff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	redocly := flags.String("redocly", "redocly", "the Redocly `program`")
	config := flags.String("config", ".redocly.yaml", "its configuration `file`")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stderr, "usage: apidiff [flags] old.yaml new.yaml")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return exitFailed
	}
	if flags.NArg() != 2 {
		flags.Usage()
		return exitFailed
	}
	found, err := compare(ctx, *redocly, *config, flags.Arg(0), flags.Arg(1))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "apidiff:", err)
		return exitFailed
	}
	breaks := found.breaks()
	for _, b := range breaks {
		_, _ = fmt.Fprintln(stdout, b)
	}
	from, to := found.InfoVersions.Base, found.InfoVersions.Revision
	switch {
	case len(breaks) == 0:
		_, _ = fmt.Fprintf(stdout, "%d changes since %s, none of which breaks a client\n", len(found.Changes), from)
	case mayBreak(from, to):
		_, _ = fmt.Fprintf(stdout, "%d breaking changes, which the step from %s to %s allows\n", len(breaks), from, to)
	default:
		_, _ = fmt.Fprintf(stdout, "%d breaking changes: keep to what clients were promised, or raise info.version to %s\n", len(breaks), nextBreaking(from))
		return exitBreaks
	}
	return 0
}

// compare runs Redocly and returns its report.
func compare(ctx context.Context, redocly, config, base, revision string) (report, error) {
	cmd := exec.CommandContext(ctx, redocly, "diff", "--config", config, "--format", "json", "--fail-on", "none", base, revision)
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return report{}, fmt.Errorf("redocly diff: %w\n%s", err, stderr.String())
	}
	var found report
	if err := json.Unmarshal(out, &found); err != nil {
		return report{}, fmt.Errorf("read the report of redocly diff: %w", err)
	}
	// An empty report, or one with another format, must not count as "nothing has changed".
	if found.ReportVersion != "1" {
		return report{}, fmt.Errorf("redocly diff wrote a report of version %q, want 1", found.ReportVersion)
	}
	for _, v := range []string{found.InfoVersions.Base, found.InfoVersions.Revision} {
		if !semver.IsValid("v" + v) {
			return report{}, fmt.Errorf("info.version %q: %w", v, errNotSemver)
		}
	}
	if strings.Contains(stderr.String(), "No diff rules are on") {
		return report{}, fmt.Errorf("%s: %w", config, errNoRules)
	}
	return found, nil
}

var (
	errNotSemver = errors.New("not of the form 1.2.3")
	errNoRules   = errors.New("no diff rules are on, so that nothing would count as breaking: it must extend diff-recommended")
)

// mayBreak reports whether the step between two versions announces breaking changes.
func mayBreak(from, to string) bool {
	if from, to := semver.Major("v"+from), semver.Major("v"+to); from != to || from != "v0" {
		return semver.Compare(from, to) < 0
	}
	return semver.Compare(semver.MajorMinor("v"+from), semver.MajorMinor("v"+to)) < 0
}

// nextBreaking is the lowest version that may break clients of the given one.
func nextBreaking(version string) string {
	var major, minor int
	_, _ = fmt.Sscanf(version, "%d.%d", &major, &minor) // valid: compare has checked it
	if major == 0 {
		return fmt.Sprintf("0.%d.0", minor+1)
	}
	return fmt.Sprintf("%d.0.0", major+1)
}
