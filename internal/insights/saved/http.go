package saved

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// API is this slice's part of api.StrictServerInterface.
type API struct {
	saved *Service
	check Checks
}

// Checks refuse what cannot be asked of a project now, with every bad field.
type Checks struct {
	Question    func(ctx context.Context, projectID uuid.UUID, question *api.SavedQuestion) error // under /question
	CustomEvent func(events api.CustomEventParts) error                                           // under /events
}

// NewAPI makes the operations on what is saved.
func NewAPI(saved *Service, check Checks) *API { return &API{saved: saved, check: check} }

// ListInsights lists the insights of a project.
func (a *API) ListInsights(ctx context.Context, req api.ListInsightsRequestObject) (api.ListInsightsResponseObject, error) {
	list, err := a.saved.Insights(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	items, err := each(list, apiInsight)
	return api.ListInsights200JSONResponse{Items: items}, err
}

// CreateInsight saves an insight.
func (a *API) CreateInsight(ctx context.Context, req api.CreateInsightRequestObject) (api.CreateInsightResponseObject, error) {
	b := req.Body
	insight := Insight{Name: b.Name, Description: value(b.Description), View: b.View}
	if insight.View == nil {
		insight.View = json.RawMessage("{}")
	}
	var err error
	if insight.Kind, insight.Question, err = a.question(ctx, req.ProjectID, &b.Question); err != nil {
		return nil, err
	}
	if insight, err = a.saved.CreateInsight(ctx, auth.From(ctx).AccountID, req.ProjectID, insight); err != nil {
		return nil, err
	}
	reply, err := apiInsight(insight)
	return api.CreateInsight201JSONResponse(reply), err
}

// GetInsight returns an insight.
func (a *API) GetInsight(ctx context.Context, req api.GetInsightRequestObject) (api.GetInsightResponseObject, error) {
	insight, err := a.saved.Insight(ctx, req.ProjectID, req.InsightID)
	if err != nil {
		return nil, err
	}
	reply, err := apiInsight(insight)
	return api.GetInsight200JSONResponse{Body: reply, Headers: api.GetInsight200ResponseHeaders{ETag: etag(insight.Version)}}, err
}

// UpdateInsight changes an insight.
func (a *API) UpdateInsight(ctx context.Context, req api.UpdateInsightRequestObject) (api.UpdateInsightResponseObject, error) {
	b := req.Body
	change := InsightChange{IfVersion: versionOf(req.Params.IfMatch), Name: b.Name, Description: b.Description, View: b.View}
	if b.Question != nil {
		kind, question, err := a.question(ctx, req.ProjectID, b.Question)
		if err != nil {
			return nil, err
		}
		change.Kind, change.Question = &kind, question
	}
	insight, err := a.saved.UpdateInsight(ctx, auth.From(ctx).AccountID, req.ProjectID, req.InsightID, change)
	if err != nil {
		return nil, err
	}
	reply, err := apiInsight(insight)
	return api.UpdateInsight200JSONResponse{Body: reply, Headers: api.UpdateInsight200ResponseHeaders{ETag: etag(insight.Version)}}, err
}

// DeleteInsight deletes an insight.
func (a *API) DeleteInsight(ctx context.Context, req api.DeleteInsightRequestObject) (api.DeleteInsightResponseObject, error) {
	err := a.saved.DeleteInsight(ctx, auth.From(ctx).AccountID, req.ProjectID, req.InsightID, versionOf(req.Params.IfMatch))
	return api.DeleteInsight204Response{}, err
}

// question is the kind of a question that can be asked, and its JSON, with ids as they are written everywhere: in small letters.
func (a *API) question(ctx context.Context, projectID uuid.UUID, q *api.SavedQuestion) (kind string, text json.RawMessage, err error) {
	if err = a.check.Question(ctx, projectID, q); err != nil {
		return "", nil, err
	}
	variant, err := q.ValueByDiscriminator()
	if err == nil {
		text, err = json.Marshal(variant)
	}
	if err == nil {
		kind, err = q.Discriminator()
	}
	if err != nil {
		return "", nil, fmt.Errorf("read a question: %w", err)
	}
	return kind, text, nil
}

func apiInsight(i Insight) (api.SavedInsight, error) {
	out := api.SavedInsight{ID: i.ID, Name: i.Name, Description: i.Description, View: i.View, Version: i.Version,
		CreatedBy: i.CreatedBy, CreatedAt: i.CreatedAt, UpdatedBy: i.UpdatedBy, UpdatedAt: i.UpdatedAt}
	var question map[string]json.RawMessage
	err := json.Unmarshal(i.Question, &question)
	if err == nil {
		question["kind"] = json.RawMessage(strconv.Quote(i.Kind))
		var text []byte
		if text, err = json.Marshal(question); err == nil {
			err = out.Question.UnmarshalJSON(text)
		}
	}
	if err != nil {
		return out, fmt.Errorf("read the question of insight %s: %w", i.ID, err)
	}
	return out, nil
}

// versionOf reads the version in If-Match: the contract has it in quotation marks, with at most 18 digits.
func versionOf(ifMatch *api.IfMatch) *int64 {
	if ifMatch == nil {
		return nil
	}
	version, err := strconv.ParseInt(strings.Trim(*ifMatch, `"`), 10, 64)
	if err != nil {
		panic(err) // the contract was checked before
	}
	return &version
}

// etag is a version as ETag and If-Match have it.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// value is the zero value for what is absent.
func value[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

// each is every element as the contract has it.
func each[T, A any](in []T, of func(T) (A, error)) (out []A, err error) {
	out = make([]A, len(in))
	for i, v := range in {
		if out[i], err = of(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
