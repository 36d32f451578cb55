package app

import (
	"slices"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/compat/mixpanel"
	"github.com/bahagh/nimbus/internal/events/compat/plausible"
	"github.com/bahagh/nimbus/internal/events/compat/posthog"
	"github.com/bahagh/nimbus/internal/events/compat/segment"
	"github.com/bahagh/nimbus/internal/events/compat/umami"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/platform/config"
)

// dialects are all that there are.
var dialects = []compat.Dialect{segment.Dialect{}, mixpanel.Dialect{}, posthog.Dialect{}, umami.Dialect{}, plausible.Dialect{}}

// dialectsOn are those that this server speaks.
func dialectsOn(cfg *config.Config) []compat.Dialect {
	return slices.DeleteFunc(slices.Clone(dialects), func(d compat.Dialect) bool { return !slices.Contains(cfg.Compat, d.Name()) })
}

func dialectNames(all []compat.Dialect) []string {
	names := make([]string, len(all))
	for k, d := range all {
		names[k] = d.Name()
	}
	return names
}

// wireCompat makes the way in for other vendors' SDKs, of the dialects that are switched on.
func (a *App) wireCompat(g *eventsGroup) {
	g.quarantine = compat.NewQuarantine(a.db.Pool, a.reg, a.now)
	g.compat = compat.NewServer(a.access.keys, g.ingester, g.quarantine, a.cfg.BasePath, a.now, a.log, dialectsOn(a.cfg)...)
}

// vendors are the operations of the contract in other vendors' wire formats.
func vendors(s *compat.Server) httpapi.Vendors {
	return httpapi.Vendors{Operations: api.VendorOperations, Serves: s.Serves, Serve: func(r *httpapi.VendorRequest) error {
		return s.Serve(r, r.Operation.Dialect, r.Operation.ID, compat.Edge{Body: r.Body, Admit: r.Admit, Deny: r.Deny})
	}}
}
