package replica

import (
	"testing"
	"time"
)

func TestLagIsTimeSinceThePrimaryHadWhatTheStandbyLacks(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	var h history
	for _, step := range []struct {
		second            int
		written, replayed int64
		seconds           int
		bytes             int64
		unknown           bool
		what              string
	}{
		{0, 1000, 900, 0, 100, true, "after the start nobody knows since when the standby lacks the 100 bytes"},
		{1, 1100, 1000, 0, 100, false, "it has what was there a second ago"},
		{2, 1200, 1100, 0, 100, false, "as fast as the primary"},
		{3, 1300, 1100, 1, 200, false, "it stands"},
		{30, 1300, 1100, 28, 200, false, "it still stands; the primary has no traffic"},
		{31, 1300, 1300, 0, 0, false, "it has everything"},
		{3600, 1300, 1300, 0, 0, false, "an hour without traffic is not lag"},
		{3601, 1400, 1300, 0, 100, false, "and the first write after it is young"},
		{3602, 1400, 1400, 0, 0, false, "replayed"},
		{3603, 700, 690, 0, 10, true, "another primary took over: positions begin anew"},
		{3604, 800, 750, 0, 50, false, "and are known again"},
		{3605, 800, 800, 0, 0, false, "replayed"},
		{7200, 800, 300, 0, 500, true, "an older copy stands in its place: it may lack what is an hour old"},
		{7201, 900, 700, 1, 200, true, "it replays"},
		{7202, 900, 850, 1, 50, false, "it has what was there when it came"},
	} {
		h.add(at(step.second), step.written)
		got := h.behind(at(step.second), step.replayed)
		want := lag{bytes: step.bytes, time: time.Duration(step.seconds) * time.Second, known: !step.unknown}
		if got != want {
			t.Fatalf("second %d, %s: %+v, want %+v", step.second, step.what, got, want)
		}
	}
}

func TestWhatAStandbyThatStandsStillCostsIsBounded(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h history
	h.add(start, 1)
	_ = h.behind(start, 1)
	const seconds = 10 * maxSamples
	for s := 1; s <= seconds; s++ {
		h.add(start.Add(time.Duration(s)*time.Second), int64(s+1))
	}
	now := start.Add(seconds * time.Second)
	if got := h.behind(now, 1); got.time != (seconds-1)*time.Second || len(h.unseen) > maxSamples {
		t.Errorf("%s behind with %d samples, want %d s with at most %d", got.time, len(h.unseen), seconds-1, maxSamples)
	}
	// Half of it is replayed: samples are further apart now, but not by much.
	if got := h.behind(now, seconds/2).time.Seconds(); got > seconds/2 || got < seconds/2*0.99 {
		t.Errorf("%.0f s behind, want about %d", got, seconds/2)
	}
}
