package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// empty reports whether there is no account. With a transaction it waits for the one that is making the first account.
func (s store) empty(ctx context.Context, tx pgx.Tx) (bool, error) {
	on := db.DBTX(s.pool)
	if tx != nil {
		on = tx
		if err := s.lockOperators(ctx, tx); err != nil {
			return false, err
		}
	}
	populated, err := s.q.InstanceHasAccounts(ctx, on)
	if err != nil {
		return false, fmt.Errorf("count accounts: %w", err)
	}
	return !populated, nil
}

// lockOperators lets what makes and unmakes operators happen one after the other.
func (s store) lockOperators(ctx context.Context, tx pgx.Tx) error {
	if err := s.q.InstanceLock(ctx, tx); err != nil {
		return fmt.Errorf("lock the operators: %w", err)
	}
	return nil
}

// lockAccount returns problem.NotFound for an account that is not there.
func (s store) lockAccount(ctx context.Context, tx pgx.Tx, id uuid.UUID) (Listed, error) {
	a, err := s.q.InstanceAccountLock(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Listed{}, problem.NotFound()
	}
	if err != nil {
		return Listed{}, fmt.Errorf("lock account: %w", err)
	}
	return Listed{Account: account(a)}, nil
}

func (s store) list(ctx context.Context, part string, before *uuid.UUID, limit int32) ([]Listed, error) {
	rows, err := s.q.InstanceAccounts(ctx, s.pool, before, part, limit)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	page := make([]Listed, len(rows))
	for i, row := range rows {
		page[i] = Listed{Account: account(row)}
	}
	return page, nil
}

// sizes fills in what the accounts own.
func (s store) sizes(ctx context.Context, page []Listed) error {
	ids, at := make([]uuid.UUID, len(page)), make(map[uuid.UUID]int, len(page))
	for i := range page {
		ids[i], at[page[i].ID] = page[i].ID, i
	}
	owned, err := s.q.InstanceOwned(ctx, s.pool, ids)
	if err != nil {
		return fmt.Errorf("list who owns what: %w", err)
	}
	projects := make([]uuid.UUID, len(owned))
	for i, o := range owned {
		projects[i] = o.ProjectID
	}
	counts, err := s.q.InstanceEvents(ctx, s.pool, projects)
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	events := make(map[uuid.UUID]int64, len(counts))
	for _, c := range counts {
		events[c.ProjectID] = c.Events
	}
	for _, o := range owned {
		page[at[o.AccountID]].Projects++
		page[at[o.AccountID]].Events += events[o.ProjectID]
	}
	return nil
}

func (s store) updateAccount(ctx context.Context, tx pgx.Tx, a Listed, now time.Time) error {
	err := s.q.InstanceAccountUpdate(ctx, tx, db.InstanceAccountUpdateParams{ID: a.ID, Operator: a.Operator, Disabled: a.Disabled, Now: now})
	if err != nil {
		return fmt.Errorf("update account: %w", err)
	}
	return nil
}

func (s store) deleteAccount(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	if _, err := s.q.InstanceAccountDelete(ctx, tx, id); err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	return nil
}

// otherOperators counts the operators who can log in, but for one account.
func (s store) otherOperators(ctx context.Context, tx pgx.Tx, id uuid.UUID) (int64, error) {
	if err := s.lockOperators(ctx, tx); err != nil {
		return 0, err
	}
	n, err := s.q.InstanceOtherOperators(ctx, tx, id)
	if err != nil {
		return 0, fmt.Errorf("count operators: %w", err)
	}
	return n, nil
}

func (s store) createReset(ctx context.Context, tx pgx.Tx, hash []byte, account uuid.UUID, now, expiresAt time.Time) error {
	err := s.q.PasswordResetCreate(ctx, tx, db.PasswordResetCreateParams{TokenHash: hash, AccountID: account, Now: now, ExpiresAt: expiresAt})
	if err != nil {
		return fmt.Errorf("create a link to a new password: %w", err)
	}
	return nil
}

// resetSince reports whether the account was made a link after a time.
func (s store) resetSince(ctx context.Context, tx pgx.Tx, account uuid.UUID, since time.Time) (bool, error) {
	recent, err := s.q.PasswordResetRecent(ctx, tx, account, since)
	if err != nil {
		return false, fmt.Errorf("look for links to a new password: %w", err)
	}
	return recent, nil
}

// resetAccount returns the account of a link, locked until the transaction ends, or link_invalid; tx may be nil.
func (s store) resetAccount(ctx context.Context, tx pgx.Tx, hash []byte, now time.Time) (Account, error) {
	on := db.DBTX(s.pool)
	if tx != nil {
		on = tx
	}
	a, err := s.q.PasswordResetAccount(ctx, on, hash, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, errLinkInvalid()
	}
	if err != nil {
		return Account{}, fmt.Errorf("find a link to a new password: %w", err)
	}
	return account(a), nil
}

func (s store) deleteResets(ctx context.Context, tx pgx.Tx, account uuid.UUID) error {
	if err := s.q.PasswordResetDeleteAll(ctx, tx, account); err != nil {
		return fmt.Errorf("delete links to a new password: %w", err)
	}
	return nil
}

func (s store) pruneResets(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q.PasswordResetPrune(ctx, s.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune links to a new password: %w", err)
	}
	return n, nil
}
