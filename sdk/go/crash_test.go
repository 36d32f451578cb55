package nimbus_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// What the program that is killed reads from its environment.
const victimURL, victimSpool = "NIMBUS_SDK_VICTIM_URL", "NIMBUS_SDK_VICTIM_SPOOL"

// beVictim tracks and says so, until it is killed.
func beVictim() {
	tracker, err := nimbus.New(nimbus.Config{URL: os.Getenv(victimURL), ProjectID: project.String(), KeyID: "nk_test", Secret: "ns_test",
		SpoolDir: os.Getenv(victimSpool), FlushEvents: 20, WhenFull: nimbus.Block})
	if err != nil {
		panic(err)
	}
	for k := 0; ; k++ {
		if err := tracker.Track(context.Background(), "e", nil, nimbus.WithIdempotencyKey(strconv.Itoa(k))); err != nil {
			panic(err)
		}
		if _, err := fmt.Println(k); err != nil {
			os.Exit(1) // the test has gone
		}
	}
}

// With a spool, Track returning nil means that the event will be stored, though the program is killed while it sends.
func TestWhatWasTrackedBeforeAKillIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, dir := scripted(t, `{"replies": [{"times": 3}, {"drop": "after"}, {"times": 5}, {"hold": true}]}`), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), self)
	victim.Env = append(os.Environ(), victimURL+"="+s.url, victimSpool+"="+dir)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan []string)
	go func() {
		var tracked []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			tracked = append(tracked, lines.Text())
		}
		said <- tracked
	}()
	s.report("waiting=1")
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tracked := <-said
	_ = victim.Wait() // it was killed

	x := s.tracker(func(c *nimbus.Config) { c.SpoolDir, c.Logger = dir, slog.New(slog.DiscardHandler) })
	x.flush()
	stored := s.report("").Stored
	if len(tracked) == 0 || len(stored) < len(tracked) || len(stored) > len(tracked)+1 { // the last may not have been said
		t.Errorf("%d tracked, %d stored", len(tracked), len(stored))
	}
	for _, key := range tracked {
		if !slices.Contains(stored, key) {
			t.Errorf("event %s is lost", key)
		}
	}
	if sent := x.Stats(); sent.Tracked == 0 || len(x.dropped()) > 0 {
		t.Errorf("nothing was left to send: %+v", sent)
	}
}
