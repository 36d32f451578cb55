package turns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bahagh/nimbus/internal/platform/turns"
)

func take(t *testing.T, p *turns.Pool, keys ...string) func() {
	t.Helper()
	leave, err := p.Take(t.Context(), false, keys...)
	if err != nil {
		t.Fatalf("%v: %v", keys, err)
	}
	return leave
}

func TestAKeyHasItsShareAndTheOthersHaveTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := turns.New(turns.Config{Slots: 3, Share: 2, Waiting: 1, Patience: time.Second})
		leave := []func(){take(t, p, "a"), take(t, p, "a")}
		if _, err := p.Take(t.Context(), false, "a"); !errors.Is(err, turns.ErrShare) {
			t.Errorf("a third of one key: %v", err)
		}
		leave = append(leave, take(t, p, "b"))
		begun := time.Now()
		if _, err := p.Take(t.Context(), false, "c"); !errors.Is(err, turns.ErrBusy) || time.Since(begun) != time.Second {
			t.Errorf("a fourth: %v after %v", err, time.Since(begun))
		}
		for _, l := range leave {
			l()
		}
		for _, key := range []string{"c", "c", "d"} {
			defer take(t, p, key)()
		}
	})
}

func TestBothKeysMustHaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := turns.New(turns.Config{Slots: 9, Share: 2, Waiting: 1, Patience: time.Second})
		defer take(t, p, "project", "ada")()
		defer take(t, p, "project", "ben")()
		if _, err := p.Take(t.Context(), false, "project", "eve"); !errors.Is(err, turns.ErrShare) {
			t.Errorf("a third question of the project: %v", err)
		}
		defer take(t, p, "other", "ada")()
		if _, err := p.Take(t.Context(), false, "third", "ada"); !errors.Is(err, turns.ErrShare) {
			t.Errorf("a third question of ada: %v", err)
		}
	})
}

func TestAFloodOfOneKeyMakesAnotherWaitForOneOfItsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := turns.New(turns.Config{Slots: 1, Share: 1, Waiting: 8, Patience: time.Hour})
		var order []string
		work := func(urgent bool, key, name string) {
			go func() {
				leave, err := p.Take(context.Background(), urgent, key)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				time.Sleep(time.Second) //nolint:forbidigo // in a bubble of synctest nobody waits for it
				order = append(order, name)
				leave()
			}()
			synctest.Wait()
		}
		for i := range 5 {
			work(false, "flood", fmt.Sprint("flood", i))
		}
		work(false, "b", "b")
		work(false, "c", "c")
		work(true, "d", "urgent")
		time.Sleep(time.Minute) //nolint:forbidigo // as above
		synctest.Wait()
		want := []string{"flood0", "urgent", "flood1", "b", "c", "flood2", "flood3", "flood4"}
		if !slices.Equal(order, want) {
			t.Errorf("got  %v\nwant %v", order, want)
		}
	})
}

func TestMoreThanMayWaitAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := turns.New(turns.Config{Slots: 1, Share: 1, Waiting: 2, Patience: time.Hour})
		defer take(t, p, "a")()
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := p.Take(ctx, false, "a")
				failed <- err
			}()
		}
		synctest.Wait()
		begun := time.Now()
		if _, err := p.Take(t.Context(), false, "a"); !errors.Is(err, turns.ErrShare) || time.Since(begun) != 0 {
			t.Errorf("a third that would wait: %v after %v", err, time.Since(begun))
		}
		cancel()
		for range 2 {
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("one that went away: %v", err)
			}
		}
	})
}
