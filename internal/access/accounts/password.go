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

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
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
// second, and a flood of logins must leave the others to ingestion.
type passwords struct {
	cost  int
	turns chan struct{}
	// compare is bcrypt's; tests count the work through it, because equal work is what makes equal times.
	compare func(hash, password []byte) error
}

func newPasswords(cost int) *passwords {
	return &passwords{
		cost:    cost,
		turns:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		compare: bcrypt.CompareHashAndPassword,
	}
}

// hash returns what is stored of a password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	if err := p.take(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), p.cost)
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
	if err := p.take(ctx); err != nil {
		return false, err
	}
	defer p.leave()

	cost := p.cost
	if hash != "" {
		var err error
		if cost, err = bcrypt.Cost([]byte(hash)); err != nil {
			return false, fmt.Errorf("read stored password hash: %w", err)
		}
	}
	candidate, stored := []byte(password), hash
	if stored == "" {
		stored = decoy(cost)
	}
	err := p.compare([]byte(stored), candidate[:min(len(candidate), maxPasswordBytes)])
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

// take waits for a turn. Whoever waits longer than his request may take is told so.
func (p *passwords) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return turnError(err)
	}
	select {
	case p.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return turnError(ctx.Err())
	}
}

func (p *passwords) leave() { <-p.turns }

func turnError(err error) error {
	e := problem.Wrap(err, problem.CodeTimeout, "Too many people are logging in just now. Nothing was changed; try again.")
	e.RetryAfter = time.Second
	return e
}
