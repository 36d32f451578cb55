package app_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
)

// things creates, as the owner, the things that the parameters of an operation name, each time new ones: an operation
// that removes one must not disturb the next. A new parameter needs a line here, and a new operation with a body one
// in bodies: the tests of the whole contract fail until then.
func things(t *testing.T, a *apptest.App, x *apptest.Tenant, op *contract.Operation) map[string]string {
	t.Helper()
	project := "/v1/projects/" + x.ProjectID.String()
	made := map[string]string{}
	for _, p := range op.Params {
		if !p.Required {
			continue
		}
		switch p.Name {
		case "project_id":
			made[p.Name] = x.ProjectID.String()
		case "key_id":
			var key struct{ ID uuid.UUID }
			x.Do("POST", project+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
			made[p.Name] = key.ID.String()
		case "api_key_id":
			made[p.Name], _ = apiKey(x, map[string]any{"name": "k", "scopes": []string{"events:read"}})
		case "insight_id":
			made[p.Name] = savedInsight(x)
		case "board_id":
			made[p.Name] = savedBoard(x, savedInsight(x))
		case "cohort_id":
			made[p.Name] = fixedCohort(x, "c")
		case "annotation_id":
			made[p.Name] = savedThing(x, "annotations", annotation)
		case "custom_event_id":
			made[p.Name] = savedThing(x, "custom-events", customEvent)
		case "account_id":
			member := a.Account(t)
			x.Join(member, "viewer")
			made[p.Name] = member.ID.String()
		case "invitation_id":
			var reply struct{ Invitation struct{ ID uuid.UUID } }
			x.Do("POST", project+"/invitations", map[string]any{"role": "viewer"}).Want(201).JSON(&reply)
			made[p.Name] = reply.Invitation.ID.String()
		case "session_id":
			var sessions struct {
				Items []struct {
					ID      uuid.UUID
					Current bool
				}
			}
			a.Login(t, x.Email).Do("GET", "/v1/auth/sessions", nil).Want(200).JSON(&sessions)
			made[p.Name] = sessions.Items[0].ID.String() // the newest
		case "event_id":
			var page struct{ Items []struct{ ID uuid.UUID } }
			x.Ingest(apptest.Event{"name": "e"})
			x.Do("GET", "/v1/events?limit=1&project_id="+x.ProjectID.String(), nil).Want(200).JSON(&page)
			made[p.Name] = page.Items[0].ID.String()
		default:
			t.Fatalf("%s: say here what its parameter %s may be", op.ID, p.Name)
		}
	}
	return made
}

// apiKey makes an API key and returns its id and secret.
func apiKey(x *apptest.Tenant, body map[string]any) (id, secret string) {
	var key struct {
		APIKey       struct{ ID string } `json:"api_key"`
		APIKeySecret string              `json:"api_key_secret"`
	}
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/api-keys", body).Want(201).JSON(&key)
	return key.APIKey.ID, key.APIKeySecret
}

// ghosts are ids of the same kinds that do not exist.
func ghosts(op *contract.Operation) map[string]string {
	none := map[string]string{}
	for _, p := range op.Params {
		none[p.Name] = uuid.NewString()
		if p.Name == "api_key_id" {
			none[p.Name] = "nk_0000000000000000"
		}
	}
	none["project_id"] = uuid.NewString() // also where it is in the body
	return none
}

// target is the path of an operation with these values, and its query.
func target(op *contract.Operation, values map[string]string) string {
	path, query := op.Path, url.Values{}
	for _, p := range op.Params {
		switch {
		case p.In == contract.InPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", values[p.Name])
		case p.Required && p.In == contract.InQuery:
			query.Set(p.Name, values[p.Name])
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// body is a valid body for an operation on a project, nil where it has none.
func body(t *testing.T, a *apptest.App, x *apptest.Tenant, op *contract.Operation, project string) any {
	t.Helper()
	if !op.Body {
		return nil
	}
	bodies := map[string]func() any{
		"register": func() any {
			return map[string]string{"email": uuid.NewString() + "@example.com", "password": apptest.Password}
		},
		"login": func() any { return map[string]string{"email": x.Email, "password": apptest.Password} },
		"changePassword": func() any {
			return map[string]string{"current_password": apptest.Password, "new_password": "Another-Horse-8"}
		},
		"createProject":        func() any { return map[string]string{"name": "x"} },
		"updateProject":        func() any { return map[string]string{"name": "x"} },
		"rotateKeys":           func() any { return map[string]any{} },
		"createWriteKey":       func() any { return map[string]any{"allowed_origins": []string{}} },
		"updateWriteKey":       func() any { return map[string]any{"allowed_origins": []string{}} },
		"createApiKey":         func() any { return map[string]any{"name": "k", "scopes": []string{"events:read"}} },
		"updateApiKey":         func() any { return map[string]any{"name": "renamed"} },
		"requestPasswordReset": func() any { return map[string]string{"email": x.Email} },
		"completePasswordReset": func() any {
			var link struct{ Token string }
			a.Operator(t).Do("POST", "/v1/instance/accounts/"+a.Account(t).ID.String()+"/password-reset", nil).Want(201).JSON(&link)
			return map[string]string{"token": link.Token, "new_password": "Another-Horse-8"}
		},
		"createInvitation":      func() any { return map[string]any{"role": "viewer"} },
		"previewInvitation":     func() any { return map[string]string{"token": x.Invite("viewer", "")} },
		"acceptInvitation":      func() any { return map[string]string{"token": x.Invite("viewer", "")} },
		"createInstanceAccount": func() any { return map[string]string{"email": uuid.NewString() + "@example.com"} },
		"updateInstanceAccount": func() any { return map[string]bool{"disabled": true} },
		"updateInstanceProject": func() any { return map[string]bool{"disabled": false} },
		"updateMember":          func() any { return map[string]any{"role": "admin"} },
		"ingestEvents": func() any {
			return map[string]any{"project_id": project, "events": []apptest.Event{{"name": "e"}}}
		},
		"createCohort":       func() any { return map[string]any{"name": "c", "kind": "live", "where": didE} },
		"updateCohort":       func() any { return map[string]any{"name": "renamed"} },
		"changeCohortPeople": func() any { return map[string]any{"user_ids": []string{"u"}} },
		"createInsight":      func() any { return insight("i") },
		"updateInsight":      func() any { return map[string]any{"name": "renamed"} },
		"createBoard":        func() any { return map[string]any{"name": "b"} },
		"updateBoard":        func() any { return map[string]any{"tiles": []any{}} },
		"createAnnotation":   func() any { return annotation },
		"updateAnnotation":   func() any { return map[string]any{"text": "renamed"} },
		"createCustomEvent":  func() any { return customEvent },
		"updateCustomEvent":  func() any { return map[string]any{"name": "renamed"} },
		"runMetricsQuery":    func() any { return map[string]any{"project_id": project} },
	}
	make, ok := bodies[op.ID]
	if q := question(op.ID, project); q != nil {
		return q
	}
	if !ok {
		t.Fatalf("%s: say here what a valid body is", op.ID)
	}
	return make()
}

// question is a valid question about behaviour for the operation that answers it, nil for other operations.
func question(id, project string) map[string]any {
	step := map[string]any{"event": "e"}
	of := map[string]map[string]any{
		"askFunnel":     {"steps": []any{step}},
		"askRetention":  {"start": step, "return": step},
		"askLifecycle":  {},
		"askStickiness": {},
		"askUniques":    {},
		"askTrends":     {"series": []any{step}},
		"askPaths":      {},
		"askSessions":   {},
		"askCohort":     {"where": map[string]any{"op": "did", "event": "e"}},
		"exportPeople": {"at": map[string]any{}, "question": map[string]any{
			"kind": "uniques", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"}},
		"askPeople": {"at": map[string]any{}, "question": map[string]any{
			"kind": "uniques", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"}},
	}
	q, ok := of[id]
	if !ok {
		return nil
	}
	q["project_id"] = project
	if id != "askCohort" && id != "askPeople" && id != "exportPeople" {
		q["from"], q["to"] = "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"
	}
	return q
}
