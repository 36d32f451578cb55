package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

// guard is one of the counts that a failed attempt adds to.
type guard struct {
	key      ratelimit.Key
	schedule ratelimit.Schedule
	// familiar marks the count of the account in one place. A success makes the place known, and a known place is not
	// slowed by what strangers do elsewhere.
	familiar bool
	// strangers marks a count that is passed over where the place is known.
	strangers bool
}

const rememberPlace = 30 * 24 * time.Hour

var (
	// Somebody who has forgotten a password tries a few; after that he waits, a quarter of an hour at most.
	inOnePlace = ratelimit.Schedule{Free: 5, First: time.Second, Longest: 15 * time.Minute, Forget: 24 * time.Hour}
	// Many people may share an address, so it has room for more of their mistakes.
	ofOnePlace = ratelimit.Schedule{Free: 50, First: time.Second, Longest: 15 * time.Minute, Forget: time.Hour}
	// Many places guess at one account. The owner, in a new place, waits with them: so not for long.
	everywhere = ratelimit.Schedule{Free: 20, First: time.Second, Longest: time.Minute, Forget: time.Hour}
)

// loginGuards are the same whether the account exists or not, and hold no address in the clear.
func loginGuards(email, network string) []guard {
	account := subject(email)
	return []guard{
		{key: ratelimit.Key{Group: "login", Subject: subject(email + "\x00" + network)}, schedule: inOnePlace, familiar: true},
		{key: ratelimit.Key{Group: "login-network", Subject: subject(network)}, schedule: ofOnePlace},
		{key: ratelimit.Key{Group: "login-account", Subject: account}, schedule: everywhere, strangers: true},
	}
}

func changeGuards(account uuid.UUID) []guard {
	return []guard{{key: ratelimit.Key{Group: "change-password", Subject: account.String()}, schedule: inOnePlace, familiar: true}}
}

func subject(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// attempt lets enter run unless one of the counts says to wait. The attempt counts as failed from its beginning, and is
// taken back unless the password was wrong: otherwise many guesses at once would all begin before the first has failed.
func (s *Service) attempt(ctx context.Context, guards []guard, enter func() (*Session, error)) (*Session, error) {
	known := false
	var begun []guard
	for _, g := range guards {
		if g.strangers && known {
			continue
		}
		a, err := s.attempts.Begin(ctx, g.key, g.schedule)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("count the attempt: %w", err), s.undo(ctx, begun))
		}
		if a.Wait > 0 {
			if err := s.undo(ctx, begun); err != nil {
				return nil, err
			}
			return nil, &problem.Error{Code: problem.CodeTooManyAttempts, RetryAfter: a.Wait,
				Detail: "Too many attempts have failed. The password was not looked at; try again after Retry-After seconds."}
		}
		begun = append(begun, g)
		known = known || g.familiar && a.Known
	}
	session, err := enter()
	switch {
	case problem.Is(err, problem.CodeInvalidCredentials):
		return nil, err
	case err != nil:
		return nil, errors.Join(err, s.undo(ctx, begun))
	}
	for _, g := range begun {
		if g.familiar {
			err = s.attempts.Succeed(ctx, g.key, rememberPlace)
		} else {
			err = s.attempts.Undo(ctx, g.key)
		}
		if err != nil {
			return nil, fmt.Errorf("count the attempt: %w", err)
		}
	}
	return session, nil
}

func (s *Service) undo(ctx context.Context, begun []guard) error {
	var errs []error
	for _, g := range begun {
		if err := s.attempts.Undo(ctx, g.key); err != nil {
			errs = append(errs, fmt.Errorf("count the attempt: %w", err))
		}
	}
	return errors.Join(errs...)
}
