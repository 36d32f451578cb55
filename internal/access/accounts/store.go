package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// What the tables can say to the rules.
var (
	errEmailTaken    = errors.New("address taken")
	errEmailUnfit    = errors.New("address that the database cannot hold")
	errPasswordMoved = errors.New("password changed meanwhile")
	errIdentityTaken = errors.New("identity linked already, or the account to another one of the issuer")
)

const (
	// maxTxAttempts is how often a transaction is run that lost against another one, such as a refresh against pruning.
	maxTxAttempts = 3
)

type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

// inTx may run fn more than once.
func (s store) inTx(ctx context.Context, fn func(pgx.Tx) error) (err error) {
	for range maxTxAttempts {
		if err = postgres.InTx(ctx, s.pool, fn); !postgres.IsRetryable(err) {
			return err
		}
	}
	return err
}

func account(a db.Account) Account {
	return Account{ID: a.ID, Email: a.Email, CreatedAt: a.CreatedAt, Operator: a.Operator, Disabled: a.DisabledAt != nil,
		LastSeenAt: a.LastSeenAt, passwordHash: a.PasswordHash}
}

// found turns "no such row" into false.
func found(a db.Account, err error) (Account, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, false, nil
	}
	if err != nil {
		return Account{}, false, fmt.Errorf("load account: %w", err)
	}
	return account(a), true, nil
}

// accountByEmail also finds nothing for text that PostgreSQL cannot hold. It is not asked then: its log would get an ERROR line
// for each such login of a stranger.
func (s store) accountByEmail(ctx context.Context, email string) (Account, bool, error) {
	if !utf8.ValidString(email) || strings.ContainsRune(email, 0) {
		return Account{}, false, nil
	}
	return found(s.q.AccountByEmail(ctx, s.pool, email))
}

func (s store) accountByID(ctx context.Context, id uuid.UUID) (Account, bool, error) {
	return found(s.q.AccountByID(ctx, s.pool, id))
}

// accountByIdentity finds nothing for an identity that is not linked.
func (s store) accountByIdentity(ctx context.Context, tx pgx.Tx, issuer, subject string) (Account, bool, error) {
	return found(s.q.AccountByIdentity(ctx, tx, issuer, subject))
}

// lockAccountByEmail is accountByEmail with the account locked until the transaction ends.
func (s store) lockAccountByEmail(ctx context.Context, tx pgx.Tx, email string) (Account, bool, error) {
	return found(s.q.AccountByEmailForUpdate(ctx, tx, email))
}

// linkIdentity fails with errIdentityTaken when the identity has an account, or the account an identity of the issuer.
func (s store) linkIdentity(ctx context.Context, tx pgx.Tx, issuer, subject string, account uuid.UUID) error {
	n, err := s.q.IdentityCreate(ctx, tx, issuer, subject, account)
	if err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	if n == 0 {
		return errIdentityTaken
	}
	return nil
}

// sessionAccount finds nothing when the session is over.
func (s store) sessionAccount(ctx context.Context, session uuid.UUID, now time.Time) (Account, bool, error) {
	return found(s.q.SessionAccount(ctx, s.pool, session, now))
}

// createAccount fails with errEmailTaken or errEmailUnfit when it is the address's fault.
func (s store) createAccount(ctx context.Context, tx pgx.Tx, id uuid.UUID, email, hash string, operator bool) (Account, error) {
	a, err := s.q.AccountCreate(ctx, tx, db.AccountCreateParams{ID: id, Email: email, PasswordHash: hash, Operator: operator})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Account{}, errEmailTaken
	case postgres.IsData(err):
		return Account{}, fmt.Errorf("%w: %w", errEmailUnfit, err)
	case err != nil:
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	return account(a), nil
}

// lockPassword holds the account until the transaction ends. It fails with errPasswordMoved when the account's password
// is no longer the one that was checked, and with account_disabled.
func (s store) lockPassword(ctx context.Context, tx pgx.Tx, checked Account) error {
	a, err := s.q.AccountByIDForUpdate(ctx, tx, checked.ID)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && a.PasswordHash != checked.passwordHash {
		return errPasswordMoved
	}
	if err != nil {
		return fmt.Errorf("lock account: %w", err)
	}
	if a.DisabledAt != nil {
		return errAccountDisabled()
	}
	return nil
}

