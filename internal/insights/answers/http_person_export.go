package answers

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/events"
	stored "github.com/bahagh/nimbus/internal/events/history"
	"github.com/bahagh/nimbus/internal/people"
)

// exportStep is how many moments of somebody are read at once.
const exportStep = 1_000

// ExportPerson serves GET /v1/people/{person}/export.
func (a *API) ExportPerson(ctx context.Context, request api.ExportPersonRequestObject) (api.ExportPersonResponseObject, error) {
	body, err := contract.Stream(func(w io.Writer) error {
		return a.WritePerson(ctx, request.Params.ProjectID, request.Person, w)
	})
	if err != nil {
		return nil, err
	}
	return api.ExportPerson200ApplicationXNdjsonResponse{Body: body}, nil
}

// WritePerson writes all that is known of somebody, as of one snapshot, in the lines of the export.
//
// Errors: problem.NotFound when nothing is known of anybody who is called so.
func (a *API) WritePerson(ctx context.Context, project uuid.UUID, named string, w io.Writer) error {
	h := a.history(named)
	return h.read(ctx, a.s, project, func(v *behaviour.View, rows *visits) error {
		return h.export(ctx, v, rows, json.NewEncoder(w))
	})
}

// line is a line of an export: one of its members.
type line struct {
	Person    *api.Person           `json:"person,omitempty"`
	Operation *api.ProfileOperation `json:"operation,omitempty"`
	Event     *api.StoredEvent      `json:"event,omitempty"`
}

// export writes what is known of him. It scans before it writes: when a part is damaged it is called again.
func (h *history) export(ctx context.Context, v *behaviour.View, rows *visits, to *json.Encoder) error {
	about, err := h.about(ctx, v, rows)
	if err != nil {
		return err
	}
	pieces := h.identity.Pieces(h.person, h.keys)
	operations, err := v.OperationsOfPieces(ctx, pieces)
	if err != nil {
		return err
	}
	moments, err := people.Moments(ctx, v, pieces, 0, events.End.UnixMicro())
	if err != nil {
		return err
	}
	if err := to.Encode(line{Person: &about}); err != nil {
		return err
	}
	for i := range operations {
		if err := to.Encode(line{Operation: apiOperation(&operations[i])}); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(moments, exportStep) {
		found, err := v.EventsOfPieces(ctx, pieces, chunk)
		if err != nil {
			return err
		}
		for i := range found {
			event := stored.APIEvent(&found[i])
			if err := to.Encode(line{Event: &event}); err != nil {
				return err
			}
		}
	}
	return nil
}

func apiOperation(o *behaviour.Operation) *api.ProfileOperation {
	out := &api.ProfileOperation{Op: api.ProfileOp(o.Op), TS: o.TS.UTC(), Names: o.Names, AnonymousID: o.AnonymousID}
	if o.Of.Kind == events.User {
		out.UserID = o.Of.Key
	} else {
		out.AnonymousID = o.Of.Key
	}
	if string(o.Props) != "{}" {
		out.Props = o.Props
	}
	return out
}
