package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	refreshPrefix = "nr_" // people and secret scanners recognise it
	refreshBytes  = 32
)

var refreshLength = len(refreshPrefix) + base64.RawURLEncoding.EncodedLen(refreshBytes)

// refreshToken is what is known of a refresh token and its session.
type refreshToken struct {
	accountID uuid.UUID
	sessionID uuid.UUID
	expiresAt time.Time
	usedAt    *time.Time // when it was first exchanged
	revoked   bool       // the session is over
}

// verdict is what becomes of a refresh token that was presented.
type verdict int

const (
	verdictRotate  verdict = iota + 1 // it is exchanged for its successor
	verdictAgain                      // it was exchanged a moment ago: the same successor again, if that is unused
	verdictReused                     // someone holds a copy: the session ends
	verdictExpired                    // it was never used in time
	verdictEnded                      // its session is over
)

// judge decides. That a token was used weighs more than that it is expired: a copy shows itself at whatever time it is
// used, and the reply to an exchange in the last second can be lost like any other.
func (t refreshToken) judge(now time.Time, grace time.Duration) verdict {
	switch {
	case t.revoked:
		return verdictEnded
	case t.usedAt != nil && now.Sub(*t.usedAt) < grace:
		return verdictAgain
	case t.usedAt != nil:
		return verdictReused
	case !now.Before(t.expiresAt):
		return verdictExpired
	}
	return verdictRotate
}

// refreshChain makes refresh tokens: the first of a session at random, each further one out of the one before. So the
// successor can be told again without having been stored, and without the key nobody can work it out.
type refreshChain struct{ key []byte }

func newRefreshChain(secret []byte) (refreshChain, error) {
	key, err := derive(secret, "nimbus refresh token successor", sha256.Size)
	return refreshChain{key}, err
}

func (refreshChain) first() string {
	b := make([]byte, refreshBytes)
	rand.Read(b) // never fails; the program ends when the system has no randomness
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func (c refreshChain) successor(token string) string {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(token))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// refreshHash is what is stored of a token. It needs no salt: the token has 256 bits that nobody can guess.
func refreshHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// VerifyRefresh says whose refresh token this is. It spends nothing; [Service.Refresh] does. Its problems are
// wrong_token_type, invalid_token, token_expired and session_ended. A token that has been used passes: that it was is for
// Refresh to find, and to act on.
func (s *Service) VerifyRefresh(ctx context.Context, token string) (*auth.Principal, error) {
	if !strings.HasPrefix(token, refreshPrefix) {
		return nil, problem.New(problem.CodeWrongTokenType, "This takes a refresh token, which begins with %s.", refreshPrefix)
	}
	if len(token) != refreshLength {
		return nil, errInvalidToken()
	}
	t, known, err := s.store.refreshToken(ctx, refreshHash(token))
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errInvalidToken()
	}
	switch t.judge(s.now(), s.refreshGrace) {
	case verdictEnded:
		return nil, errSessionEnded()
	case verdictExpired:
		return nil, errRefreshExpired()
	default:
		return &auth.Principal{Kind: auth.KindRefresh, AccountID: t.accountID, SessionID: t.sessionID,
			RefreshToken: token}, nil
	}
}

// Refresh exchanges a refresh token for a new pair and prolongs the session. Its problems are those of VerifyRefresh, and
// token_reused, after which the session is over.
func (s *Service) Refresh(ctx context.Context, token string) (*Session, error) {
	next := s.chain.successor(token)
	var known bool
	var t refreshToken
	var v verdict
	err := s.store.inTx(ctx, func(tx pgx.Tx) (err error) {
		if t, known, err = s.store.lockRefreshToken(ctx, tx, refreshHash(token)); err != nil || !known {
			return err
		}
		now := s.now()
		switch v = t.judge(now, s.refreshGrace); v {
		case verdictRotate:
			s.seen.Note(t.sessionID, now)
			return s.store.rotate(ctx, tx, rotation{
				used: refreshHash(token), usedAt: now,
				next: refreshHash(next), sessionID: t.sessionID, expiresAt: now.Add(s.refreshTTL),
			})
		case verdictReused:
			return s.endReused(ctx, tx, t.sessionID) // committed, although the caller gets an error
		default:
			return nil
		}
	})
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errInvalidToken()
	}
	if v == verdictAgain {
		if v, err = s.again(ctx, t.sessionID, next); err != nil {
			return nil, err
		}
	}
	switch v {
	case verdictEnded:
		return nil, errSessionEnded()
	case verdictExpired:
		return nil, errRefreshExpired()
	case verdictReused:
		return nil, problem.New(problem.CodeTokenReused, "This refresh token had been used before, so its session was ended. Log in again.")
	case verdictRotate, verdictAgain:
	}
	account, known, err := s.store.accountByID(ctx, t.accountID)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errSessionEnded()
	}
	return s.session(account, t.sessionID, next)
}

// again decides whether the successor may be handed out once more. Once it has been used, its reply was not lost: then
// two hold the token before it, and the session ends. A successor that is not there was made with another secret and
// cannot be told again; without it nobody can tell the owner from a thief either.
//
// This runs after the transaction that looked at the token itself. Were both rows locked in one, two refreshes of
// neighbouring tokens could each hold what the other waits for.
func (s *Service) again(ctx context.Context, session uuid.UUID, next string) (verdict, error) {
	t, known, err := s.store.refreshToken(ctx, refreshHash(next))
	switch {
	case err != nil:
		return 0, err
	case known && t.revoked:
		return verdictEnded, nil
	case known && t.usedAt == nil:
		return verdictAgain, nil
	}
	return verdictReused, s.store.inTx(ctx, func(tx pgx.Tx) error { return s.endReused(ctx, tx, session) })
}

// endReused ends a session whose token two people hold. The audit log names the system as the actor: neither of them asked.
func (s *Service) endReused(ctx context.Context, tx pgx.Tx, session uuid.UUID) error {
	ended, err := s.store.revokeSession(ctx, tx, session, s.now())
	if err != nil || !ended {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Action: audit.SessionReuse, Target: session.String(), System: true})
}

func errSessionEnded() error {
	return problem.New(problem.CodeSessionEnded, "This session is over. Log in again.")
}

func errRefreshExpired() error {
	return problem.New(problem.CodeTokenExpired, "The refresh token has expired. Log in again.")
}
