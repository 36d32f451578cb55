package nimbus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// arrivals notes when each request comes, by the clock of the test's bubble.
type arrivals struct {
	nimbustest.Recorder
	at []time.Time
}

func (a *arrivals) RoundTrip(req *http.Request) (*http.Response, error) {
	a.at = append(a.at, time.Now())
	return a.Recorder.RoundTrip(req)
}

// slow sends to a recorder with a clock of its own.
func slow(t *testing.T, change ...func(*nimbus.Config)) (*nimbus.Tracker, *arrivals) {
	t.Helper()
	a := &arrivals{}
	x, _ := nimbustest.Tracker(t, append(change, func(c *nimbus.Config) { c.HTTPClient = &http.Client{Transport: a} })...)
	return x, a
}

// An outage of hours loses nothing: the pauses grow to their bound and stay there, and no two programs pause alike.
func TestAnOutageIsSatOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const failures = 400
		x, a := slow(t, func(c *nimbus.Config) { c.MinBackoff, c.MaxBackoff = time.Second, time.Minute })
		for range failures {
			a.Fail(503)
		}
		if err := x.Track(t.Context(), "e", nil); err != nil {
			t.Fatal(err)
		}
		if err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := x.Stats(); s.Delivered != 1 || s.Retries != failures {
			t.Errorf("stats %+v", s)
		}
		bound, different := time.Second, map[time.Duration]bool{}
		for k := 1; k < len(a.at); k++ {
			pause := a.at[k].Sub(a.at[k-1])
			if pause > bound {
				t.Errorf("pause %d of %s, at most %s", k, pause, bound)
			}
			different[pause] = true
			bound = min(2*bound, time.Minute)
		}
		if total := a.at[failures].Sub(a.at[0]); total < time.Hour || len(different) < failures/2 {
			t.Errorf("%d attempts in %s, %d different pauses", failures, total, len(different))
		}
	})
}

func TestAnEventWaitsNoLongerThanItsInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, a := slow(t, func(c *nimbus.Config) { c.FlushInterval = 10 * time.Second })
		begun := time.Now()
		for range 3 { // the first decides, whatever comes after it
			if err := x.Track(t.Context(), "e", nil); err != nil {
				t.Fatal(err)
			}
			wait(t, 4*time.Second)
		}
		synctest.Wait()
		if len(a.at) != 1 || a.at[0].Sub(begun) != 10*time.Second {
			t.Errorf("sent at %v, begun at %v", a.at, begun)
		}
	})
}

// However small the queue is, it is sent before an event has no room, and not only when the interval ends.
func TestAFullQueueWaitsForNothing(t *testing.T) {
	t.Parallel()
	for name, small := range map[string]func(*nimbus.Config){
		"events": func(c *nimbus.Config) { c.QueueEvents = 10 },
		"bytes":  func(c *nimbus.Config) { c.QueueBytes = 64 << 10 },
	} {
		for _, policy := range []nimbus.FullPolicy{nimbus.Refuse, nimbus.DropOldest, nimbus.Block} {
			t.Run(fmt.Sprint(name, policy), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					x, _ := slow(t, small, func(c *nimbus.Config) { c.WhenFull, c.FlushInterval = policy, time.Hour })
					begun := time.Now()
					for k := range 100 {
						if err := x.Track(t.Context(), "e", map[string]any{"text": strings.Repeat("x", 32_000*k/100)}); err != nil {
							t.Fatalf("event %d: %v", k, err)
						}
						synctest.Wait() // the sender has done what it wants to
					}
					if s := x.Stats(); s.Dropped != 0 || s.Delivered == 0 || time.Since(begun) != 0 {
						t.Errorf("after %s: %+v", time.Since(begun), s)
					}
				})
			})
		}
	}
}

// A list of names may be larger than the smallest queue: no room can be made for it.
func TestWhatIsLargerThanTheQueueIsRefusedUnderEveryPolicy(t *testing.T) {
	t.Parallel()
	names := slices.Repeat([]string{strings.Repeat("🎉", 200)}, 100)
	for _, policy := range []nimbus.FullPolicy{nimbus.Refuse, nimbus.DropOldest, nimbus.Block} {
		x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) { c.QueueBytes, c.WhenFull = 64<<10, policy })
		if err := x.UnsetPeople(t.Context(), names, nimbus.WithUserID("u")); !errors.Is(err, nimbus.ErrQueueFull) {
			t.Errorf("policy %d: error %v", policy, err)
		}
	}
}

