package native

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// ChangeProfiles serves POST /v1/people/operations as Ingest serves POST /v1/events.
func (a *API) ChangeProfiles(c echo.Context, body []byte, authorize func(project uuid.UUID) error) error {
	req := new(api.ProfileOperations)
	invalid, err := decode(req, body)
	if err != nil {
		return err
	}
	if err := authorize(req.ProjectID); err != nil {
		return err
	}
	ctx := c.Request().Context()
	r := request(auth.From(ctx))
	r.Operations = operations(req.Operations, invalid)
	if behind := clockError(c.Request().Header.Get(headerSentAt), a.now()); behind.Abs() > wrongClock {
		for k := range r.Operations {
			if o := &r.Operations[k]; !o.TS.IsZero() {
				o.TS = o.TS.Add(behind)
			}
		}
	}
	for _, e := range invalid {
		a.ingester.RejectOperation(e.Code)
	}
	_, results, err := a.ingester.Ingest(ctx, r)
	if err != nil {
		return err
	}
	out, err := answerOperations(r, results, invalid)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// operations returns the operations without those that have an error.
func operations(sent []api.ProfileOperation, invalid []contract.FieldError) []ingest.Operation {
	out := make([]ingest.Operation, 0, len(sent))
	for k := range sent {
		if slices.ContainsFunc(invalid, func(e contract.FieldError) bool { return e.Item == k }) {
			continue
		}
		o := &sent[k]
		in := ingest.Operation{Position: k, Op: events.ProfileOp(o.Op), UserID: o.UserID, AnonymousID: o.AnonymousID, TS: o.TS,
			IdempotencyKey: o.IdempotencyKey, Props: o.Props, Names: o.Names}
		if o.Group != nil {
			in.Group = ingest.Group{Type: o.Group.Type, Key: o.Group.Key}
		}
		out = append(out, in)
	}
	return out
}

// answerOperations is the reply to a request of which some operations may be refused; an error when all of them are.
func answerOperations(
	r *ingest.Request, results []ingest.OperationResult, invalid []contract.FieldError,
) (*api.ProfileOperationsResult, error) {
	out := &api.ProfileOperationsResult{}
	errs := invalid
	for k := range results {
		switch results[k].Outcome {
		case ingest.Stored:
			out.Accepted++
		case ingest.Duplicate:
			out.Duplicates++
		default:
			for _, why := range results[k].Refusals {
				errs = append(errs, fieldError("operations", r.Operations[k].Position, why))
			}
		}
	}
	slices.SortStableFunc(errs, func(a, b contract.FieldError) int { return cmp.Compare(a.Item, b.Item) })
	out.Rejected = int32(contract.Errors(errs).Items())
	if out.Accepted+out.Duplicates == 0 {
		p := problem.New(problem.CodeAllOperationsRejected, "None of the %d operations can be stored; errors says why.", out.Rejected)
		p.Fields = errs
		return nil, p
	}
	out.Errors = make([]api.ProfileOperationError, len(errs))
	for k, e := range errs {
		out.Errors[k] = api.ProfileOperationError{Index: int32(e.Item), Pointer: e.Pointer, Code: e.Code, Detail: e.Detail}
	}
	return out, nil
}
