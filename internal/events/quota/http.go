package quota

import (
	"context"

	"github.com/oapi-codegen/runtime/types"

	"github.com/bahagh/nimbus/gen/api"
)

// API is the operations of the contract about usage.
type API struct{ keeper *Keeper }

// NewAPI returns the handlers.
func NewAPI(k *Keeper) *API { return &API{k} }

// shownDays is how many days the usage of a project shows.
const shownDays = 30

// GetProjectUsage serves GET /v1/projects/{project_id}/usage.
func (a *API) GetProjectUsage(
	ctx context.Context, r api.GetProjectUsageRequestObject,
) (api.GetProjectUsageResponseObject, error) {
	if err := a.keeper.Sync(ctx); err != nil { // so that what this node stored is in it
		return nil, err
	}
	limits, err := a.keeper.Limits(ctx, r.ProjectID)
	if err != nil {
		return nil, err
	}
	today := dayOf(a.keeper.cfg.Now())
	u, err := a.keeper.store.usage(ctx, r.ProjectID, today.AddDate(0, 0, -shownDays))
	if err != nil {
		return nil, err
	}
	out := api.GetProjectUsage200JSONResponse{
		ProjectID: r.ProjectID, StoredEvents: u.events, StoredBytes: u.bytes, EventNames: u.names,
		Limits: api.ProjectLimits{EventsPerDay: limits.EventsPerDay, StoredBytes: limits.StoredBytes,
			EventNames: int32(limits.EventNames)},
		Days: make([]api.UsageDay, len(u.days)),
	}
	if !u.measuredAt.IsZero() {
		out.MeasuredAt = &u.measuredAt
	}
	for k, d := range u.days {
		out.Days[k] = api.UsageDay{Day: types.Date{Time: d.day}, Events: d.events, Bytes: d.bytes}
		if d.day.Equal(today) {
			out.EventsToday = d.events
		}
	}
	return out, nil
}
