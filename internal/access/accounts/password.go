package accounts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/bcrypt"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

const (
	minPasswordBytes = 8
	maxPasswordBytes = 72 // bcrypt ignores what comes after
)

// Codes of the field errors that only this package reports.
const (
	codePasswordWeak      = "password_weak"
	codePasswordUnchanged = "password_unchanged"
	codeNoPassword        = "no_password"
)

// passwordErrors says everything that is wrong with a new password, at this pointer of the body. The contract counts
// characters; bcrypt counts bytes, and it is bytes that decide.
func passwordErrors(pointer, password string) []contract.FieldError {
	var errs []contract.FieldError
	if n := len(password); n < minPasswordBytes || n > maxPasswordBytes {
		errs = append(errs, bodyError(pointer, contract.CodeLength,
			fmt.Sprintf("must be %d to %d bytes long in UTF-8; it is %d", minPasswordBytes, maxPasswordBytes, n)))
	}
	var missing []string
	for _, class := range []struct {
		name string
		has  func(rune) bool
	}{
		{"a lower-case letter", unicode.IsLower},
		{"an upper-case letter", unicode.IsUpper},
		{"a digit", unicode.IsDigit},
	} {
		if !strings.ContainsFunc(password, class.has) {
			missing = append(missing, class.name)
		}
	}
	if len(missing) > 0 {
		errs = append(errs, bodyError(pointer, codePasswordWeak, "must also contain "+strings.Join(missing, " and ")))
	}
	return errs
}

func bodyError(pointer, code, detail string) contract.FieldError {
	return contract.FieldError{In: contract.InBody, Pointer: pointer, Code: code, Detail: detail, Item: -1}
}

// passwords hashes and checks passwords, a bounded number at a time: one check keeps a processor busy for a quarter of a
// second, and a flood of logins must leave the others to ingestion. The turns are shared by network, so that one stranger who
// registers or guesses makes others wait for one of his requests at most.
type passwords struct {
	cost  int
	turns *turns.Pool
	// compare and generate are bcrypt's; tests count the work through them, because equal work is what makes equal times.
	compare  func(hash, password []byte) error
	generate func(password []byte, cost int) ([]byte, error)
}

// Whether work goes before other work: people who log in wait for nobody who registers.
const (
	urgent    = true
	notUrgent = false
)

const (
	// waitingPasswords is how many of one network may wait: an office in the morning, for about two seconds.
	waitingPasswords = 8
	// turnPatience is how long a password waits for its turn, well below the time of a request.
	turnPatience = 10 * time.Second
)

// passwordSlots is how many passwords are worked on at once.
func passwordSlots() int { return max(1, runtime.GOMAXPROCS(0)/2) }

func newPasswords(cost int) *passwords {
	slots := passwordSlots()
	return &passwords{
		cost:     cost,
		turns:    turns.New(turns.Config{Slots: slots, Share: max(1, slots/2), Waiting: waitingPasswords, Patience: turnPatience}),
		compare:  bcrypt.CompareHashAndPassword,
		generate: bcrypt.GenerateFromPassword,
	}
}

// hash returns what is stored of a password.
func (p *passwords) hash(ctx context.Context, first bool, password string) (string, error) {
	leave, err := p.take(ctx, first)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := p.generate([]byte(password), p.cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return string(hash), nil
}

// check reports whether the password is the one behind the hash; the empty hash stands for an account that does not
// exist. Every refusal costs the work of one comparison at the configured cost: also without an account, with a password
// too long to be anyone's, and with a hash from the time of a lower cost. (A hash of a higher cost takes longer than an
// unknown account does, until its owner next logs in and is given a hash of the configured cost.)
func (p *passwords) check(ctx context.Context, hash, password string) (bool, error) {
	leave, err := p.take(ctx, urgent)
	if err != nil {
		return false, err
	}
	defer leave()

	cost := p.cost
	if hash != "" {
		if cost, err = bcrypt.Cost([]byte(hash)); err != nil {
			return false, fmt.Errorf("read stored password hash: %w", err)
		}
	}
	candidate, stored := []byte(password), hash
	if stored == "" {
		stored = decoy(cost)
	}
	err = p.compare([]byte(stored), candidate[:min(len(candidate), maxPasswordBytes)])
	switch {
	case err == nil && hash != "" && len(candidate) <= maxPasswordBytes:
		return true, nil
	case err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, fmt.Errorf("compare password: %w", err)
	}
	// The work doubles with each step of the cost, so the steps from a lower cost up to the configured one, each done
	// once, add up to exactly what is missing.
	for ; cost < p.cost; cost++ {
		_ = p.compare([]byte(decoy(cost)), nil)
	}
	return false, nil
}

// stale says that a hash was made with another cost than the one configured now.
func (p *passwords) stale(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err == nil && cost != p.cost
}

// decoy is a well-formed hash of no known password. Comparing with it costs what comparing with any hash of that cost
// does, because bcrypt looks at the stored result only when it has computed its own.
func decoy(cost int) string {
	return fmt.Sprintf("$2a$%02d$%s%s", cost, "NimbusDecoySaltNoOnes.", "NobodyHasAPasswordThatHashesTo.")
}

// take waits for a turn of the network that the request came from. Work that is not urgent waits by itself: who registers from an
// office must not take the places of its people who log in.
func (p *passwords) take(ctx context.Context, first bool) (leave func(), err error) {
	if err := ctx.Err(); err != nil { // nobody works for a caller who has gone
		return nil, turnError(err)
	}
	key := auth.RequestOf(ctx).Network
	if !first {
		key += " not urgent"
	}
	leave, err = p.turns.Take(ctx, first, key)
	if err != nil {
		return nil, turnError(err)
	}
	return leave, nil
}

func turnError(err error) error {
	if errors.Is(err, turns.ErrShare) {
		return &problem.Error{Code: problem.CodeRateLimited, RetryAfter: time.Second, Cause: err,
			Detail: "Too many passwords from your network are waiting to be checked. Nothing was changed; try again."}
	}
	e := problem.Wrap(err, problem.CodeTimeout, "Too many people are logging in just now. Nothing was changed; try again.")
	e.RetryAfter = time.Second
	return e
}
