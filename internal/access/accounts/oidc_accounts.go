package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// noPassword is the hash of an account that logs in with the provider: no password is behind it.
const noPassword = ""

// enterAs opens a session for the person whom the provider vouches for. Two first logins at once meet at the unique keys;
// the second one begins again and finds what the first one made.
func (s *Service) enterAs(ctx context.Context, c *claims, invitation string) (*Session, error) {
	var session *Session
	var err error
	for range maxAttempts {
		err = s.store.inTx(ctx, func(tx pgx.Tx) error {
			account, err := s.accountOf(ctx, tx, c, invitation)
			if err != nil {
				return err
			}
			if session, err = s.open(ctx, tx, account); err != nil {
				return err
			}
			return s.recordEntry(ctx, tx, account.ID)
		})
		if !errors.Is(err, errEmailTaken) && !errors.Is(err, errIdentityTaken) {
			break
		}
	}
	switch {
	case errors.Is(err, errIdentityTaken):
		return nil, FailureConflict
	case errors.Is(err, errEmailUnfit):
		return nil, FailureEmailUnverified
	case refusesRegistration(err):
		return nil, FailureRegistrationClosed
	case err != nil:
		return nil, err
	}
	return session, nil
}

// accountOf returns the account of an identity: the one it is linked to, or else the one of its verified address, or a new
// one. Once linked, the address is not asked again: it may change, and the account stays with its person.
//
// The person who registered the address with a password may not be the one who owns it. So on linking the password and all
// sessions of the account end: the owner gets the account to himself.
func (s *Service) accountOf(ctx context.Context, tx pgx.Tx, c *claims, invitation string) (Account, error) {
	issuer := s.oidc.config.Issuer
	account, known, err := s.store.accountByIdentity(ctx, tx, issuer, c.subject)
	if err == nil && account.Disabled {
		return Account{}, FailureDisabled
	}
	if err != nil || known {
		return account, err
	}
	if !c.verified || !contract.IsEmail(c.email) {
		return Account{}, FailureEmailUnverified
	}
	account, known, err = s.store.lockAccountByEmail(ctx, tx, c.email)
	if err == nil && account.Disabled {
		err = FailureDisabled
	}
	if err != nil {
		return Account{}, err
	}
	link := audit.Changes{}
	link.Diff("issuer", nil, issuer)
	link.Diff("subject", nil, c.subject)
	if known {
		if account.passwordHash != noPassword {
			link.Diff("password", "set", nil)
		}
		err = s.takeOver(ctx, tx, account.ID)
	} else {
		account, err = s.makeAccount(ctx, tx, newcomer{email: c.email, invitation: invitation}, noPassword)
	}
	if err != nil {
		return Account{}, err
	}
	if err := s.store.linkIdentity(ctx, tx, issuer, c.subject, account.ID); err != nil {
		return Account{}, err
	}
	return account, audit.Record(ctx, tx, audit.Entry{Action: audit.IdentityLink, Target: account.ID.String(), Account: account.ID, Changes: link})
}

// takeOver ends what a stranger may have opened the account with.
func (s *Service) takeOver(ctx context.Context, tx pgx.Tx, account uuid.UUID) error {
	if err := s.store.setPassword(ctx, tx, account, noPassword); err != nil {
		return err
	}
	if err := s.store.deleteResets(ctx, tx, account); err != nil { // one of them would set a password again
		return err
	}
	return s.store.revokeSessions(ctx, tx, account, s.now())
}

// refusesRegistration reports whether a person without an account may not have one.
func refusesRegistration(err error) bool {
	for _, code := range []problem.Code{problem.CodeRegistrationClosed, problem.CodeSetupTokenRequired, problem.CodeLinkInvalid,
		problem.CodeInvitationNotYours, problem.CodeLimitReached, problem.CodeValidation} {
		if problem.Is(err, code) {
			return true
		}
	}
	return false
}

func (s *Service) recordEntry(ctx context.Context, tx pgx.Tx, account uuid.UUID) error {
	how := audit.Changes{}
	how.Diff("method", nil, "oidc")
	return audit.Record(ctx, tx, audit.Entry{Action: audit.Login, Target: account.String(), Account: account, Changes: how})
}

// verifyProviderToken says whose token of the provider this is. Such a token has a session like others have, from its first
// use until it expires: it is in the list, and it ends when it is revoked. Its problems are invalid_token, token_expired,
// identity_not_linked, session_ended and identity_provider_unavailable.
func (s *Service) verifyProviderToken(ctx context.Context, token string) (*auth.Principal, error) {
	c, err := s.oidc.verify(ctx, token)
	if errors.Is(err, errProviderAway) {
		return nil, &problem.Error{Code: problem.CodeProviderUnavailable, RetryAfter: providerPause, Cause: err,
			Detail: "The identity provider did not answer, so its token could not be checked."}
	}
	if errors.Is(err, errProviderTokenExpired) {
		return nil, problem.New(problem.CodeTokenExpired, "The identity provider's token has expired. Get a new one there.")
	}
	if err != nil {
		return nil, errInvalidToken()
	}
	owner, live, err := s.store.sessionAccount(ctx, c.sessionID, s.now())
	if err == nil && !live {
		if err = s.openFor(ctx, c); err == nil {
			owner, live, err = s.store.sessionAccount(ctx, c.sessionID, s.now())
		}
	}
	if err != nil {
		return nil, err
	}
	if !live {
		return nil, errSessionEnded()
	}
	s.seen.Note(c.sessionID, s.now())
	return &auth.Principal{Kind: auth.KindAccount, AccountID: owner.ID, SessionID: c.sessionID, Operator: owner.Operator}, nil
}

// openFor makes the session of a token, unless there was one: another request may have been faster, or it is over.
func (s *Service) openFor(ctx context.Context, c *claims) error {
	return s.store.inTx(ctx, func(tx pgx.Tx) error {
		account, known, err := s.store.accountByIdentity(ctx, tx, s.oidc.config.Issuer, c.subject)
		if err != nil {
			return err
		}
		if !known {
			return problem.New(problem.CodeIdentityNotLinked, "Nobody has logged in here with this identity yet. Do so in a browser once.")
		}
		made, err := s.store.createSessionOnce(ctx, tx, c.sessionID, account.ID, s.now(), c.expires)
		if err != nil || !made {
			return err
		}
		return s.recordEntry(ctx, tx, account.ID)
	})
}
