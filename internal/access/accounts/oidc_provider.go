package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/oauth2"
)

const (
	providerTime  = 5 * time.Second // for everything that one question takes
	providerBytes = 512 << 10       // of one answer
	// providerFresh is how long keys are used without asking again, so that one that was withdrawn is forgotten.
	providerFresh = time.Hour
	// providerTrust is how long keys are used while the provider does not answer.
	providerTrust = 24 * time.Hour
	// providerPause lies between two questions for keys: tokens that strangers make up must not turn us against the provider.
	providerPause = 10 * time.Second
)

var (
	errProviderAway    = errors.New("the identity provider cannot be asked")
	errProviderRefused = errors.New("the identity provider refused the code")
)

// OIDC is an OpenID provider and how we are known there.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string // empty for a public client
	RedirectURL  string // of /v1/auth/oidc/callback, as browsers reach it
	Name         string // what people call it; the host of Issuer
	Log          *slog.Logger
	Registry     prometheus.Registerer
}

// provider is the OpenID provider. It is asked when it is needed and not before, so Nimbus starts without it.
type provider struct {
	config   OIDC
	client   *http.Client
	patience time.Duration // with one question
	now      func() time.Time
	asking   chan struct{} // held by the one who asks; the others wait for what comes of it
	failures *prometheus.CounterVec

	mu    sync.Mutex
	state *providerState // what was last learned; nil before the first time
	tried time.Time
	err   error // what came of the last attempt
}

// providerState is what a provider says about itself. It does not change.
type providerState struct {
	oauth oauth2.Config
	keys  providerKeys
	since time.Time
}

func newProvider(config OIDC, now func() time.Time) *provider {
	p := &provider{config: config, now: now, asking: make(chan struct{}, 1), patience: providerTime,
		client: &http.Client{
			// An address of the provider that moved is for the operator to see, not to be followed to wherever.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_oidc_failures_total",
			Help: "Questions to the identity provider that failed: for its keys, or for a token."}, []string{"question"}),
	}
	for _, question := range []string{questionKeys, questionToken} {
		p.failures.WithLabelValues(question)
	}
	config.Registry.MustRegister(p.failures)
	return p
}

const (
	questionKeys  = "keys"
	questionToken = "token"
)

// current returns what is known of the provider, asking it when that is old.
func (p *provider) current(ctx context.Context) (*providerState, error) {
	state, _, _ := p.last()
	if state == nil {
		return p.ask(ctx, nil, true)
	}
	age := p.now().Sub(state.since)
	if age < providerFresh {
		return state, nil
	}
	newer, err := p.ask(ctx, state, age >= providerTrust)
	if err != nil && age < providerTrust {
		return state, nil
	}
	return newer, err
}

func (p *provider) last() (*providerState, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.tried, p.err
}

// ask asks the provider, unless somebody else has learned something newer than seen, or asked a moment ago. Then it
// returns what came of that. With wait false it does not wait for another's question.
func (p *provider) ask(ctx context.Context, seen *providerState, wait bool) (*providerState, error) {
	select {
	case p.asking <- struct{}{}:
	default:
		if !wait {
			return seen, nil
		}
		select {
		case p.asking <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errProviderAway, ctx.Err())
		}
	}
	defer func() { <-p.asking }()
	state, tried, err := p.last()
	if state != seen {
		return state, nil
	}
	now := p.now()
	if !tried.IsZero() && now.Sub(tried) < providerPause {
		return state, err
	}
	// Others wait for the answer too, so it does not depend on whether this caller stays.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience)
	defer cancel()
	learned, err := p.learn(ctx)
	if err != nil {
		p.failures.WithLabelValues(questionKeys).Inc()
		p.config.Log.Warn("the identity provider cannot be asked for its keys", "issuer", p.config.Issuer, "error", err)
		err = fmt.Errorf("%w: %w", errProviderAway, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.err = now, err
	if err != nil {
		return state, err
	}
	learned.since = now
	p.state = learned
	return learned, nil
}

// metadata is what we read of a discovery document.
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

// learn reads the discovery document and the keys.
func (p *provider) learn(ctx context.Context) (*providerState, error) {
	b, err := p.get(ctx, strings.TrimSuffix(p.config.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var m metadata
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read the discovery document: %w", err)
	}
	if m.Issuer != p.config.Issuer {
		return nil, fmt.Errorf("the discovery document is of the issuer %.200q", m.Issuer)
	}
	for _, endpoint := range []string{m.Authorization, m.Token, m.Keys} {
		if err := p.checkEndpoint(endpoint); err != nil {
			return nil, err
		}
	}
	if b, err = p.get(ctx, m.Keys); err != nil {
		return nil, err
	}
	keys, err := parseKeys(b)
	if err != nil {
		return nil, err
	}
	return &providerState{keys: keys, oauth: oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, RedirectURL: p.config.RedirectURL,
		Scopes:   []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: authStyle(&m, p.config.ClientSecret)},
	}}, nil
}

// checkEndpoint keeps codes, secrets and keys from travelling less safely than the discovery document did.
func (p *provider) checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || strings.HasPrefix(p.config.Issuer, "https:")) {
		return fmt.Errorf("the discovery document has no use for %.200q as an address", endpoint)
	}
	return nil
}

// authStyle is how the client proves itself. Trying both would spend the code, which works once.
func authStyle(m *metadata, secret string) oauth2.AuthStyle {
	if secret == "" || slices.Contains(m.AuthMethods, "client_secret_post") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader // what the specification says of a provider that says nothing
}

func (p *provider) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, res.Status)
	}
	b, err := io.ReadAll(http.MaxBytesReader(nil, res.Body, providerBytes))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	return b, nil
}

// redeem exchanges a code for an ID token. Its errors are errProviderRefused and errProviderAway.
func (p *provider) redeem(ctx context.Context, state *providerState, code, verifier string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.client), p.patience)
	defer cancel()
	token, err := state.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		p.failures.WithLabelValues(questionToken).Inc()
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
			// What else the answer has may repeat the code.
			p.config.Log.Warn("the identity provider refused a code", "issuer", p.config.Issuer, "status", refused.Response.StatusCode,
				"error", fmt.Sprintf("%.100q", refused.ErrorCode))
			return "", errProviderRefused
		}
		p.config.Log.Warn("the identity provider gave no token for a code", "issuer", p.config.Issuer)
		return "", errProviderAway
	}
	raw, _ := token.Extra("id_token").(string)
	return raw, nil
}

// verify checks a token of the provider. When it is signed with a key that is not known, the provider is asked for its
// keys, but not more often than it should be. Its errors are errProviderAway, and others that mean a bad token.
func (p *provider) verify(ctx context.Context, token string) (*claims, error) {
	id, err := keyID(token) // what is no token of a provider is refused without asking anybody
	if err != nil {
		return nil, err
	}
	state, err := p.current(ctx)
	if err != nil {
		return nil, err
	}
	key := state.keys.find(id)
	if key == nil {
		if state, err = p.ask(ctx, state, true); err != nil {
			return nil, err
		}
		key = state.keys.find(id)
	}
	return verifyWith(key, token, p.config.Issuer, p.config.ClientID, p.now())
}
