package saved

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/answers"
)

// CohortAPI is the part of api.StrictServerInterface that keeps cohorts.
type CohortAPI struct {
	cohorts *Cohorts
	answers *answers.API
}

// NewCohortAPI makes the operations on cohorts. Who is behind a number, and whom nobody knows, it asks the answers.
func NewCohortAPI(cohorts *Cohorts, answers *answers.API) *CohortAPI {
	return &CohortAPI{cohorts: cohorts, answers: answers}
}

// ListCohorts lists the cohorts of a project.
func (a *CohortAPI) ListCohorts(ctx context.Context, req api.ListCohortsRequestObject) (api.ListCohortsResponseObject, error) {
	list, err := a.cohorts.List(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListCohorts200JSONResponse{Items: make([]api.Cohort, len(list))}
	for i, c := range list {
		if reply.Items[i], err = apiCohort(c); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// CreateCohort saves a cohort.
func (a *CohortAPI) CreateCohort(ctx context.Context, req api.CreateCohortRequestObject) (api.CreateCohortResponseObject, error) {
	cohort := Cohort{Name: req.Body.Name}
	if req.Body.Description != nil {
		cohort.Description = *req.Body.Description
	}
	if err := ofKind(req.Body); err != nil {
		return nil, err
	}
	var people []behaviour.PersonKey
	if b := req.Body.Behind; b != nil {
		var err error
		if people, err = a.answers.Behind(ctx, req.ProjectID, b, a.cohorts.limits.People); err != nil {
			return nil, err
		}
	}
	cohort, err := a.cohorts.Create(ctx, auth.From(ctx).AccountID, req.ProjectID, cohort, clauseOf(req.Body.Where), people)
	if err != nil {
		return nil, err
	}
	reply, err := apiCohort(cohort)
	return api.CreateCohort201JSONResponse(reply), err
}

// ofKind refuses what the kind of a cohort does not have.
func ofKind(c *api.CreateCohortRequest) error {
	bad := func(field, code, detail string) error { return problem.Field(contract.InBody, field, code, detail) }
	switch {
	case c.Kind == api.CohortLive && c.Where == nil:
		return bad("/where", contract.CodeRequired, "is required of a live cohort")
	case c.Kind == api.CohortLive && c.Behind != nil:
		return bad("/behind", "conflict", "is of fixed cohorts")
	case c.Kind == api.CohortFixed && c.Where != nil:
		return bad("/where", "conflict", "is of live cohorts")
	}
	return nil
}

// clauseOf checks a clause when the cohorts are known; nil stays nil.
func clauseOf(where *api.CohortClause) Clause {
	if where == nil {
		return nil
	}
	return func(all []answers.Cohort, itself *answers.Cohort) (json.RawMessage, error) {
		return answers.CheckClause(all, itself, where)
	}
}

// GetCohort returns a cohort.
func (a *CohortAPI) GetCohort(ctx context.Context, req api.GetCohortRequestObject) (api.GetCohortResponseObject, error) {
	cohort, uses, err := a.cohorts.Get(ctx, req.ProjectID, req.CohortID)
	if err != nil {
		return nil, err
	}
	reply, err := apiCohort(cohort)
	reply.UsedBy = make([]api.CohortUse, len(uses))
	for i, u := range uses {
		reply.UsedBy[i] = api.CohortUse{Kind: api.CohortUseKind(u.Kind), ID: u.ID, Name: u.Name}
	}
	return api.GetCohort200JSONResponse(reply), err
}

// UpdateCohort changes a cohort.
func (a *CohortAPI) UpdateCohort(ctx context.Context, req api.UpdateCohortRequestObject) (api.UpdateCohortResponseObject, error) {
	cohort, err := a.cohorts.Update(ctx, auth.From(ctx).AccountID, req.ProjectID, req.CohortID, CohortChange{
		IfVersion: versionOf(req.Params.IfMatch), Name: req.Body.Name, Description: req.Body.Description, Where: clauseOf(req.Body.Where),
	})
	if err != nil {
		return nil, err
	}
	reply, err := apiCohort(cohort)
	return api.UpdateCohort200JSONResponse(reply), err
}

// DeleteCohort deletes a cohort.
func (a *CohortAPI) DeleteCohort(ctx context.Context, req api.DeleteCohortRequestObject) (api.DeleteCohortResponseObject, error) {
	force := req.Params.Force != nil && *req.Params.Force
	if err := a.cohorts.Delete(ctx, req.ProjectID, req.CohortID, force); err != nil {
		return nil, err
	}
	return api.DeleteCohort204Response{}, nil
}

// maxUnknown is how many ids that nobody has an answer names.
const maxUnknown = 1000

// ChangeCohortPeople changes the list of a fixed cohort.
func (a *CohortAPI) ChangeCohortPeople(ctx context.Context, req api.ChangeCohortPeopleRequestObject) (api.ChangeCohortPeopleResponseObject, error) {
	people, junk, err := peopleOf(req.Body)
	if err != nil {
		return nil, err
	}
	unknown, err := a.answers.Unknown(ctx, req.ProjectID, people)
	if err != nil {
		return nil, err
	}
	mode := Add
	if req.Body.Mode != nil {
		mode = map[api.ChangeCohortPeopleRequestMode]Mode{api.CohortRemove: Remove, api.CohortReplace: Replace}[*req.Body.Mode]
	}
	change, err := a.cohorts.SetPeople(ctx, auth.From(ctx).AccountID, req.ProjectID, req.CohortID, versionOf(req.Params.IfMatch), mode, people)
	if err != nil {
		return nil, err
	}
	unknown = append(junk, unknown...)
	reply := api.ChangeCohortPeople200JSONResponse{Changed: change.Changed, Listed: change.Listed, Version: change.Version,
		UnknownCount: int64(len(unknown)), Unknown: make([]string, min(len(unknown), maxUnknown))}
	for i := range reply.Unknown {
		reply.Unknown[i] = answers.Name(unknown[i])
	}
	return reply, nil
}

// peopleOf reads the ids of a change, each once. Ids that name nobody, such as null, are junk: they cannot be in a list.
func peopleOf(body *api.ChangeCohortPeopleRequest) (people, junk []behaviour.PersonKey, err error) {
	if body.Csv != nil && (len(body.UserIds) > 0 || len(body.AnonymousIds) > 0) {
		return nil, nil, problem.Field(contract.InBody, "/csv", "conflict", "cannot be combined with user_ids or anonymous_ids")
	}
	var all []behaviour.PersonKey
	for _, id := range body.UserIds {
		all = append(all, behaviour.PersonKey{Kind: behaviour.User, Key: id})
	}
	for _, id := range body.AnonymousIds {
		all = append(all, behaviour.PersonKey{Kind: behaviour.Anonymous, Key: id})
	}
	if body.Csv != nil {
		if all, err = readPeople(*body.Csv); err != nil {
			return nil, nil, problem.Field(contract.InBody, "/csv", contract.CodeFormat, err.Error())
		}
	}
	seen := make(map[behaviour.PersonKey]bool, len(all))
	for _, k := range all {
		switch {
		case seen[k]:
		case behaviour.Junk(k.Key):
			junk = append(junk, k)
		default:
			people = append(people, k)
		}
		seen[k] = true
	}
	return people, junk, nil
}

func apiCohort(c Cohort) (api.Cohort, error) {
	out := api.Cohort{ID: c.ID, Name: c.Name, Description: c.Description, Kind: api.CohortLive, Version: c.Version,
		CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt, UpdatedBy: c.UpdatedBy, UpdatedAt: c.UpdatedAt}
	if c.Where == nil {
		out.Kind, out.Listed = api.CohortFixed, &c.Listed
		return out, nil
	}
	out.Where = new(api.CohortClause)
	if err := json.Unmarshal(c.Where, out.Where); err != nil {
		return out, fmt.Errorf("decode the clause of cohort %s: %w", c.ID, err)
	}
	return out, nil
}
