package native

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// API is POST /v1/events and POST /v1/people/operations.
type API struct {
	ingester *ingest.Ingester
	now      func() time.Time
}

// NewAPI returns the handlers.
func NewAPI(i *ingest.Ingester, now func() time.Time) *API { return &API{i, now} }

// sourceKind is Source.Kind of what comes in here.
const sourceKind = "native"

// requests keeps decoded requests for the next one: their slices are most of what ingestion would allocate.
var requests = sync.Pool{New: func() any { return new(api.IngestRequest) }}

// keepEvents bounds what a pooled request holds on to.
const keepEvents = 2_000

// Ingest serves POST /v1/events for a body that was read and decompressed. It stands beside the strict handler,
// because a request with some bad events is not a bad request. authorize refuses projects that the caller may not
// send to.
func (a *API) Ingest(c echo.Context, body []byte, authorize func(project uuid.UUID) error) error {
	req, _ := requests.Get().(*api.IngestRequest)
	defer func() {
		clear(req.Events) // lets go of the body
		if cap(req.Events) <= keepEvents {
			req.Events = req.Events[:0]
			requests.Put(req)
		}
	}()
	invalid, err := decode(req, body)
	if err != nil {
		return err
	}
	if err := authorize(req.ProjectID); err != nil {
		return err
	}
	ctx := c.Request().Context()
	behind := clockError(c.Request().Header.Get(headerSentAt), a.now())
	res, err := a.ingest(ctx, auth.From(ctx), req, invalid, behind)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, res)
}

// decode reads the request and returns what is wrong with single items; an error when the request itself is bad.
func decode(req interface{ DecodeJSON([]byte) error }, body []byte) ([]contract.FieldError, error) {
	err := req.DecodeJSON(body)
	var fields contract.Errors
	if err == nil || !errors.As(err, &fields) {
		return nil, err
	}
	if slices.ContainsFunc(fields, func(e contract.FieldError) bool { return e.Item < 0 }) {
		return nil, problem.Invalid(fields...)
	}
	return fields, nil
}

// ingest stores the events that have no error of the contract, and answers for all of them. behind is how far the clock
// of the sender is.
func (a *API) ingest(
	ctx context.Context, p *auth.Principal, req *api.IngestRequest, invalid []contract.FieldError, behind time.Duration,
) (*api.IngestResult, error) {
	r := request(p)
	r.Events = incoming(req.Events, invalid)
	setClock(r.Events, behind)
	for _, e := range invalid {
		a.ingester.Reject(e.Code)
	}
	results, _, err := a.ingester.Ingest(ctx, r)
	if err != nil {
		return nil, err
	}
	return answer(r, results, invalid)
}

// request is a request of a principal, without what is in it.
func request(p *auth.Principal) *ingest.Request {
	r := &ingest.Request{ProjectID: p.ProjectID, Source: ingest.Source{Kind: sourceKind, KeyID: p.KeyID}, Seed: p.Signature}
	if p.Signature != "" {
		r.At = time.Unix(p.SignedAt, 0)
	}
	return r
}

// incoming returns the events without those that have an error.
func incoming(sent []api.Event, invalid []contract.FieldError) []ingest.Incoming {
	bad := make(map[int]struct{}, len(invalid))
	for _, e := range invalid {
		bad[e.Item] = struct{}{}
	}
	out := make([]ingest.Incoming, 0, len(sent)-len(bad))
	for k := range sent {
		if _, ok := bad[k]; ok {
			continue
		}
		e := &sent[k]
		out = append(out, ingest.Incoming{Position: k, Name: e.Name, TS: e.TS, UserID: e.UserID, AnonymousID: e.AnonymousID,
			IdempotencyKey: e.IdempotencyKey, Seq: e.Seq, Props: e.Props})
	}
	return out
}

// answer is the reply to a request of which some events may be refused; an error when all of them are.
func answer(r *ingest.Request, results []ingest.Result, invalid []contract.FieldError) (*api.IngestResult, error) {
	out := &api.IngestResult{}
	errs := invalid
	asOther := int32(0)
	for k := range results {
		switch results[k].Outcome {
		case ingest.Stored:
			out.Accepted++
			if results[k].CountedAsOther {
				asOther++
			}
		case ingest.Duplicate:
			out.Duplicates++
		default:
			errs = append(errs, fieldError("events", r.Events[k].Position, results[k].Refusal))
		}
	}
	slices.SortStableFunc(errs, func(a, b contract.FieldError) int { return cmp.Compare(a.Item, b.Item) })
	out.Rejected = int32(contract.Errors(errs).Items())
	if out.Accepted+out.Duplicates == 0 {
		p := problem.New(problem.CodeAllRejected, "None of the %d events can be stored; errors says why.", out.Rejected)
		p.Fields = errs
		return nil, p
	}
	if asOther > 0 {
		out.CountedAsOther = &asOther
	}
	out.Errors = make([]api.EventError, len(errs))
	for k, e := range errs {
		out.Errors[k] = api.EventError{Index: int32(e.Item), Pointer: e.Pointer, Code: e.Code, Detail: e.Detail}
	}
	return out, nil
}

// fieldError is a refusal as the contract has it: with a JSON pointer into what was sent.
func fieldError(list string, position int, why *ingest.Refusal) contract.FieldError {
	pointer := contract.Pointer(list, position)
	if why.Field != "" {
		pointer += "/" + why.Field
	}
	return contract.FieldError{In: contract.InBody, Pointer: pointer, Code: why.Code, Detail: why.Detail, Item: position}
}
