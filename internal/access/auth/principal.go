package auth

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// Principal is who sent a request, as the credentials prove it.
type Principal struct {
	Kind      Kind
	AccountID uuid.UUID // of a session
	SessionID uuid.UUID // of a session
	Operator  bool      // of a session: its account operates the instance
	ProjectID uuid.UUID // of a key: the only project it is good for
	KeyID     string    // of a key
	Scopes    []string  // of a key, what it may do: the x-scope of operations
	// DialectsOff are the vendors whose SDKs the project of a write key or of a secret takes nothing from.
	DialectsOff []string

	// Signature and SignedAt are set on a signed request: they make its events the same events when it is replayed.
	Signature string
	SignedAt  int64 // Unix seconds

	// RefreshToken is set on a request that carries one, and InCookie when it came in a cookie.
	RefreshToken string
	InCookie     bool
}

// The cookies of a browser. Over https the edge gives them the prefix __Host- and takes it off again.
const (
	RefreshCookie = "nimbus_refresh" // keeps the refresh token of a session
	LoginCookie   = "nimbus_oidc"    // connects a login at the identity provider with the browser that began it
)

// Kind is the kind of credentials.
type Kind int

// The kinds of credentials.
const (
	KindAccount  Kind = iota + 1 // an access token
	KindRefresh                  // a refresh token
	KindAPIKey                   // a project's secret, sent or signed with
	KindWriteKey                 // a public write key
)

// WriteKeyScopes are what every write key may do. An API key has scopes of its own, an account roles.
var WriteKeyScopes = []string{"events:write"}

// Allows reports whether the principal has the scope.
func (p *Principal) Allows(scope string) bool { return slices.Contains(p.Scopes, scope) }

// Subject names the caller, for what is counted for each: the account, or the key.
func (p *Principal) Subject() string {
	if p.KeyID != "" {
		return p.KeyID
	}
	return p.AccountID.String()
}

type principalKey struct{}

// WithPrincipal returns a context that carries the principal.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the principal of a request. It panics when there is none: the operation would be public, and its
// handler must not ask.
func From(ctx context.Context) *Principal {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	if !ok {
		panic("auth: no principal in a public operation")
	}
	return p
}
