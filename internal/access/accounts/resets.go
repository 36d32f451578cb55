package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/mail"
)

const (
	linkTime = 3 * 24 * time.Hour // of a link that an operator hands over
	mailTime = time.Hour          // of one that is mailed
	// mailPause is how long an account is sent no second link: a stranger who knows the address must not fill a mailbox.
	mailPause = 5 * time.Minute
)

// Link is the way to a new password. Who has it, has the account.
type Link struct {
	Token     string
	ExpiresAt time.Time
}

// Path is the page that takes the token.
func (l Link) Path() string { return auth.ResetPage + l.Token }

// ResetLink makes a link for the person of an account. Its only problem is problem.NotFound.
func (s *Service) ResetLink(ctx context.Context, account uuid.UUID) (Link, error) {
	var link Link
	err := s.store.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := s.store.lockAccount(ctx, tx, account); err != nil {
			return err
		}
		var err error
		link, err = s.makeLink(ctx, tx, account, linkTime)
		return err
	})
	return link, err
}

func (s *Service) makeLink(ctx context.Context, tx pgx.Tx, account uuid.UUID, lives time.Duration) (Link, error) {
	token, hash := auth.NewLinkToken(auth.ResetPrefix)
	link := Link{Token: token, ExpiresAt: s.now().Add(lives)}
	if err := s.store.createReset(ctx, tx, hash, account, s.now(), link.ExpiresAt); err != nil {
		return Link{}, err
	}
	return link, audit.Record(ctx, tx, audit.Entry{Action: audit.ResetLink, Target: account.String()})
}

// RequestReset has a link mailed to the address, if it is that of an account that can log in. It answers before it has looked:
// neither the answer nor its time tells who has an account. Its problems are mail_not_configured and rate_limited.
func (s *Service) RequestReset(ctx context.Context, email string) error {
	if s.outbox == nil {
		return problem.New(problem.CodeMailNotConfigured, "This server sends no mail. Its operator can make a link.")
	}
	if err := s.unhurried(ctx); err != nil {
		return err
	}
	email = auth.FoldEmail(email)
	from := auth.RequestOf(ctx)
	queued := s.outbox.Enqueue("password reset", func(ctx context.Context) (*mail.Message, error) {
		return s.resetMail(auth.WithRequest(ctx, from), email)
	})
	if !queued {
		return &problem.Error{Code: problem.CodeRateLimited, RetryAfter: time.Minute, Detail: "Too many mails are waiting. Try again."}
	}
	return nil
}

// resetMail is nil when there is nobody to write to.
func (s *Service) resetMail(ctx context.Context, email string) (*mail.Message, error) {
	var link *Link
	err := s.store.inTx(ctx, func(tx pgx.Tx) error {
		link = nil
		account, known, err := s.store.lockAccountByEmail(ctx, tx, email)
		if err != nil || !known || account.Disabled {
			return err
		}
		recent, err := s.store.resetSince(ctx, tx, account.ID, s.now().Add(-mailPause))
		if err != nil || recent {
			return err
		}
		made, err := s.makeLink(ctx, tx, account.ID, mailTime)
		link = &made
		return err
	})
	if err != nil || link == nil {
		return nil, err
	}
	return &mail.Message{To: email, Subject: "Your new password", Text: "Somebody asked for a new password for this address.\n\n" +
		"If it was you, set it here within an hour:\n" + s.outbox.Link(link.Path()) + "\n\n" +
		"If not, there is nothing to do: your password stays as it is.\n"}, nil
}

// Reset sets the password of the account that a link is for, ends its sessions and its other links, and opens a session. Its
// problems are validation_failed, rate_limited and link_invalid.
func (s *Service) Reset(ctx context.Context, token, password string) (*Session, error) {
	if errs := passwordErrors("/new_password", password); len(errs) > 0 {
		return nil, problem.Invalid(errs...)
	}
	if err := s.unhurried(ctx); err != nil {
		return nil, err
	}
	// First without a transaction: a link that does not work must not keep a processor busy.
	if _, err := s.store.resetAccount(ctx, nil, auth.LinkHash(token), s.now()); err != nil {
		return nil, err
	}
	hash, err := s.passwords.hash(ctx, notUrgent, password)
	if err != nil {
		return nil, err
	}
	var session *Session
	err = s.store.inTx(ctx, func(tx pgx.Tx) error {
		account, err := s.store.resetAccount(ctx, tx, auth.LinkHash(token), s.now())
		if err != nil {
			return err
		}
		err = errors.Join(s.store.deleteResets(ctx, tx, account.ID), s.store.setPassword(ctx, tx, account.ID, hash),
			s.store.revokeSessions(ctx, tx, account.ID, s.now()))
		if err != nil {
			return err
		}
		if session, err = s.open(ctx, tx, account); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: audit.PasswordReset, Target: account.ID.String(), Account: account.ID})
	})
	return session, err
}

func errLinkInvalid() error {
	return problem.New(problem.CodeLinkInvalid, "This link was used or has expired, or never was one. Ask for a new one.")
}
