package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Listed is an account as the operators of the instance see it.
type Listed struct {
	Account
	Projects int   // that it owns
	Events   int64 // in them
}

// List returns at most limit accounts, newest first, that come after cursor and whose address contains part. next is empty
// on the last page. Its only problem is a cursor that is none.
func (s *Service) List(ctx context.Context, part string, limit int32, cursor string) (page []Listed, next string, err error) {
	read := func(before *uuid.UUID, limit int32) ([]Listed, error) {
		return s.store.list(ctx, auth.FoldEmail(part), before, limit)
	}
	if page, next, err = auth.Page(cursor, limit, read, func(l *Listed) uuid.UUID { return l.ID }); err != nil {
		return nil, "", err
	}
	return page, next, s.store.sizes(ctx, page)
}

// Find returns the account of an address, or problem.NotFound.
func (s *Service) Find(ctx context.Context, email string) (Account, error) {
	account, known, err := s.store.accountByEmail(ctx, auth.FoldEmail(email))
	if err == nil && !known {
		err = problem.NotFound()
	}
	return account, err
}

// Create makes an account without a password, and the link by which its person sets one. It is for operators: the rules
// of registration do not apply. Its problems are validation_failed and email_taken.
func (s *Service) Create(ctx context.Context, email string, operator bool) (Listed, Link, error) {
	email = auth.FoldEmail(email)
	if !contract.IsEmail(email) {
		return Listed{}, Link{}, problem.Field(contract.InBody, "/email", contract.CodeFormat, "must be an e-mail address")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Listed{}, Link{}, fmt.Errorf("make account id: %w", err)
	}
	var account Account
	var link Link
	err = s.store.inTx(ctx, func(tx pgx.Tx) error {
		empty, err := s.isEmpty(ctx, tx)
		if err != nil {
			return err
		}
		operator = operator || empty // as where the first one registers
		if account, err = s.store.createAccount(ctx, tx, id, email, noPassword, operator); err != nil {
			return err
		}
		if link, err = s.makeLink(ctx, tx, id, linkTime); err != nil {
			return err
		}
		changes := audit.Changes{}
		changes.Diff("operator", nil, operator)
		return audit.Record(ctx, tx, audit.Entry{Action: audit.AccountCreate, Target: id.String(), Changes: changes})
	})
	return Listed{Account: account}, link, registered(err)
}

// AccountChange is what Update does; nil leaves a member as it is.
type AccountChange struct {
	Disabled *bool
	Operator *bool
}

// Update changes what an account may do here. A disabled account has no session, and opens none. Its problems are
// problem.NotFound and last_operator.
func (s *Service) Update(ctx context.Context, id uuid.UUID, change AccountChange) (Listed, error) {
	var after Listed
	err := s.store.inTx(ctx, func(tx pgx.Tx) error {
		before, err := s.store.lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		after = before
		if change.Disabled != nil {
			after.Disabled = *change.Disabled
		}
		if change.Operator != nil {
			after.Operator = *change.Operator
		}
		if before.operates() && !after.operates() {
			if err := s.checkOtherOperator(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := s.store.updateAccount(ctx, tx, after, s.now()); err != nil {
			return err
		}
		if after.Disabled {
			err = errors.Join(s.store.revokeSessions(ctx, tx, id, s.now()), s.store.deleteResets(ctx, tx, id))
			if err != nil {
				return err
			}
		}
		changes := audit.Changes{}
		changes.Diff("disabled", before.Disabled, after.Disabled)
		changes.Diff("operator", before.Operator, after.Operator)
		return audit.Record(ctx, tx, audit.Entry{Action: audit.AccountUpdate, Target: id.String(), Changes: changes})
	})
	if err != nil {
		return Listed{}, err
	}
	page := []Listed{after}
	err = s.store.sizes(ctx, page)
	return page[0], err
}

// Delete removes an account with its sessions and memberships. Projects that it alone owns are deleted too, or are the problem
// last_owner. Its other problems are problem.NotFound and last_operator.
func (s *Service) Delete(ctx context.Context, id uuid.UUID, withProjects bool) error {
	defer s.members.Changed()
	return s.store.inTx(ctx, func(tx pgx.Tx) error {
		account, err := s.store.lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if account.operates() {
			if err := s.checkOtherOperator(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := s.members.Abandon(ctx, tx, id, withProjects); err != nil {
			return err
		}
		changes := audit.Changes{}
		changes.Diff("email", account.Email, nil)
		if err := audit.Record(ctx, tx, audit.Entry{Action: audit.AccountDelete, Target: id.String(), Changes: changes}); err != nil {
			return err
		}
		return s.store.deleteAccount(ctx, tx, id)
	})
}

// operates reports whether the account is an operator who can log in.
func (l *Listed) operates() bool { return l.Operator && !l.Disabled }

// checkOtherOperator refuses to lose the last operator: nobody could then undo it but with the database. Changes of operators
// happen one after the other.
func (s *Service) checkOtherOperator(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	n, err := s.store.otherOperators(ctx, tx, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return problem.New(problem.CodeLastOperator, "This is the last account that operates the server and can log in.")
	}
	return nil
}