// What is learned from a 413 makes batches smaller, and never larger than the queue allows.
func TestABatchThatWasTooLargeMakesNoneLarger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, a := slow(t, func(c *nimbus.Config) { c.QueueBytes, c.FlushInterval = 64<<10, time.Hour })
		a.Fail(413)
		for _, size := range []int{1, 10_000} {
			for range 3 {
				if err := x.Track(t.Context(), "e", map[string]any{"text": strings.Repeat("x", size)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := x.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if requests, s := len(a.at), x.Stats(); requests != 3+2 || s.Delivered != 6 { // one and its halves; two events and one
			t.Errorf("%d requests, %+v", requests, s)
		}
	})
}

// wait moves the clock of the bubble.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestAnAttemptThatHangsIsBrokenOffAndRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorder, attempts := &nimbustest.Recorder{}, 0
		x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) {
			c.RequestTimeout = time.Minute
			c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if attempts++; attempts == 1 {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return recorder.RoundTrip(r)
			})}
		})
		begun := time.Now()
		if err := x.Track(t.Context(), "e", nil); err != nil {
			t.Fatal(err)
		}
		if err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < time.Minute || took > 61*time.Second || len(recorder.Events(t)) != 1 {
			t.Errorf("took %s, %d events", took, len(recorder.Events(t)))
		}
	})
}

func TestCloseWaitsForAServerOnlyAsLongAsItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, a := slow(t)
		for range 1000 {
			a.Fail(503)
		}
		if err := x.Track(t.Context(), "e", nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		var left *nimbus.UndeliveredError
		if err := x.Close(ctx); !errors.As(err, &left) || left.Count != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// hanging never answers: an event it gets waits until its request is broken off.
func hanging(c *nimbus.Config) {
	c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
}

// A second caller of Close may rely on the same as the first: everything is reported, and the spool is free.
func TestASecondCloseWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reported := make(chan struct{})
		x, _ := nimbustest.Tracker(t, hanging, func(c *nimbus.Config) { c.OnDrop = func(nimbus.Event, error) { <-reported } })
		if err := x.Track(t.Context(), "e", nil); err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		closed := make(chan error)
		for range 2 {
			go func() { closed <- x.Close(over) }()
			synctest.Wait()
		}
		select {
		case err := <-closed:
			t.Errorf("it returned %v before the event was reported", err)
		default:
		}
		close(reported)
		if err := errors.Join(<-closed, <-closed); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// An answer that comes while Close gives up counts: the error of Close names exactly the events that were reported.
func TestAnEventDeliveredWhileCloseGivesUpIsNotCalledUndelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var recorder nimbustest.Recorder
		x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) {
			c.OnDrop = func(e nimbus.Event, why error) { t.Errorf("%s was dropped: %v", e.Name, why) }
			c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done() // Close has given up, and the answer is there all the same
				return recorder.RoundTrip(r)
			})}
		})
		if err := x.Track(t.Context(), "e", nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.Close(ctx); err != nil {
			t.Errorf("error %v", err)
		}
		if s := x.Stats(); s.Delivered != 1 || s.Dropped != 0 || s.Waiting != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A batch that is being sent in halves when Close gives up is reported whole: no event is passed over for another.
func TestHalvesThatAreBrokenOffAreAllReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var recorder nimbustest.Recorder
		recorder.Fail(413)
		requests, dropped := 0, ""
		x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) {
			c.FlushInterval = time.Hour
			c.OnDrop = func(e nimbus.Event, _ error) { dropped += e.Name }
			c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if requests++; requests == 2 {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return recorder.RoundTrip(r) // though the context has ended, as a transport may
			})}
		})
		for _, name := range []string{"a", "b"} {
			if err := x.Track(t.Context(), name, nil); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var left *nimbus.UndeliveredError
		if err := x.Close(ctx); !errors.As(err, &left) || left.Count != 2 || dropped != "ab" {
			t.Errorf("%v; dropped %q", err, dropped)
		}
	})
}

