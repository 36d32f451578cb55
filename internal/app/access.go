package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/idempotency"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/mail"
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

	auditRetention time.Duration

	watching sync.WaitGroup // of changed keys, of uses, and of mails
	stop     context.CancelFunc
}

func (a *App) wireAccess(ctx context.Context) (*accessGroup, error) {
	pool := a.db.Pool
	ring, err := secretbox.New(a.cfg.SecretKey, a.cfg.SecretKeyPrevious...)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_SECRET_KEY: %w", err)
	}
	outbox, err := outboxOf(a.cfg, a.reg, a.log)
	if err != nil {
		return nil, err
	}
	project := projects.New(pool, ring, projectsConfig(a.cfg, a.state, outbox, a.now))
	account, err := accounts.New(pool, accountsConfig(a.cfg, project, outbox, a.state, a.reg, a.now, a.log))
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	g := &accessGroup{
		accounts: account,
		projects: project,
		keys:     projects.NewKeys(pool, ring, a.now),
		rules:    auth.NewAccess(pool),
		replies:  idempotency.New(pool, ring, a.now),
		log:      audit.NewLog(pool),
	}
	g.projects.OnChange(g.keys.Forget)
	a.reg.MustRegister(&projectCollector{active: g.projects.CountActive, deleted: g.projects.CountDeleted})
	a.reg.MustRegister(watchCollectors(g.keys)...)
	g.watch(pool, outbox, a.log)
	g.auditRetention = a.cfg.AuditRetention
	if err := announceSetup(ctx, account, a.cfg, a.log); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// watch follows the changes of keys that other nodes make, writes down when keys and sessions were last used, and sends mails.
func (g *accessGroup) watch(pool *pgxpool.Pool, outbox *mail.Outbox, log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.watching.Go(func() { g.keys.Watch(ctx, pool, log) })
	g.watching.Go(func() { g.keys.LastUsed().Run(ctx, log) })
	g.watching.Go(func() { g.accounts.LastSeen().Run(ctx, log) })
	if outbox != nil {
		g.watching.Go(func() { outbox.Run(ctx) })
	}
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
		{Name: "prune expired invitations", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.projects.PruneInvitations)},
		{Name: "prune the audit log", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(func(ctx context.Context, now time.Time) error {
			return g.log.Prune(ctx, now, g.auditRetention)
		})},
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
