package app

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/mcp"
	"github.com/bahagh/nimbus/openapi"
)

// assistants makes the tools of the contract. Pages of the server itself may use them, as those of NIMBUS_ALLOWED_ORIGINS.
func (a *App) assistants() httpapi.Assistants {
	origins := slices.Clone(a.cfg.AllowedOrigins)
	if u, err := url.Parse(a.cfg.PublicURL); err == nil && u.Host != "" {
		origins = append(origins, u.Scheme+"://"+u.Host)
	}
	o := mcp.Options{Operations: api.Operations, Spec: openapi.YAML, PublicURL: a.cfg.PublicURL, BasePath: a.cfg.BasePath}
	return httpapi.Assistants{Origins: origins, Serve: func(edge http.Handler) func(http.ResponseWriter, *http.Request) error {
		return mcp.Handler(o, edge)
	}}
}
