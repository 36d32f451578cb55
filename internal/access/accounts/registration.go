package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Registration says who may make an account.
type Registration string

// The kinds of registration.
const (
	RegistrationOpen   Registration = "open"   // everyone
	RegistrationInvite Registration = "invite" // people with an invitation to a project
	RegistrationClosed Registration = "closed" // nobody; operators make accounts
)

// codeDomain is the code of an address whose domain may not register.
const codeDomain = "email_domain"

// Memberships is what accounts need of projects.
type Memberships interface {
	// Invited is link_invalid or invitation_not_yours unless the token is that of an invitation which the address can accept.
	Invited(ctx context.Context, token, email string) error
	// Accept makes the account a member, in the transaction that makes the account. Its problems are those of Invited.
	Accept(ctx context.Context, tx pgx.Tx, token string, account uuid.UUID, email string) error
	// Abandon deletes the projects that only the account owns; without delete they are the problem last_owner.
	Abandon(ctx context.Context, tx pgx.Tx, account uuid.UUID, remove bool) error
	// Changed is called after the commit of Accept or Abandon.
	Changed()
}

// SetupToken is what the first account of a server with this secret needs, where the operator has not chosen one. Every node
// has the same, and nobody who cannot read the log or the settings has it.
func SetupToken(secret []byte) string {
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte("nimbus setup token"))
	return hex.EncodeToString(sum.Sum(nil)[:20])
}

// newcomer is somebody who wants an account.
type newcomer struct {
	email      string // as auth.FoldEmail has it
	invitation string // a token; empty without
	setupToken string
}

// admit says whether somebody may have an account, and whether that account operates the server: the first one does.
//
// A server in production is on the network before its operator has an account. The first stranger would own it; so the first
// account needs a token that only the operator can have.
func (s *Service) admit(ctx context.Context, tx pgx.Tx, n newcomer) (operator bool, err error) {
	empty, err := s.isEmpty(ctx, tx)
	if err != nil {
		return false, err
	}
	if empty {
		if s.setupToken != "" && subtle.ConstantTimeCompare([]byte(n.setupToken), []byte(s.setupToken)) != 1 {
			return false, problem.New(problem.CodeSetupTokenRequired, "This server has no account yet, and the first one operates it. "+
				"setup_token is the one in the server's log, or NIMBUS_SETUP_TOKEN.")
		}
		return true, nil
	}
	return false, s.checkRegistration(n)
}

// checkRegistration is admit where there is an account already, but for the invitation itself.
func (s *Service) checkRegistration(n newcomer) error {
	switch {
	case s.registration == RegistrationClosed:
		return problem.New(problem.CodeRegistrationClosed, "Nobody can register here; the operator makes accounts.")
	case s.registration == RegistrationInvite && n.invitation == "":
		return problem.New(problem.CodeRegistrationClosed, "Registering here needs an invitation to a project.")
	case !s.mayUse(n.email):
		return problem.Field(contract.InBody, "/email", codeDomain, "must have one of the domains "+strings.Join(s.domains, ", "))
	}
	return nil
}

// mayUse reports whether the domain of an address is allowed.
func (s *Service) mayUse(email string) bool {
	return len(s.domains) == 0 || slices.Contains(s.domains, email[strings.LastIndexByte(email, '@')+1:])
}

// isEmpty reports whether there is no account. In a transaction, nobody else makes the first one meanwhile; tx may be nil.
// That there is one is remembered: it stays so, because the last operator cannot be deleted.
func (s *Service) isEmpty(ctx context.Context, tx pgx.Tx) (bool, error) {
	if s.populated.Load() {
		return false, nil
	}
	empty, err := s.store.empty(ctx, tx)
	if err == nil && !empty {
		s.populated.Store(true)
	}
	return empty, err
}

// unhurried refuses a network that registers or asks for new passwords faster than people do. Logging in is not counted: it
// must work for those beside whom a stranger registers.
func (s *Service) unhurried(ctx context.Context) error {
	if wait := s.mayRegister(ctx, auth.RequestOf(ctx).Network); wait > 0 {
		return &problem.Error{Code: problem.CodeRateLimited, RetryAfter: wait,
			Detail: "Too many registrations and new passwords from your network. Nothing was changed; try again after Retry-After seconds."}
	}
	return nil
}

// precheck refuses before the password is hashed: who may not register must not keep processors busy.
func (s *Service) precheck(ctx context.Context, n newcomer) error {
	empty, err := s.isEmpty(ctx, nil)
	if err != nil || empty {
		return err // admit decides of the first account
	}
	if err := s.checkRegistration(n); err != nil || n.invitation == "" {
		return err
	}
	return s.members.Invited(ctx, n.invitation, n.email)
}

// settle makes the account a member of the project it was invited to.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, n newcomer, account Account) error {
	if n.invitation == "" {
		return nil
	}
	return s.members.Accept(ctx, tx, n.invitation, account.ID, account.Email)
}

// Methods is how one gets in.
type Methods struct {
	Provider     string // the name of the identity provider; empty without one
	Registration Registration
	Empty        bool // there is no account
	SetupToken   bool // the first account needs one
	ResetByMail  bool
}

// Empty reports whether there is no account.
func (s *Service) Empty(ctx context.Context) (bool, error) { return s.isEmpty(ctx, nil) }

// Methods says how one gets in. Where the database cannot be asked, there are accounts: a page with a form is of more use than
// none, and sending the form says what is wrong.
func (s *Service) Methods(ctx context.Context) Methods {
	empty, err := s.isEmpty(ctx, nil)
	empty = empty && err == nil
	return Methods{Provider: s.Provider(), Registration: s.registration, Empty: empty,
		SetupToken: empty && s.setupToken != "", ResetByMail: s.outbox != nil}
}

// normaliseDomains folds what the operator wrote; a leading @ is what people write too.
func normaliseDomains(domains []string) []string {
	out := make([]string, len(domains))
	for i, d := range domains {
		out[i] = auth.FoldEmail(strings.TrimPrefix(d, "@"))
	}
	return out
}
