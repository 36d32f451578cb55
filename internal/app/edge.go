package app

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bahagh/nimbus/frontend"
	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/people"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/openapi"
)

// startJobs starts the background jobs of every group.
func (a *App) startJobs() {
	a.jobs = jobs.New(a.db.Pool, slices.Concat(a.events.jobs(a.clocks), a.access.jobs(a.clocks), a.behaviour.jobs(a.clocks)), a.reg, time.Now, a.log)
	a.jobs.Start()
}

// wireEdge creates the HTTP handlers: every operation of the contract, behind the rules that the contract states.
func (a *App) wireEdge() error {
	ready := a.newHealth()
	a.health = ready
	stream := live.NewAPI(a.hub, a.cfg.AllowedOrigins)
	srv := &server{
		accountsAPI:  accounts.NewAPI(a.access.accounts),
		projectsAPI:  projects.NewAPI(a.access.projects),
		auditAPI:     audit.NewAPI(a.access.log),
		eventsAPI:    a.events.history,
		usageAPI:     a.events.usage,
		liveAPI:      stream,
		trendsAPI:    a.insights.trends,
		savedAPI:     a.insights.saved,
		cohortAPI:    a.insights.cohorts,
		peopleAPI:    people.NewAPI(a.behaviour.store, a.behaviour.eraser),
		answersAPI:   a.insights.answers,
		healthAPI:    ready,
		catalogueAPI: a.behaviour.catalogue,
		compatAPI:    compat.NewAPI(a.events.compat),
	}
	handler, err := httpapi.New(routes{ServerInterface: api.NewStrictHandler(srv, nil), events: a.events.native, live: stream}, httpapi.Options{
		AppName: a.cfg.AppName, BasePath: a.cfg.BasePath, Log: a.log, Registry: a.reg, Tracer: a.tracer(), AllowedOrigins: a.cfg.AllowedOrigins,
		Operations: api.Operations, Vendors: vendors(a.events.compat), Assistants: a.assistants(), Spec: openapi.YAML, Ready: ready.serve, Dashboard: frontend.Dist,
		Access: a.access.rules, Replies: a.access.replies, Credentials: a.access.credentials(a.hub),
		TrustedProxies: a.cfg.TrustedProxies, Limits: limitsOf(a.cfg, a.state), Connections: a.cfg.DBPoolSize, BulkMemory: a.bulkMemory,
	})
	if err != nil {
		return err
	}
	a.reg.MustRegister(healthCollector{ready})
	if a.cfg.Embedded() {
		a.reg.MustRegister(diskCollector(a.cfg.DataDir))
	}
	a.handler = handler
	a.admin = ownHosts(a.cfg.AdminHosts, adminHandler(a.reg))
	return nil
}

func (a *App) newHealth() *health {
	h := &health{pool: a.db.Pool, clocks: a.clocks, room: a.events.quotas.Health, behind: a.behaviour.store.Behind, log: a.log, reads: a.reads, checks: []func() error{a.events.batcher.Health, a.jobs.Health, a.access.keys.Health}}
	if a.redis != nil {
		h.redis = a.redis.Health
	}
	return h
}

// requestsPerAddress is the limit of requests without credentials: far more than one person needs, and few enough
// that guessing is slow.
const requestsPerAddress = 120

func limitsOf(cfg *config.Config, state *ratelimit.State) httpapi.Limits {
	l := httpapi.Limits{PerAddress: requestsPerAddress, PerCaller: cfg.RateLimitPerMinute, Ingestion: 2 * cfg.RateLimitPerMinute}
	if cfg.RateLimitEnabled {
		l.Allow = state.Allow
	}
	return l
}

// ownHosts refuses requests that came by a name which is not this listener's. A page whose name is made to resolve to this
// machine (DNS rebinding) would else read metrics and profiles through its visitor's browser. An address as the name is
// that of no page.
func ownHosts(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
		_, err := netip.ParseAddr(name)
		own := func(n string) bool { return strings.EqualFold(n, name) }
		if err != nil && !own("localhost") && !slices.ContainsFunc(names, own) {
			http.Error(w, "This listener is not asked by that name: add it to NIMBUS_ADMIN_HOSTS.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func adminHandler(reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
