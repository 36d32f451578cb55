package saved

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// ListAnnotations lists the annotations of a project, those of a range if one is given.
func (a *API) ListAnnotations(ctx context.Context, req api.ListAnnotationsRequestObject) (api.ListAnnotationsResponseObject, error) {
	list, err := a.saved.Annotations(ctx, req.ProjectID, req.Params.From, req.Params.To)
	if err != nil {
		return nil, err
	}
	items := make([]api.Annotation, len(list))
	for i := range list {
		items[i] = apiAnnotation(&list[i])
	}
	return api.ListAnnotations200JSONResponse{Items: items}, nil
}

// CreateAnnotation saves an annotation.
func (a *API) CreateAnnotation(ctx context.Context, req api.CreateAnnotationRequestObject) (api.CreateAnnotationResponseObject, error) {
	annotation := Annotation{TS: req.Body.TS, Until: req.Body.TS, Text: req.Body.Text}
	if req.Body.Until != nil {
		annotation.Until = *req.Body.Until
	}
	annotation, err := a.saved.CreateAnnotation(ctx, auth.From(ctx).AccountID, req.ProjectID, annotation)
	if err != nil {
		return nil, err
	}
	return api.CreateAnnotation201JSONResponse(apiAnnotation(&annotation)), nil
}

// GetAnnotation returns an annotation.
func (a *API) GetAnnotation(ctx context.Context, req api.GetAnnotationRequestObject) (api.GetAnnotationResponseObject, error) {
	annotation, err := a.saved.Annotation(ctx, req.ProjectID, req.AnnotationID)
	if err != nil {
		return nil, err
	}
	return api.GetAnnotation200JSONResponse{Body: apiAnnotation(&annotation),
		Headers: api.GetAnnotation200ResponseHeaders{ETag: etag(annotation.Version)}}, nil
}

// UpdateAnnotation changes an annotation.
func (a *API) UpdateAnnotation(ctx context.Context, req api.UpdateAnnotationRequestObject) (api.UpdateAnnotationResponseObject, error) {
	change := AnnotationChange{IfVersion: versionOf(req.Params.IfMatch), TS: req.Body.TS, Until: req.Body.Until, Text: req.Body.Text}
	annotation, err := a.saved.UpdateAnnotation(ctx, auth.From(ctx).AccountID, req.ProjectID, req.AnnotationID, change)
	if err != nil {
		return nil, err
	}
	return api.UpdateAnnotation200JSONResponse{Body: apiAnnotation(&annotation),
		Headers: api.UpdateAnnotation200ResponseHeaders{ETag: etag(annotation.Version)}}, nil
}

// DeleteAnnotation deletes an annotation.
func (a *API) DeleteAnnotation(ctx context.Context, req api.DeleteAnnotationRequestObject) (api.DeleteAnnotationResponseObject, error) {
	err := a.saved.DeleteAnnotation(ctx, req.ProjectID, req.AnnotationID, versionOf(req.Params.IfMatch))
	return api.DeleteAnnotation204Response{}, err
}

func apiAnnotation(a *Annotation) api.Annotation {
	return api.Annotation{ID: a.ID, TS: a.TS, Until: a.Until, Text: a.Text, Version: a.Version,
		CreatedBy: a.CreatedBy, CreatedAt: a.CreatedAt, UpdatedBy: a.UpdatedBy, UpdatedAt: a.UpdatedAt}
}

// ListCustomEvents lists the custom events of a project.
func (a *API) ListCustomEvents(ctx context.Context, req api.ListCustomEventsRequestObject) (api.ListCustomEventsResponseObject, error) {
	list, err := a.saved.CustomEvents(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	items, err := each(list, apiCustomEvent)
	return api.ListCustomEvents200JSONResponse{Items: items}, err
}

// CreateCustomEvent saves a custom event.
func (a *API) CreateCustomEvent(ctx context.Context, req api.CreateCustomEventRequestObject) (api.CreateCustomEventResponseObject, error) {
	event := CustomEvent{Name: req.Body.Name, Description: value(req.Body.Description)}
	var err error
	if event.Events, err = a.events(req.Body.Events); err != nil {
		return nil, err
	}
	if event, err = a.saved.CreateCustomEvent(ctx, auth.From(ctx).AccountID, req.ProjectID, event); err != nil {
		return nil, err
	}
	reply, err := apiCustomEvent(event)
	return api.CreateCustomEvent201JSONResponse(reply), err
}

// GetCustomEvent returns a custom event.
func (a *API) GetCustomEvent(ctx context.Context, req api.GetCustomEventRequestObject) (api.GetCustomEventResponseObject, error) {
	event, err := a.saved.CustomEvent(ctx, req.ProjectID, req.CustomEventID)
	if err != nil {
		return nil, err
	}
	reply, err := apiCustomEvent(event)
	return api.GetCustomEvent200JSONResponse{Body: reply, Headers: api.GetCustomEvent200ResponseHeaders{ETag: etag(event.Version)}}, err
}

// UpdateCustomEvent changes a custom event.
func (a *API) UpdateCustomEvent(ctx context.Context, req api.UpdateCustomEventRequestObject) (api.UpdateCustomEventResponseObject, error) {
	change := CustomEventChange{IfVersion: versionOf(req.Params.IfMatch), Name: req.Body.Name, Description: req.Body.Description}
	if req.Body.Events != nil {
		var err error
		if change.Events, err = a.events(*req.Body.Events); err != nil {
			return nil, err
		}
	}
	event, err := a.saved.UpdateCustomEvent(ctx, auth.From(ctx).AccountID, req.ProjectID, req.CustomEventID, change)
	if err != nil {
		return nil, err
	}
	reply, err := apiCustomEvent(event)
	return api.UpdateCustomEvent200JSONResponse{Body: reply, Headers: api.UpdateCustomEvent200ResponseHeaders{ETag: etag(event.Version)}}, err
}

// DeleteCustomEvent deletes a custom event.
func (a *API) DeleteCustomEvent(ctx context.Context, req api.DeleteCustomEventRequestObject) (api.DeleteCustomEventResponseObject, error) {
	err := a.saved.DeleteCustomEvent(ctx, req.ProjectID, req.CustomEventID, versionOf(req.Params.IfMatch))
	return api.DeleteCustomEvent204Response{}, err
}

// events is the JSON of events that questions can ask about.
func (a *API) events(events api.CustomEventParts) (json.RawMessage, error) {
	if err := a.check.CustomEvent(events); err != nil {
		return nil, err
	}
	text, err := json.Marshal(events)
	if err != nil {
		return nil, fmt.Errorf("encode a custom event: %w", err)
	}
	return text, nil
}

func apiCustomEvent(e CustomEvent) (api.CustomEvent, error) {
	out := api.CustomEvent{ID: e.ID, Name: e.Name, Description: e.Description, Version: e.Version,
		CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt, UpdatedBy: e.UpdatedBy, UpdatedAt: e.UpdatedAt}
	if err := json.Unmarshal(e.Events, &out.Events); err != nil {
		return out, fmt.Errorf("read the events of custom event %s: %w", e.ID, err)
	}
	return out, nil
}
