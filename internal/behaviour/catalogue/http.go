package catalogue

import (
	"context"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
)

// API is the part of the contract's server that tells what is known.
type API struct{ s *Service }

// NewAPI returns the operations.
func NewAPI(s *Service) *API { return &API{s} }

// The contract's defaults, which the generated parameters leave out.
const (
	defaultLimit = 100
	defaultDays  = 30
)

// or is what is given, or the usual when nothing is.
func or[T any, P *T](v P, usual T) T {
	if v == nil {
		return usual
	}
	return *v
}

// ListCatalogueEvents serves GET /v1/catalogue/events.
func (a *API) ListCatalogueEvents(
	ctx context.Context, r api.ListCatalogueEventsRequestObject,
) (api.ListCatalogueEventsResponseObject, error) {
	p := &r.Params
	days := int(or(p.Days, defaultDays))
	found, more, err := a.s.Events(ctx, p.ProjectID, or(p.Q, ""), int(or(p.Limit, defaultLimit)), days)
	if err != nil {
		return nil, err
	}
	since := behaviour.StartOf(behaviour.DayAt(a.s.now()) - int32(days) + 1)
	out := api.ListCatalogueEvents200JSONResponse{Items: make([]api.CatalogueEvent, len(found)), More: more, Since: since}
	for i := range found {
		e := &found[i]
		out.Items[i] = api.CatalogueEvent{
			Name: e.Name, Events: e.Events, FirstSeen: moment(e.First), LastSeen: moment(e.Last), Days: e.Days,
		}
	}
	return out, nil
}

// ListCatalogueProps serves GET /v1/catalogue/props.
func (a *API) ListCatalogueProps(
	ctx context.Context, r api.ListCataloguePropsRequestObject,
) (api.ListCataloguePropsResponseObject, error) {
	p := &r.Params
	found, n, more, err := a.s.Props(ctx, p.ProjectID, or(p.Event, ""), or(p.Q, ""), int(or(p.Limit, defaultLimit)))
	if err != nil {
		return nil, err
	}
	out := api.ListCatalogueProps200JSONResponse{Items: make([]api.CatalogueProp, len(found)), Events: n, More: more}
	for i := range found {
		out.Items[i] = toAPIProp(&found[i], n)
	}
	return out, nil
}

func toAPIProp(t *parts.Tally, of int64) api.CatalogueProp {
	out := api.CatalogueProp{
		Name: t.Prop, Prop: events.EscapeMember(t.Prop), Events: t.Events, FirstSeen: moment(t.First), LastSeen: moment(t.Last),
		Types: []api.CatalogueType{},
	}
	if of > 0 {
		out.Share = float64(t.Events-t.Nulls) / float64(of)
	}
	for _, k := range []struct {
		kind api.CatalogueKind
		n    int64
	}{
		{api.CatalogueString, t.Strings}, {api.CatalogueNumber, t.Numbers}, {api.CatalogueBoolean, t.Booleans},
		{api.CatalogueStructure, t.Structures}, {api.CatalogueLarge, t.Large}, {api.CatalogueNull, t.Nulls},
	} {
		if k.n > 0 {
			out.Types = append(out.Types, api.CatalogueType{Type: k.kind, Events: k.n})
		}
	}
	if t.Numbers > 0 && t.Min <= t.Max {
		out.Range = &api.CatalogueRange{Min: t.Min, Max: t.Max}
	}
	return out
}

// ListCatalogueValues serves GET /v1/catalogue/values.
func (a *API) ListCatalogueValues(
	ctx context.Context, r api.ListCatalogueValuesRequestObject,
) (api.ListCatalogueValuesResponseObject, error) {
	p := &r.Params
	path, err := events.ParsePath(p.Prop)
	if err != nil {
		return nil, problem.Field("query", "/prop", "pattern", err.Error())
	}
	found, unlisted, more, err := a.s.Values(
		ctx, p.ProjectID, or(p.Event, ""), path[0].Member, or(p.Q, ""), int(or(p.Limit, defaultLimit)),
	)
	if err != nil {
		return nil, err
	}
	out := api.ListCatalogueValues200JSONResponse{
		Items: make([]api.CatalogueValue, len(found)), Unlisted: unlisted, More: more,
	}
	for i := range found {
		out.Items[i] = api.CatalogueValue{Value: found[i].Value.JSON(), Events: found[i].Events}
	}
	return out, nil
}

func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }
