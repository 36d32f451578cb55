package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/replica"
)

// health answers whether this node is ready. It pings the database each time: a cached "yes" would send requests to a
// node that cannot serve them.
type health struct {
	pool    *pgxpool.Pool
	clocks  *clock.Clocks
	checks  []func() error                                                         // of ingestion: the batcher and the jobs
	room    func() error                                                           // whether the disk has room for events
	redis   func() error                                                           // nil when there is none
	behind  func(ctx context.Context) (events int64, age time.Duration, err error) // the parts
	reads   *replica.Reads
	log     *slog.Logger
	unready atomic.Bool // the last answer was "not ready"
	ending  atomic.Bool // this node has been told to stop
}

// errEnding is why a node that serves well gets no more requests.
var errEnding = errors.New("this node is being stopped; the others take its requests")

// pingTime is the time-out of the ping of the database.
const pingTime = 2 * time.Second

// GetHealth serves GET /v1/health.
func (h *health) GetHealth(ctx context.Context, _ api.GetHealthRequestObject) (api.GetHealthResponseObject, error) {
	body, ready := h.check(ctx)
	if !ready {
		return api.GetHealth503JSONResponse(body), nil
	}
	return api.GetHealth200JSONResponse(body), nil
}

// serve is the same answer for the paths outside /v1.
func (h *health) serve(w http.ResponseWriter, r *http.Request) {
	body, ready := h.check(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // fails only when the client has disconnected
}

func (h *health) check(ctx context.Context) (api.Health, bool) {
	var out api.Health
	out.Checks.Database = result(h.ping(ctx))
	out.Checks.Replica, out.Checks.Redis = api.Check{Status: api.CheckNotConfigured}, api.Check{Status: api.CheckNotConfigured}
	if h.reads.Configured() {
		out.Checks.Replica = optional(h.reads.Health())
	}
	if h.redis != nil {
		out.Checks.Redis = optional(h.redis())
	}
	// The node is ready all the same: only deleting by age is suspended.
	out.Checks.Clock = optional(h.clocks.Check(ctx))
	// A node that takes in no events for want of room must be reached all the same: deleting makes room.
	out.Checks.Ingest = optional(h.room())
	out.Checks.Parts = optional(h.parts(ctx))
	if h.ending.Load() {
		out.Checks.Ingest = result(errEnding)
	}
	for _, check := range h.checks {
		if err := check(); err != nil {
			out.Checks.Ingest = result(err)
			break
		}
	}
	out.Status = api.HealthReady
	if out.Checks.Database.Status != api.CheckOK || out.Checks.Ingest.Status == api.CheckFailing {
		out.Status = api.HealthUnavailable
	}
	h.logChange(ctx, &out)
	return out, out.Status == api.HealthReady
}

// logChange logs, once, why this node is no longer ready: probes come every few seconds.
func (h *health) logChange(ctx context.Context, out *api.Health) {
	ready := out.Status == api.HealthReady
	if h.unready.Swap(!ready) == !ready {
		return
	}
	if ready {
		h.log.InfoContext(ctx, "ready again")
		return
	}
	h.log.WarnContext(ctx, "not ready", "database", why(out.Checks.Database), "ingest", why(out.Checks.Ingest))
}

func why(c api.Check) string {
	if c.Detail == nil {
		return string(c.Status)
	}
	return *c.Detail
}

// partsLate is how long an event may be in no part before something is wrong: a builder that works takes it within a minute.
const partsLate = 10 * time.Minute

// parts says how far the parts are behind. Answers do not depend on it.
func (h *health) parts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	events, age, err := h.behind(ctx)
	if err != nil {
		return errors.New("how far the parts are cannot be read")
	}
	if age > partsLate {
		return fmt.Errorf("%d events are in no part yet, the first of them for %s", events, age.Round(time.Second))
	}
	return nil
}

func (h *health) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if err := h.pool.Ping(ctx); err != nil {
		return fmt.Errorf("the database does not answer within %s", pingTime)
	}
	return nil
}

// optional is the check of an optional dependency. It never makes a node not ready: all nodes would leave the load
// balancer at the same moment, although they can serve.
func optional(err error) api.Check {
	out := result(err)
	if err != nil {
		out.Status = api.CheckDegraded
	}
	return out
}

func result(err error) api.Check {
	if err == nil {
		return api.Check{Status: api.CheckOK}
	}
	detail := err.Error()
	return api.Check{Status: api.CheckFailing, Detail: &detail}
}
