package nimbus_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// abandoned leaves a spool with these events behind, none of which was delivered.
func abandoned(t *testing.T, dir string, names ...string) {
	t.Helper()
	x, err := nimbus.New(nimbus.Config{URL: "http://127.0.0.1:1", ProjectID: project.String(), Secret: "s", SpoolDir: dir, SpoolSync: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := x.Track(t.Context(), name, map[string]any{"text": strings.Repeat("x", 100)}, nimbus.WithTS(clock())); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var left *nimbus.UndeliveredError
	if err := x.Close(ctx); !errors.As(err, &left) || left.Count != len(names) || !left.Spooled {
		t.Fatalf("close: %v", err)
	}
	if s := x.Stats(); s.Waiting != uint64(len(names)) || s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, project.String(), "*.events"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// planted is a spool with this segment.
func planted(t *testing.T, segment []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, project.String()), 0o700),
		os.WriteFile(filepath.Join(dir, project.String(), "0000000000000000.events"), segment, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// resumed is what a new tracker on the directory sends.
func resumed(t *testing.T, dir string) []string {
	t.Helper()
	x, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir, c.Logger = dir, slog.New(slog.DiscardHandler) })
	var names []string
	for _, e := range sent.Events(t) {
		names = append(names, e.Name)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := segments(t, dir); len(left) != 0 {
		t.Errorf("delivered, and still there: %v", left)
	}
	return names
}

func TestASpoolIsSentByTheNextTracker(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	abandoned(t, dir, "a", "b")
	if got := resumed(t, dir); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("sent %v", got)
	}
	if got := resumed(t, dir); len(got) != 0 {
		t.Errorf("sent again %v", got)
	}
}

// A crash tears the last record at any byte: every whole record before it is sent, and nothing else.
func TestATornSpoolGivesItsWholeRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	abandoned(t, dir, "a", "b", "c")
	whole, err := os.ReadFile(segments(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	record := (len(whole) - len("nimbus1\n")) / 3
	for cut := 0; cut < len(whole); cut += 7 {
		want := max(0, cut-len("nimbus1\n")) / record
		if got := resumed(t, planted(t, whole[:cut])); len(got) != want {
			t.Errorf("cut at %d of %d: sent %v, want %d", cut, len(whole), got, want)
		}
	}
	// And a byte that flips, as on a bad disk, ends the segment there.
	for at := range whole {
		if at%11 != 0 {
			continue
		}
		bad := slices.Clone(whole)
		bad[at] ^= 0x20
		want := max(0, at-len("nimbus1\n")) / record
		if got := resumed(t, planted(t, bad)); len(got) != want {
			t.Errorf("byte %d flipped: sent %v, want %d", at, got, want)
		}
	}
}

// Segments do not say whose their events are: where they lie does.
func TestASpoolKeepsTheEventsOfProjectsApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	abandoned(t, dir, "a", "b")
	other, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir, c.ProjectID = dir, "22222222-2222-4222-8222-222222222222" })
	if events := sent.Events(t); len(events) != 0 || other.Stats().Tracked != 0 {
		t.Errorf("sent %+v", events)
	}
	if got := resumed(t, dir); !slices.Equal(got, []string{"a", "b"}) { // though the other has the same directory
		t.Errorf("sent %v", got)
	}
}

func TestASpoolHasOneTracker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir = dir })
	_, err := nimbus.New(nimbus.Config{URL: "http://h", ProjectID: project.String(), Secret: "s", SpoolDir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
}

// What is delivered leaves the disk, so that a spool has the size of what waits.
func TestASpoolIsBoundedByWhatWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir = dir })
	most := 0
	for range 10 {
		for range 50 {
			if err := x.Track(t.Context(), "e", map[string]any{"text": strings.Repeat("x", 2000)}); err != nil {
				t.Fatal(err)
			}
		}
		most = max(most, len(segments(t, dir)))
		sent.Events(t)
	}
	if left := segments(t, dir); len(left) != 0 || most > 2 {
		t.Errorf("%d segments of 1 MB that were delivered, at most %d at once", len(left), most)
	}
}

func TestAnEventThatCannotBeSpooledIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir = dir })
	if err := os.RemoveAll(dir); err != nil { // a disk that went away
		t.Fatal(err)
	}
	if err := x.Track(t.Context(), "e", nil); err == nil || !strings.Contains(err.Error(), "spool") {
		t.Errorf("error %v", err)
	}
	if s := x.Stats(); s.Refused != 1 || s.Tracked != 0 {
		t.Errorf("stats %+v", s)
	}
}

// The file was written before there were operations: an upgrade must not lose what waited.
func TestASpoolOfAnEarlierVersionIsSent(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile("testdata/spool-of-events.events")
	if err != nil {
		t.Fatal(err)
	}
	dir := planted(t, old)
	x, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir = dir })
	events := sent.Events(t)
	if len(events) != 2 || events[0].Name != "signed_up" || events[1].IdempotencyKey != "k-paid" || string(events[1].Props) != `{"plan":"pro"}` {
		t.Errorf("events %+v", events)
	}
	if s := x.Stats(); s.Delivered != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestOperationsAreSpooledAmongEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left, err := nimbus.New(nimbus.Config{URL: "http://127.0.0.1:1", ProjectID: project.String(), Secret: "s", SpoolDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	must(t, left.Track(t.Context(), "a", nil), left.SetPeople(t.Context(), map[string]any{"plan": "pro"}, nimbus.WithUserID("ada")),
		left.Track(t.Context(), "b", nil), left.DeletePerson(t.Context(), nimbus.WithUserID("bob")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var undelivered *nimbus.UndeliveredError
	if err := left.Close(ctx); !errors.As(err, &undelivered) || undelivered.Count != 4 {
		t.Fatal(err)
	}
	_, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.SpoolDir = dir })
	equal(t, briefs(sent.Operations(t)), []string{`set ada {"plan":"pro"}`, "delete bob"})
	if events := sent.Events(t); len(events) != 2 || events[0].Name != "a" || events[1].Name != "b" {
		t.Errorf("events %+v", events)
	}
	if n := len(segments(t, dir)); n != 0 {
		t.Errorf("%d segments are left", n)
	}
}
