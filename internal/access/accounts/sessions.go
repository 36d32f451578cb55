package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// OpenSession is a session as its owner sees it.
type OpenSession struct {
	ID         uuid.UUID
	CreatedAt  time.Time
	LastSeenAt time.Time // true to the minute
	ExpiresAt  time.Time
	IP         string // from where it was opened; empty when that is not known
	UserAgent  string
}

// Sessions returns the account's sessions that are not over, newest first.
func (s *Service) Sessions(ctx context.Context, account uuid.UUID) ([]OpenSession, error) {
	return s.store.sessions(ctx, account, s.now())
}

// RevokeSession ends a session of the account: its access tokens and its refresh tokens stop working at once, on every
// node. One that is over, or not the account's, is problem.NotFound.
func (s *Service) RevokeSession(ctx context.Context, account, session uuid.UUID) error {
	ended, err := s.end(ctx, audit.SessionRevoke, account, session)
	if err == nil && !ended {
		return problem.NotFound()
	}
	return err
}

// Logout ends the caller's own session, as RevokeSession does. Its only problem is session_ended.
func (s *Service) Logout(ctx context.Context, account, session uuid.UUID) error {
	ended, err := s.end(ctx, audit.Logout, account, session)
	if err == nil && !ended {
		return errSessionEnded()
	}
	return err
}

func (s *Service) end(ctx context.Context, action audit.Action, account, session uuid.UUID) (ended bool, err error) {
	err = s.store.inTx(ctx, func(tx pgx.Tx) (err error) {
		if ended, err = s.store.revokeOwnSession(ctx, tx, account, session, s.now()); err != nil || !ended {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: action, Target: session.String(), Account: account})
	})
	return ended, err
}

// LastSeen is when sessions were last seen. Somebody must run it.
func (s *Service) LastSeen() *auth.Uses[uuid.UUID] { return s.seen }