func (s store) setPassword(ctx context.Context, tx pgx.Tx, id uuid.UUID, hash string) error {
	if err := s.q.AccountSetPassword(ctx, tx, hash, id); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

func (s store) createSession(ctx context.Context, tx pgx.Tx, id, account uuid.UUID, tokenHash []byte, now, expiresAt time.Time) error {
	from := auth.RequestOf(ctx)
	err := s.q.SessionCreate(ctx, tx, db.SessionCreateParams{ID: id, AccountID: account, Now: now, ExpiresAt: expiresAt,
		IP: from.IP, UserAgent: from.UserAgent})
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	if err := s.q.RefreshTokenCreate(ctx, tx, tokenHash, id, expiresAt); err != nil {
		return fmt.Errorf("create refresh token: %w", err)
	}
	return nil
}

// createSessionOnce reports whether there was no session of this id.
func (s store) createSessionOnce(ctx context.Context, tx pgx.Tx, id, account uuid.UUID, now, expiresAt time.Time) (bool, error) {
	from := auth.RequestOf(ctx)
	n, err := s.q.SessionCreateOnce(ctx, tx, db.SessionCreateOnceParams{ID: id, AccountID: account, Now: now, ExpiresAt: expiresAt,
		IP: from.IP, UserAgent: from.UserAgent})
	if err != nil {
		return false, fmt.Errorf("create session: %w", err)
	}
	return n > 0, nil
}

// refreshToken finds a token and its session.
func (s store) refreshToken(ctx context.Context, hash []byte) (refreshToken, bool, error) {
	t, err := s.q.RefreshTokenRead(ctx, s.pool, hash)
	return toRefreshToken(db.RefreshTokenForUpdateRow(t), err)
}

// lockRefreshToken is refreshToken with both locked until the transaction ends.
func (s store) lockRefreshToken(ctx context.Context, tx pgx.Tx, hash []byte) (refreshToken, bool, error) {
	return toRefreshToken(s.q.RefreshTokenForUpdate(ctx, tx, hash))
}

func toRefreshToken(t db.RefreshTokenForUpdateRow, err error) (refreshToken, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return refreshToken{}, false, nil
	}
	if err != nil {
		return refreshToken{}, false, fmt.Errorf("load refresh token: %w", err)
	}
	return refreshToken{accountID: t.AccountID, sessionID: t.SessionID, expiresAt: t.ExpiresAt,
		usedAt: t.UsedAt, revoked: t.RevokedAt != nil}, true, nil
}

// rotation is the exchange of one refresh token for the next.
type rotation struct {
	used      []byte // hash
	usedAt    time.Time
	next      []byte // hash
	sessionID uuid.UUID
	expiresAt time.Time // of the next token and of the session
}

func (s store) rotate(ctx context.Context, tx pgx.Tx, r rotation) error {
	if err := s.q.RefreshTokenMarkUsed(ctx, tx, r.usedAt, r.used); err != nil {
		return fmt.Errorf("mark refresh token used: %w", err)
	}
	if err := s.q.RefreshTokenCreate(ctx, tx, r.next, r.sessionID, r.expiresAt); err != nil {
		return fmt.Errorf("create refresh token: %w", err)
	}
	if err := s.q.SessionExtend(ctx, tx, r.expiresAt, r.sessionID); err != nil {
		return fmt.Errorf("extend session: %w", err)
	}
	return nil
}

// revokeSession reports whether it was this call that ended the session.
func (s store) revokeSession(ctx context.Context, on db.DBTX, id uuid.UUID, now time.Time) (bool, error) {
	n, err := s.q.SessionRevoke(ctx, on, now, id)
	if err != nil {
		return false, fmt.Errorf("revoke session: %w", err)
	}
	return n > 0, nil
}

func (s store) revokeSessions(ctx context.Context, tx pgx.Tx, account uuid.UUID, now time.Time) error {
	if err := s.q.SessionRevokeAll(ctx, tx, now, account); err != nil {
		return fmt.Errorf("revoke sessions: %w", err)
	}
	return nil
}

// sessions returns the sessions of an account that are not over, newest first.
func (s store) sessions(ctx context.Context, account uuid.UUID, now time.Time) ([]OpenSession, error) {
	rows, err := s.q.SessionsForAccount(ctx, s.pool, account, now)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	out := make([]OpenSession, len(rows))
	for i, r := range rows {
		out[i] = OpenSession{ID: r.ID, CreatedAt: r.CreatedAt.UTC(), LastSeenAt: r.LastSeenAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
			IP: r.IP, UserAgent: r.UserAgent}
	}
	return out, nil
}

// revokeOwnSession reports whether it was this call that ended a session of this account.
func (s store) revokeOwnSession(ctx context.Context, tx pgx.Tx, account, id uuid.UUID, now time.Time) (bool, error) {
	n, err := s.q.SessionRevokeOwn(ctx, tx, now, id, account)
	if err != nil {
		return false, fmt.Errorf("revoke session: %w", err)
	}
	return n > 0, nil
}

func (s store) seen(ctx context.Context, ids []uuid.UUID, seenAts []time.Time) error {
	if err := s.q.SessionsSeen(ctx, s.pool, ids, seenAts); err != nil {
		return fmt.Errorf("store when sessions were last seen: %w", err)
	}
	if err := s.q.AccountsSeen(ctx, s.pool, ids, seenAts); err != nil {
		return fmt.Errorf("store when accounts were last seen: %w", err)
	}
	return nil
}

func (s store) pruneRefreshTokens(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q.RefreshTokenPrune(ctx, s.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune refresh tokens: %w", err)
	}
	return n, nil
}

func (s store) pruneSessions(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q.SessionPrune(ctx, s.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune sessions: %w", err)
	}
	return n, nil
}
