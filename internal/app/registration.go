package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/mail"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

// invitationsPerMinute is how many invitations an account may make: a team in a minute, and no mailing list.
const invitationsPerMinute = 20

// outboxOf is nil where no mail is sent.
func outboxOf(cfg *config.Config, reg prometheus.Registerer, log *slog.Logger) (*mail.Outbox, error) {
	if cfg.SMTPURL == "" {
		return nil, nil //nolint:nilnil // no mail is a valid choice
	}
	sender, err := mail.NewSender(cfg.SMTPURL, cfg.MailFrom)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_SMTP_URL: %w", err)
	}
	return mail.NewOutbox(sender.Send, cfg.PublicURL, reg, log), nil
}

// registrationsPerMinute is how often a network may register or ask for a new password: each costs a hash, and needs no account.
const registrationsPerMinute = 10

func projectsConfig(cfg *config.Config, state *ratelimit.State, outbox *mail.Outbox, now func() time.Time) projects.Config {
	c := projects.Config{Scopes: auth.KeyScopes(api.Operations), Now: now, Outbox: outbox, Dialects: dialectNames(dialectsOn(cfg)), Limits: projects.Limits{
		Projects: cfg.MaxProjectsPerAccount, Keys: cfg.MaxKeysPerProject, Members: cfg.MaxMembersPerProject}}
	if cfg.RateLimitEnabled {
		c.MayInvite = func(ctx context.Context, account uuid.UUID) time.Duration {
			return wait(ctx, state, ratelimit.Key{Group: "invitations", Subject: account.String()}, invitationsPerMinute)
		}
	}
	return c
}

// wait counts a call, and says how long to wait before the next one that is allowed: 0 where this one is.
func wait(ctx context.Context, state *ratelimit.State, key ratelimit.Key, perMinute int) time.Duration {
	v := state.Allow(ctx, key, ratelimit.Rate{PerMinute: perMinute})
	if v.Allowed {
		return 0
	}
	return max(v.RetryAfter, 1)
}

func accountsConfig(cfg *config.Config, members accounts.Memberships, outbox *mail.Outbox, state *ratelimit.State, reg prometheus.Registerer,
	now func() time.Time, log *slog.Logger) accounts.Config {
	c := accounts.Config{Secret: []byte(cfg.JWTSecret), AccessTTL: cfg.AccessTTL, RefreshTTL: cfg.RefreshTTL, BcryptCost: cfg.BcryptCost,
		Now: now, Attempts: state, OIDC: oidcOf(cfg, reg, log), Registration: accounts.Registration(cfg.RegistrationKind()),
		Domains: cfg.AllowedEmailDomains, SetupToken: setupToken(cfg), Members: members, Outbox: outbox}
	if cfg.RateLimitEnabled {
		c.MayRegister = func(ctx context.Context, network string) time.Duration {
			return wait(ctx, state, ratelimit.Key{Group: "registrations", Subject: network}, registrationsPerMinute)
		}
	}
	return c
}

// setupToken is what the first account needs. In development nobody but the developer reaches the server.
func setupToken(cfg *config.Config) string {
	if !cfg.Production() {
		return ""
	}
	return cmp.Or(cfg.SetupToken, accounts.SetupToken([]byte(cfg.JWTSecret)))
}

// announceSetup tells the operator of a server without an account how to make the first one. The token is of no use to a later
// reader of the log: it ends with the first account.
func announceSetup(ctx context.Context, account *accounts.Service, cfg *config.Config, log *slog.Logger) error {
	empty, err := account.Empty(ctx)
	if err != nil || !empty || !cfg.Production() {
		return err
	}
	which := "the one of NIMBUS_SETUP_TOKEN"
	if cfg.SetupToken == "" {
		which = setupToken(cfg)
	}
	log.Warn("there is no account yet: make the first one in a browser, with this token, or with nimbus accounts create EMAIL operator",
		"setup_token", which)
	return nil
}

func oidcOf(cfg *config.Config, reg prometheus.Registerer, log *slog.Logger) *accounts.OIDC {
	if cfg.OIDCIssuer == "" {
		return nil
	}
	return &accounts.OIDC{Issuer: cfg.OIDCIssuer, ClientID: cfg.OIDCClientID, ClientSecret: cfg.OIDCClientSecret,
		RedirectURL: cfg.OIDCRedirectURL, Name: cfg.OIDCName, Log: log, Registry: reg}
}
