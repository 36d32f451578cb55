package accounts

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/mail"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

const (
	minSecretBytes = 32
	// maxAttempts is how often a login starts again because the stored password changed while it was being checked.
	maxAttempts = 3
	// keepEnded is how long a session that is over is kept, so that its tokens are answered token_expired and not invalid_token.
	keepEnded = 24 * time.Hour
	// maxPruneSteps bounds one run of Prune; a step removes at most pruneStepRows sessions.
	maxPruneSteps = 100
	pruneStepRows = 1000 // as db/queries/auth.sql has it
)

// Config is what accounts need to know. What is zero is what it says there.
type Config struct {
	Secret       []byte             // signs access tokens and derives refresh tokens; at least 32 bytes, the same on every node
	AccessTTL    time.Duration      // 1 h; at most RefreshTTL, since a token is good only while its session is
	RefreshTTL   time.Duration      // 7 days from the last refresh
	RefreshGrace time.Duration      // 10 s
	BcryptCost   int                // 12; each step doubles the work of a login
	Now          func() time.Time   // time.Now
	Attempts     ratelimit.Attempts // of passwords; in this process
	OIDC         *OIDC              // none
	Registration Registration       // open
	Domains      []string           // of addresses that may register; all
	SetupToken   string             // that the first account needs; none
	Members      Memberships        // must be set where invitations are accepted or accounts are deleted
	Outbox       *mail.Outbox       // none: no mail is sent
	// MayRegister says how long somebody of a network must wait before he may register or ask for a new password: 0 when he
	// may. It counts the call. Nil: always.
	MayRegister func(ctx context.Context, network string) time.Duration
}

