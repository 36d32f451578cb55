package accounts

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

// guess tries a wrong password and returns how long it was told to wait; 0 when the password was looked at.
func (b *testBundle) guess(t *testing.T, email, network string) time.Duration {
	t.Helper()
	_, err := b.Login(t.Context(), email, "Wrong-Horse-7", network)
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	if p.Code != problem.CodeTooManyAttempts {
		wantCode(t, err, problem.CodeInvalidCredentials)
		return 0
	}
	if p.RetryAfter <= 0 {
		t.Fatalf("told to wait %s", p.RetryAfter)
	}
	return p.RetryAfter
}

func TestGuessingGetsSlowerAndTheRightPasswordWorksAfterTheWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	var waits []time.Duration
	for range 20 {
		wait := b.guess(t, testEmail, place)
		if wait == 0 {
			wait = b.guess(t, testEmail, place) // what the failure before costs
		}
		if wait > 0 {
			waits = append(waits, wait)
			// The right password is not looked at either: an answer would tell the guesser.
			_, err := b.Login(t.Context(), testEmail, testPassword, place)
			wantCode(t, err, problem.CodeTooManyAttempts)
			b.clock.advance(wait)
		}
	}
	for i := 1; i < len(waits); i++ {
		if waits[i] != min(2*waits[i-1], inOnePlace.Longest) {
			t.Fatalf("the waits do not grow as they should: %v", waits)
		}
	}
	if len(waits) < 15 || waits[0] != time.Second || waits[len(waits)-1] != 15*time.Minute {
		t.Errorf("waits %v", waits)
	}
	if _, err := b.Login(t.Context(), testEmail, testPassword, place); err != nil {
		t.Fatalf("the right password after the wait: %v", err)
	}
	if wait := b.guess(t, testEmail, place); wait != 0 {
		t.Errorf("a mistake after a success waits %s", wait)
	}
}

// An account that does not exist is slowed exactly as one that does.
func TestBeingSlowedTellsNothingOfTheAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	for i := range 40 {
		known, unknown := b.guess(t, testEmail, "192.0.2.7"), b.guess(t, "nobody@example.com", "192.0.2.8")
		if known != unknown {
			t.Fatalf("guess %d: %s for an account, %s for none", i+1, known, unknown)
		}
		b.clock.advance(known)
	}
}

// Strangers cannot keep the owner out: where he has logged in before they do not count, and elsewhere he waits a minute.
func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	if _, err := b.Login(t.Context(), testEmail, testPassword, place); err != nil {
		t.Fatal(err)
	}
	longest := time.Duration(0)
	for i := range 60 { // from a new place each time
		network := fmt.Sprint("198.51.100.", i)
		if wait := b.guess(t, testEmail, network); wait > 0 {
			longest = max(longest, wait)
			b.clock.advance(wait)
			b.guess(t, testEmail, network)
		}
	}
	if longest != time.Minute {
		t.Errorf("many strangers wait up to %s, want a minute", longest)
	}
	if _, err := b.Login(t.Context(), testEmail, testPassword, place); err != nil {
		t.Errorf("the owner where he is known: %v", err)
	}
	_, err := b.Login(t.Context(), testEmail, testPassword, "203.0.113.5")
	wantCode(t, err, problem.CodeTooManyAttempts)
	b.clock.advance(time.Minute)
	if _, err := b.Login(t.Context(), testEmail, testPassword, "203.0.113.5"); err != nil {
		t.Errorf("the owner in a new place, after a minute: %v", err)
	}
}

func TestGuessingAtManyAccountsFromOnePlaceIsSlowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	for i := range ofOnePlace.Free + 1 {
		if wait := b.guess(t, fmt.Sprint("user", i, "@example.com"), place); wait != 0 {
			t.Fatalf("guess %d waits %s", i+1, wait)
		}
	}
	if wait := b.guess(t, "another@example.com", place); wait != time.Second {
		t.Errorf("one more waits %s", wait)
	}
	if _, err := b.Login(t.Context(), testEmail, testPassword, "203.0.113.5"); err != nil {
		t.Errorf("someone elsewhere: %v", err)
	}
}

// A thousand guesses at once are not a thousand guesses, on however many nodes.
func TestGuessesAtOnceAreCountedBeforeTheyFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	common := ratelimit.NewLocal(b.clock.Now)
	var looked atomic.Int32
	var wg sync.WaitGroup
	for range 2 {
		node := b.another(t, func(c *Config) { c.Attempts = common })
		node.passwords.compare = func(hash, password []byte) error {
			looked.Add(1)
			return bcrypt.CompareHashAndPassword(hash, password)
		}
		for range 50 {
			wg.Go(func() { _, _ = node.Login(t.Context(), testEmail, "Wrong-Horse-7", place) })
		}
	}
	wg.Wait()
	if n := int(looked.Load()); n != inOnePlace.Free+1 {
		t.Errorf("%d of 100 guesses at once were looked at, want %d", n, inOnePlace.Free+1)
	}
}

func TestGuessingWithAStolenSessionIsSlowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	for range inOnePlace.Free + 1 {
		_, err := b.ChangePassword(t.Context(), s.Account.ID, "Wrong-Horse-7", otherGood)
		wantCode(t, err, problem.CodeInvalidCredentials)
	}
	_, err := b.ChangePassword(t.Context(), s.Account.ID, testPassword, otherGood)
	wantCode(t, err, problem.CodeTooManyAttempts)
	b.clock.advance(time.Second)
	if _, err := b.ChangePassword(t.Context(), s.Account.ID, testPassword, otherGood); err != nil {
		t.Fatal(err)
	}
}

// What failed for another reason than the password is no failed attempt.
func TestADatabaseThatIsAwaySlowsNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	common := ratelimit.NewLocal(b.clock.Now)
	broken := b.another(t, func(c *Config) { c.Attempts = common })
	b.pool.Close()
	for range 2 * ofOnePlace.Free {
		if _, err := broken.Login(t.Context(), testEmail, testPassword, place); problem.Is(err, problem.CodeTooManyAttempts) {
			t.Fatal(err)
		}
	}
}