// A call of Track that makes room has reported what it dropped before Close returns.
func TestCloseWaitsForWhatTrackReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reported := make(chan struct{})
		x, _ := nimbustest.Tracker(t, hanging, func(c *nimbus.Config) {
			c.QueueEvents, c.FlushEvents, c.WhenFull = 1, 1, nimbus.DropOldest
			c.OnDrop = func(_ nimbus.Event, why error) {
				if errors.Is(why, nimbus.ErrQueueFull) {
					<-reported
				}
			}
		})
		for range 2 { // one in flight, one in the queue
			if err := x.Track(t.Context(), "e", nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		tracked, closed := make(chan error, 1), make(chan error, 1)
		go func() { tracked <- x.Track(t.Context(), "e", nil) }()
		synctest.Wait()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		go func() { closed <- x.Close(over) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Errorf("it returned %v before the event was reported", err)
			closed <- err
		default:
		}
		close(reported)
		var left *nimbus.UndeliveredError
		if err := <-closed; !errors.As(err, &left) || left.Count != 2 {
			t.Errorf("error %v", err)
		}
		if err := <-tracked; err != nil {
			t.Error(err)
		}
	})
}

// A zero time is one that the caller forgot to set. Taken for now, it would be stored wrongly, and twice if it is
// tracked twice.
func TestAZeroTimeIsRefused(t *testing.T) {
	t.Parallel()
	x, sent := nimbustest.Tracker(t)
	var refused *nimbus.RejectedError
	if err := x.Track(t.Context(), "e", nil, nimbus.WithTS(time.Time{})); !errors.As(err, &refused) || refused.Fields[0].Pointer != "/ts" {
		t.Errorf("error %v", err)
	}
	if err := x.Enqueue(t.Context(), nimbus.Event{Name: "e"}); err != nil { // which has no other way to leave it out
		t.Error(err)
	}
	if events := sent.Events(t); len(events) != 1 || time.Since(events[0].TS) > time.Minute {
		t.Errorf("events %+v", events)
	}
}

// The recorder is what users test with, so it has to fail as the real thing does.
func TestTheRecorderStoresEachEventOnceAndFailsAsTold(t *testing.T) {
	t.Parallel()
	x, sent := nimbustest.Tracker(t, func(c *nimbus.Config) { c.MinBackoff = time.Millisecond })
	sent.Fail(503, 0)
	for _, key := range []string{"1", "2", "1"} {
		if err := x.Track(t.Context(), "e", nil, nimbus.WithTS(clock()), nimbus.WithIdempotencyKey(key)); err != nil {
			t.Fatal(err)
		}
	}
	if events := sent.Events(t); len(events) != 2 || sent.Requests() != 3 {
		t.Errorf("%d events in %d requests", len(events), sent.Requests())
	}
	if s := x.Stats(); s.Delivered != 3 || s.Duplicates != 1 {
		t.Errorf("stats %+v", s)
	}
	sent.Fail(400)
	if err := x.Track(t.Context(), "lost", nil); err != nil {
		t.Fatal(err)
	}
	if events := sent.Events(t); len(events) != 2 || x.Stats().Dropped != 1 {
		t.Errorf("%d events, %+v", len(events), x.Stats())
	}
}

// A test that passes with the recorder must not find two events to be one with the server, nor one to be two.
func TestTheRecorderKnowsAnEventAsTheServerDoes(t *testing.T) {
	t.Parallel()
	first := nimbus.Event{Name: "e", TS: clock(), UserID: "u", IdempotencyKey: "k"}
	for name, c := range map[string]struct {
		change func(*nimbus.Event)
		same   bool
	}{
		"nothing":                    {func(*nimbus.Event) {}, true},
		"less than a microsecond":    {func(e *nimbus.Event) { e.TS = e.TS.Add(time.Nanosecond) }, true},
		"zone":                       {func(e *nimbus.Event) { e.TS = e.TS.In(time.FixedZone("", 3600)) }, true},
		"props":                      {func(e *nimbus.Event) { e.Props = []byte(`{"a":1}`) }, true},
		"anonymous_id with a person": {func(e *nimbus.Event) { e.AnonymousID = "a" }, true},
		"ts":                         {func(e *nimbus.Event) { e.TS = e.TS.Add(time.Microsecond) }, false},
		"name":                       {func(e *nimbus.Event) { e.Name = "other" }, false},
		"user_id":                    {func(e *nimbus.Event) { e.UserID = "other" }, false},
		"kind of id":                 {func(e *nimbus.Event) { e.UserID, e.AnonymousID = "", "u" }, false},
		"idempotency_key":            {func(e *nimbus.Event) { e.IdempotencyKey = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, sent := nimbustest.Tracker(t)
			second := first
			c.change(&second)
			if err := errors.Join(x.Enqueue(t.Context(), first), x.Enqueue(t.Context(), second)); err != nil {
				t.Fatal(err)
			}
			if n := len(sent.Events(t)); (n == 1) != c.same {
				t.Errorf("%d events stored", n)
			}
		})
	}
}