// withDefaults also joins every problem.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.AccessTTL, time.Hour)
	setDefault(&c.RefreshTTL, 7*24*time.Hour)
	setDefault(&c.RefreshGrace, 10*time.Second)
	setDefault(&c.BcryptCost, 12)
	if c.Now == nil {
		c.Now = time.Now
	}
	setDefault(&c.Registration, RegistrationOpen)
	if c.MayRegister == nil {
		c.MayRegister = func(context.Context, string) time.Duration { return 0 }
	}
	if c.Attempts == nil {
		c.Attempts = ratelimit.NewLocal(c.Now)
	}
	var errs []error
	if len(c.Secret) < minSecretBytes {
		errs = append(errs, fmt.Errorf("secret: must have at least %d bytes", minSecretBytes))
	}
	if c.AccessTTL < time.Second || c.AccessTTL > c.RefreshTTL || c.AccessTTL > math.MaxInt32*time.Second {
		errs = append(errs, fmt.Errorf("access token lifetime %s: must be at least 1s, at most that of refresh tokens (%s), and at most 68 years",
			c.AccessTTL, c.RefreshTTL))
	}
	if c.RefreshGrace < 0 || c.RefreshGrace > time.Minute {
		errs = append(errs, fmt.Errorf("refresh grace %s: must be at most 1m", c.RefreshGrace))
	}
	if c.BcryptCost < bcrypt.MinCost || c.BcryptCost > bcrypt.MaxCost {
		errs = append(errs, fmt.Errorf("bcrypt cost %d: must be %d to %d", c.BcryptCost, bcrypt.MinCost, bcrypt.MaxCost))
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// Account is a person who can log in.
type Account struct {
	ID        uuid.UUID
	Email     string // as auth.FoldEmail has it
	CreatedAt time.Time
	Operator  bool // of the instance
	Disabled  bool
	// LastSeenAt is true to the minute, and nil before the first login.
	LastSeenAt *time.Time

	passwordHash string
}

// Session is what a caller gets who has proved who he is.
type Session struct {
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // of the access token
	RefreshTTL   time.Duration // of the refresh token
	Account      Account
}

// Service is the accounts and their sessions. It may be used by many at once.
type Service struct {
	store        store
	passwords    *passwords
	access       *accessTokens
	oidc         *oidcLogin // nil without a provider
	chain        refreshChain
	attempts     ratelimit.Attempts
	refreshTTL   time.Duration
	refreshGrace time.Duration
	now          func() time.Time
	seen         *auth.Uses[uuid.UUID] // sessions

	registration Registration
	domains      []string
	setupToken   string
	members      Memberships
	outbox       *mail.Outbox
	mayRegister  func(ctx context.Context, network string) time.Duration
	populated    atomic.Bool // there is an account
}

// New returns the service, or every problem of the configuration. It does not touch the database.
func New(pool *pgxpool.Pool, config Config) (*Service, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	access, err := newAccessTokens(c.Secret, c.AccessTTL, c.Now)
	if err != nil {
		return nil, err
	}
	chain, err := newRefreshChain(c.Secret)
	if err != nil {
		return nil, err
	}
	oidc, err := newOIDCLogin(c.OIDC, c.Secret, c.Now)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	store := newStore(pool)
	return &Service{
		store:        store,
		passwords:    newPasswords(c.BcryptCost),
		access:       access,
		oidc:         oidc,
		chain:        chain,
		attempts:     c.Attempts,
		refreshTTL:   c.RefreshTTL,
		refreshGrace: c.RefreshGrace,
		now:          c.Now,
		seen:         auth.NewUses(store.seen),
		registration: c.Registration,
		domains:      normaliseDomains(c.Domains),
		setupToken:   c.SetupToken,
		members:      c.Members,
		outbox:       c.Outbox,
		mayRegister:  c.MayRegister,
	}, nil
}

// NewAccount is what Register makes an account of.
type NewAccount struct {
	Email, Password string
	Invitation      string // a token; empty without
	SetupToken      string // for the first account of a server
}

// Register creates an account, logs it in, and makes it a member of the project that it has an invitation to. Its problems are
// validation_failed, rate_limited, email_taken, registration_closed, setup_token_required, link_invalid and invitation_not_yours.
func (s *Service) Register(ctx context.Context, a NewAccount) (*Session, error) {
	if errs := passwordErrors("/password", a.Password); len(errs) > 0 {
		return nil, problem.Invalid(errs...)
	}
	if err := s.unhurried(ctx); err != nil {
		return nil, err
	}
	n := newcomer{email: auth.FoldEmail(a.Email), invitation: a.Invitation, setupToken: a.SetupToken}
	if err := s.precheck(ctx, n); err != nil {
		return nil, err
	}
	hash, err := s.passwords.hash(ctx, notUrgent, a.Password)
	if err != nil {
		return nil, err
	}
	var session *Session
	err = s.store.inTx(ctx, func(tx pgx.Tx) error {
		account, err := s.makeAccount(ctx, tx, n, hash)
		if err != nil {
			return err
		}
		session, err = s.open(ctx, tx, account)
		return err
	})
	if err != nil {
		return nil, registered(err)
	}
	return session, nil
}

// makeAccount makes the account of a newcomer who may have one.
func (s *Service) makeAccount(ctx context.Context, tx pgx.Tx, n newcomer, hash string) (Account, error) {
	operator, err := s.admit(ctx, tx, n)
	if err != nil {
		return Account{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Account{}, fmt.Errorf("make account id: %w", err)
	}
	account, err := s.store.createAccount(ctx, tx, id, n.email, hash, operator)
	if err != nil {
		return Account{}, err
	}
	changes := audit.Changes{}
	if operator {
		changes.Diff("operator", nil, true)
	}
	entry := audit.Entry{Action: audit.AccountRegister, Target: id.String(), Account: id, Changes: changes}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return Account{}, err
	}
	return account, s.settle(ctx, tx, n, account)
}

// registered maps what is wrong with an address to the answer for its owner.
func registered(err error) error {
	switch {
	case errors.Is(err, errEmailTaken):
		return problem.New(problem.CodeEmailTaken, "There is an account with this address already. Log in instead.")
	case errors.Is(err, errEmailUnfit):
		return problem.Invalid(bodyError("/email", contract.CodeFormat, "must be an e-mail address"))
	}
	return err
}

// Login opens a session. network is where the caller is, by which guessing is slowed. Its problems are
// invalid_credentials, whatever of the two was wrong, account_disabled, too_many_attempts and rate_limited.
func (s *Service) Login(ctx context.Context, email, password, network string) (*Session, error) {
	email = auth.FoldEmail(email)
	find := func() (Account, bool, error) { return s.store.accountByEmail(ctx, email) }
	return s.attempt(ctx, loginGuards(email, network), func() (*Session, error) { return s.enter(ctx, find, password, "") })
}

// ChangePassword ends every session of the account and opens a new one. Its problems are validation_failed,
// invalid_credentials and too_many_attempts: a thief of a session must not guess the password with it.
func (s *Service) ChangePassword(ctx context.Context, account uuid.UUID, current, replacement string) (*Session, error) {
	errs := passwordErrors("/new_password", replacement)
	if replacement == current {
		errs = append(errs, bodyError("/new_password", codePasswordUnchanged, "must differ from the current password"))
	}
	if len(errs) > 0 {
		return nil, problem.Invalid(errs...)
	}
	find := func() (Account, bool, error) { return s.store.accountByID(ctx, account) }
	if a, known, err := find(); err != nil {
		return nil, err
	} else if known && a.passwordHash == noPassword {
		return nil, problem.Invalid(bodyError("/current_password", codeNoPassword, "this account logs in with the identity provider and has no password"))
	}
	return s.attempt(ctx, changeGuards(account), func() (*Session, error) { return s.enter(ctx, find, current, replacement) })
}

// enter opens a session for a caller who knows the password of the account that find returns. A replacement, unless it is
// empty, becomes the password and ends every other session.
//
// The slow work happens before the transaction. The transaction then locks the account and goes on only if the password
// is still the one that was checked: otherwise a login with the old password could open its session just after a change
// had ended all of them.
func (s *Service) enter(ctx context.Context, find func() (Account, bool, error), password, replacement string) (*Session, error) {
	for range maxAttempts {
		account, _, err := find() // an unknown account has no hash, which check takes for what it is
		if err != nil {
			return nil, err
		}
		if ok, err := s.passwords.check(ctx, account.passwordHash, password); err != nil {
			return nil, err
		} else if !ok {
			break
		}
		if account.Disabled {
			return nil, errAccountDisabled() // only to those who know the password
		}
		var hash string
		switch {
		case replacement != "":
			hash, err = s.passwords.hash(ctx, urgent, replacement)
		case s.passwords.stale(account.passwordHash):
			hash, err = s.passwords.hash(ctx, urgent, password)
		}
		if err != nil {
			return nil, err
		}
		var session *Session
		err = s.store.inTx(ctx, func(tx pgx.Tx) error {
			if err := s.store.lockPassword(ctx, tx, account); err != nil {
				return err
			}
			if hash != "" {
				if err := s.store.setPassword(ctx, tx, account.ID, hash); err != nil {
					return err
				}
			}
			if replacement != "" {
				if err := s.store.revokeSessions(ctx, tx, account.ID, s.now()); err != nil {
					return err
				}
				if err := s.store.deleteResets(ctx, tx, account.ID); err != nil { // made for the old password's loss
					return err
				}
			}
			if session, err = s.open(ctx, tx, account); err != nil {
				return err
			}
			action := audit.Login
			if replacement != "" {
				action = audit.PasswordChange
			}
			return audit.Record(ctx, tx, audit.Entry{Action: action, Target: account.ID.String(), Account: account.ID})
		})
		if errors.Is(err, errPasswordMoved) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return session, nil
	}
	return nil, problem.New(problem.CodeInvalidCredentials, "The address or the password is wrong.")
}

// open starts a session with its first refresh token.
func (s *Service) open(ctx context.Context, tx pgx.Tx, account Account) (*Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make session id: %w", err)
	}
	token := s.chain.first()
	now := s.now()
	if err := s.store.createSession(ctx, tx, id, account.ID, refreshHash(token), now, now.Add(s.refreshTTL)); err != nil {
		return nil, err
	}
	s.seen.Note(id, now)
	return s.session(account, id, token)
}

