package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

// Limits is how many requests a caller may send.
type Limits struct {
	// Allow takes one token from the key's bucket. nil: there are no limits.
	Allow func(ctx context.Context, key ratelimit.Key, r ratelimit.Rate) ratelimit.Verdict

	PerAddress int // a minute: requests without credentials, and as many with refused ones
	PerCaller  int // a minute: of an account or a key
	Ingestion  int // a minute: of a key that sends events
}

// policy is a limit as callers see it: a name, a quota, and a window.
type policy struct {
	name    string
	rate    ratelimit.Rate
	header  []string // RateLimit-Policy, shared by all answers
	refused prometheus.Counter
}

// limiter refuses requests over the limit, and writes into each answer how many are left.
type limiter struct {
	allow                                func(ctx context.Context, key ratelimit.Key, r ratelimit.Rate) ratelimit.Verdict
	address, stranger, caller, ingestion policy
}

func newLimiter(l *Limits, reg prometheus.Registerer) *limiter {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_rate_limited_total",
		Help: "Requests refused because their caller was over the limit."}, []string{"policy"})
	reg.MustRegister(refused)
	policyOf := func(name string, perMinute int) policy {
		return policy{name, ratelimit.Rate{PerMinute: perMinute}, []string{`"` + name + `";q=` + strconv.Itoa(perMinute) + ";w=60"},
			refused.WithLabelValues(name)}
	}
	return &limiter{allow: l.Allow, address: policyOf("address", l.PerAddress), stranger: policyOf("stranger", l.PerAddress),
		caller: policyOf("caller", l.PerCaller), ingestion: policyOf("ingestion", l.Ingestion)}
}

// limited says whether the contract has a limit for the operation: whether it can answer 429.
func limited(op *contract.Operation) bool {
	return slices.Contains(op.Statuses, http.StatusTooManyRequests)
}

// take counts a request. The error is the 429.
func (l *limiter) take(c echo.Context, p *policy, subject string) error {
	v := l.allow(c.Request().Context(), ratelimit.Key{Group: p.name, Subject: subject}, p.rate)
	h := c.Response().Header()
	h["Ratelimit-Policy"] = p.header
	b := make([]byte, 0, 48)
	b = append(append(append(b, '"'), p.name...), `";r=`...)
	b = strconv.AppendInt(b, int64(v.Remaining), 10)
	b = strconv.AppendInt(append(b, ";t="...), wholeSeconds(v.Reset), 10)
	h["Ratelimit"] = []string{string(b)}
	if v.Allowed {
		return nil
	}
	p.refused.Inc()
	return &problem.Error{Code: problem.CodeRateLimited, RetryAfter: max(v.RetryAfter, 1),
		Detail: "More than " + strconv.Itoa(p.rate.PerMinute) + " requests a minute. Nothing was done; try again after Retry-After seconds."}
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// perAddress limits an operation that asks for no credentials.
func (l *limiter) perAddress(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := l.take(c, &l.address, auth.RequestOf(c.Request().Context()).Network); err != nil {
			return err
		}
		return next(c)
	}
}

// perCaller limits an operation whose caller is known.
func (l *limiter) perCaller(op *contract.Operation) echo.MiddlewareFunc {
	p := &l.caller
	if op.Cost == contract.CostIngestion {
		p = &l.ingestion
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := l.take(c, p, auth.From(c.Request().Context()).Subject()); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// strangers limits requests with refused credentials, by client address: guessing keys is slowed like guessing
// passwords. Valid credentials from the same address are not limited, because they are checked before. Logging in has
// a limit of its own: otherwise a page with an expired key would keep everybody at its address from logging in.
func (l *limiter) strangers(clients proxies) func(c echo.Context, err error) error {
	return func(c echo.Context, err error) error {
		if status := problem.KindOf(toProblem(err).Code).Status; status != http.StatusUnauthorized && status != http.StatusForbidden {
			return err
		}
		if over := l.take(c, &l.stranger, network(clients.address(c.Request()))); over != nil {
			return over
		}
		return err
	}
}
