package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"
)

// Options says what is run and for how long.
type Options struct {
	Nimbus      string // the program under test
	Cycles      int    // a cycle is one kill
	CheckEvery  int    // cycles between two checks; there is one more at the end
	Clients     int
	Seed        uint64 // of what is sent and killed; the moments depend on the machine as well
	Own         bool   // the server runs its embedded PostgreSQL, instead of using one beside it
	PostgresBin string
	CacheDir    string
	Out         io.Writer // gets a line for each check
	Log         *slog.Logger
}

// Summary is the result of a run.
type Summary struct {
	Cycles   int
	Kills    map[Kind]int
	Checks   int
	Requests int // answered with 200
	Refused  int // answered with 503
	Broken   int // not answered: the connection was refused or broke
	Sent     int // different events
	Acked    int
	Stored   int
	InParts  int // at the last check
	Unacked  int // stored, and never acknowledged
	Repeated int // events and operations that were sent again after their acknowledgement
	// Profile operations.
	OperationsAcked  int
	OperationsStored int

	Slowest   time.Duration
	Took      time.Duration
	Seed      uint64
	Own       bool
	Recovered time.Duration // on average, from a kill to the next acknowledgement
}

// String is the report.
func (s *Summary) String() string {
	where := "PostgreSQL beside the server"
	if s.Own {
		where = "PostgreSQL run by the server"
	}
	return fmt.Sprintf(`%s, seed %d, %s
  cycles      %d (killed: server %d, PostgreSQL %d, one PostgreSQL process %d, both %d), %d checks
  requests    %d acknowledged, %d refused with 503, %d broken off
  events      %d sent, %d acknowledged, %d stored (%d in parts), %d stored without an acknowledgement, %d sent again after one
  operations  %d acknowledged, %d stored
  recovery    %s on average from a kill to the next acknowledgement, %s at most
  violations  none`,
		where, s.Seed, s.Took.Round(time.Second), s.Cycles, s.Kills[Server], s.Kills[Postgres], s.Kills[Backend], s.Kills[Both], s.Checks,
		s.Requests, s.Refused, s.Broken, s.Sent, s.Acked, s.Stored, s.InParts, s.Unacked, s.Repeated,
		s.OperationsAcked, s.OperationsStored,
		s.Recovered.Round(time.Millisecond), s.Slowest.Round(time.Millisecond))
}

// Violation is a broken guarantee.
type Violation struct{ What string }

// Error names the guarantee and the finding.
func (v *Violation) Error() string { return "VIOLATION: " + v.What }

func violation(format string, args ...any) error { return &Violation{fmt.Sprintf(format, args...)} }

// stuckTime is how long nothing may be acknowledged after a kill. Recovery takes well under a second; the rest is for
// a machine that does something else.
const stuckTime = 3 * time.Minute

// slowTime is the recovery time from which on a recovery is reported as slow.
const slowTime = 5 * time.Second

// Run kills o.Cycles times and returns the result; a *Violation when a guarantee was broken, another error when the
// experiment itself failed.
func Run(ctx context.Context, o Options) (_ *Summary, err error) {
	dir, err := os.MkdirTemp("", "nimbus-crash-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	w := newWorld(o, dir)
	defer func() {
		w.close()
		if v := (*Violation)(nil); errors.As(err, &v) {
			err = fmt.Errorf("%w\n  seed %d; the data is kept in %s", err, o.Seed, dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := w.start(ctx); err != nil {
		return nil, err
	}
	l, err := newLoad(ctx, w, o)
	if err != nil {
		return nil, err
	}
	l.start(ctx)
	defer l.stop()
	s := &Summary{Kills: make(map[Kind]int), Seed: o.Seed, Own: o.Own}
	begun := time.Now()
	if err := cycles(ctx, w, l, o, s); err != nil {
		return s, err
	}
	l.stop()
	if err := check(ctx, w, l, s); err != nil {
		return s, err
	}
	s.Took = time.Since(begun)
	return s, nil
}

func cycles(ctx context.Context, w *world, l *load, o Options, s *Summary) error {
	random := rand.New(rand.NewPCG(o.Seed, 0)) //nolint:gosec // must be repeatable
	var kinds []Kind
	var recovering time.Duration
	recoveries, checked := 0, false
	for s.Cycles < o.Cycles {
		// Most kills hit a server that works, some hit one that is still recovering from the last.
		if s.Cycles == 0 || random.IntN(5) > 0 {
			took, err := l.progress(ctx, w)
			if err != nil {
				return err
			}
			if s.Cycles > 0 && !checked { // a check waits for the recovery itself
				recovering += took
				recoveries++
				s.Slowest = max(s.Slowest, took)
				s.Recovered = recovering / time.Duration(recoveries)
				if took > slowTime {
					fmt.Fprintf(o.Out, "cycle %d: recovered after %s; the server said\n%s", s.Cycles, took.Round(time.Millisecond), w.said.String())
				}
			}
		}
		if err := pause(ctx, time.Duration(random.IntN(400))*time.Millisecond); err != nil {
			return err
		}
		if len(kinds) == 0 { // each kind once in a random order, and again
			kinds = []Kind{Server, Postgres, Backend, Both}
			random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		}
		kind := kinds[0]
		kinds = kinds[1:]
		w.kill(kind, random)
		s.Kills[kind]++
		s.Cycles++
		checked = o.CheckEvery > 0 && s.Cycles%o.CheckEvery == 0 && s.Cycles < o.Cycles
		if checked {
			if err := check(ctx, w, l, s); err != nil {
				return err
			}
			fmt.Fprintf(o.Out, "cycle %d: %d events acknowledged, %d stored, nothing lost, nothing doubled\n", s.Cycles, s.Acked, s.Stored)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
