package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/idempotency"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// accessGroup is the wired slices of internal/access.
type accessGroup struct {
	accounts *accounts.Service
	projects *projects.Projects
	keys     *projects.Keys
	rules    *auth.Access
	replies  *idempotency.Replies
	log      *audit.Log

	watching sync.WaitGroup // of changed keys, and of uses
	stop     context.CancelFunc
}

func (a *App) wireAccess() (*accessGroup, error) {
	pool := a.db.Pool
	ring, err := secretbox.New(a.cfg.SecretKey, a.cfg.SecretKeyPrevious...)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_SECRET_KEY: %w", err)
	}
	account, err := accounts.New(pool, accounts.Config{Secret: []byte(a.cfg.JWTSecret), AccessTTL: a.cfg.AccessTTL,
		RefreshTTL: a.cfg.RefreshTTL, BcryptCost: a.cfg.BcryptCost, Now: a.now, Attempts: a.state, OIDC: oidcOf(a.cfg, a.reg, a.log)})
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	g := &accessGroup{
		accounts: account,
		projects: projects.New(pool, ring, auth.KeyScopes(api.Operations), a.now),
		keys:     projects.NewKeys(pool, ring, a.now),
		rules:    auth.NewAccess(pool),
		replies:  idempotency.New(pool, ring, a.now),
		log:      audit.NewLog(pool),
	}
	g.projects.OnChange(g.keys.Forget)
	a.reg.MustRegister(&projectCollector{active: g.projects.CountActive, deleted: g.projects.CountDeleted})
	a.reg.MustRegister(watchCollectors(g.keys)...)
	g.watch(pool, a.log)
	return g, nil
}

// watch listens for key changes of other nodes, and stores when keys and sessions were last used.
func (g *accessGroup) watch(pool *pgxpool.Pool, log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.watching.Go(func() { g.keys.Watch(ctx, pool, log) })
	g.watching.Go(func() { g.keys.LastUsed().Run(ctx, log) })
	g.watching.Go(func() { g.accounts.LastSeen().Run(ctx, log) })
}

func (g *accessGroup) close() {
	g.stop()
	g.watching.Wait()
}

func (g *accessGroup) jobs(clocks *clock.Clocks) []jobs.Job {
	return []jobs.Job{
		{Name: "purge deleted projects", Every: 30 * time.Second, Limit: 10 * time.Minute, Run: g.projects.Purge},
		{Name: "prune ended sessions", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.accounts.Prune)},
		{Name: "prune expired keys", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.projects.PruneKeys)},
		{Name: "prune idempotency keys", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.replies.Prune)},
	}
}

// credentials are the verifiers of each kind of credentials. Tickets are those of the live stream.
func (g *accessGroup) credentials(hub *live.Hub) httpapi.Credentials {
	return httpapi.Credentials{Access: g.accounts.VerifyAccess, Refresh: g.accounts.VerifyRefresh, Secret: g.keys.VerifySecret,
		WriteKey: g.keys.VerifyWriteKey, Signature: g.keys.VerifySignature, Ticket: hub.Ticket}
}

// mayStream checks whether the caller in the context may still read the live stream of a project.
func (g *accessGroup) mayStream() live.Access {
	rule := auth.RuleOf(api.Operations["streamEvents"])
	return func(ctx context.Context, project uuid.UUID) error {
		p := auth.From(ctx)
		if err := g.rules.Scope(p, rule); err != nil {
			return err
		}
		return g.rules.Project(ctx, p, rule, project, false)
	}
}

// revive verifies the credentials of a principal again, in the slice that issued them.
func (g *accessGroup) revive() live.Revive {
	return func(ctx context.Context, p *auth.Principal) (*auth.Principal, error) {
		if p.Kind == auth.KindAPIKey {
			return g.keys.Revive(ctx, p.KeyID)
		}
		return g.accounts.Revive(ctx, p.AccountID, p.SessionID)
	}
}

func oidcOf(cfg *config.Config, reg prometheus.Registerer, log *slog.Logger) *accounts.OIDC {
	if cfg.OIDCIssuer == "" {
		return nil
	}
	return &accounts.OIDC{Issuer: cfg.OIDCIssuer, ClientID: cfg.OIDCClientID, ClientSecret: cfg.OIDCClientSecret,
		RedirectURL: cfg.OIDCRedirectURL, Name: cfg.OIDCName, Log: log, Registry: reg}
}