func (s *Service) session(account Account, id uuid.UUID, refresh string) (*Session, error) {
	access, err := s.access.mint(account.ID, id)
	if err != nil {
		return nil, err
	}
	return &Session{AccessToken: access, RefreshToken: refresh, ExpiresIn: s.access.ttl, RefreshTTL: s.refreshTTL, Account: account}, nil
}

// VerifyAccess says whose access token this is: ours, or one of the identity provider. Its problems are wrong_token_type,
// invalid_token, token_expired and session_ended, and for the latter identity_not_linked and
// identity_provider_unavailable.
func (s *Service) VerifyAccess(ctx context.Context, token string) (*auth.Principal, error) {
	if strings.HasPrefix(token, refreshPrefix) {
		return nil, problem.New(problem.CodeWrongTokenType, "This takes an access token, not a refresh token.")
	}
	account, session, err := s.access.verify(token)
	if s.oidc != nil && problem.Is(err, problem.CodeInvalidToken) {
		return s.verifyProviderToken(ctx, token)
	}
	if err != nil {
		return nil, err
	}
	return s.Revive(ctx, account, session)
}

// Revive returns the principal of a session that was proved before, for what outlives the request that proved it. Its
// problems are session_ended and invalid_token.
func (s *Service) Revive(ctx context.Context, account, session uuid.UUID) (*auth.Principal, error) {
	owner, live, err := s.store.sessionAccount(ctx, session, s.now())
	if err != nil {
		return nil, err
	}
	if !live {
		return nil, errSessionEnded()
	}
	if owner.ID != account {
		return nil, errInvalidToken()
	}
	s.seen.Note(session, s.now())
	return &auth.Principal{Kind: auth.KindAccount, AccountID: account, SessionID: session, Operator: owner.Operator}, nil
}

func errAccountDisabled() error {
	return problem.New(problem.CodeAccountDisabled, "The operator of this server has disabled the account.")
}

// Me returns an account. Its only problem is session_ended, for an account that is gone takes its sessions along.
func (s *Service) Me(ctx context.Context, id uuid.UUID) (Account, error) {
	account, known, err := s.store.accountByID(ctx, id)
	if err != nil {
		return Account{}, err
	}
	if !known {
		return Account{}, errSessionEnded()
	}
	return account, nil
}

// Prune removes sessions, refresh tokens and links that have been over for a day, in short steps, up to a bounded number; what
// is left over is for the next run. Running it on two nodes at once does no harm.
func (s *Service) Prune(ctx context.Context, now time.Time) error {
	before := now.Add(-keepEnded)
	for _, step := range []func(context.Context, time.Time) (int64, error){s.store.pruneSessions, s.store.pruneRefreshTokens, s.store.pruneResets} {
		for range maxPruneSteps {
			removed, err := step(ctx, before)
			if err != nil {
				return err
			}
			if removed < pruneStepRows {
				break
			}
		}
	}
	return nil
}
