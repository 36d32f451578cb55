package app_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

type instanceAccount struct {
	ID         uuid.UUID
	Email      string
	Operator   bool
	Disabled   bool
	Projects   int
	Events     int64
	LastSeenAt *string `json:"last_seen_at"`
}

func accountsOf(boss *apptest.Account, query string) []instanceAccount {
	var page struct{ Items []instanceAccount }
	boss.Do("GET", "/v1/instance/accounts"+query, nil).Want(200).JSON(&page)
	return page.Items
}

func TestAnOperatorSeesAccountsAndProjectsWithTheirSizes(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss := a.Operator(t)
	x, idle := a.Tenant(t), a.Account(t)
	x.Ingest(apptest.Event{"name": "a"}, apptest.Event{"name": "b"}, apptest.Event{"name": "b"})
	list := accountsOf(boss, "")
	i := slices.IndexFunc(list, func(l instanceAccount) bool { return l.ID == x.ID })
	if len(list) != 3 || list[0].ID != idle.ID || i < 0 || list[i].Projects != 1 || list[i].Events != 3 || list[i].Operator || list[i].Disabled {
		t.Errorf("%+v", list)
	}
	if found := accountsOf(boss, "?email="+x.Email[:20]); len(found) != 1 || found[0].ID != x.ID {
		t.Errorf("%+v", found)
	}
	var page struct {
		Items      []instanceAccount
		NextCursor *string `json:"next_cursor"`
	}
	var paged []uuid.UUID
	for cursor := ""; ; {
		boss.Do("GET", "/v1/instance/accounts?limit=2"+cursor, nil).Want(200).JSON(&page)
		for _, l := range page.Items {
			paged = append(paged, l.ID)
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if !slices.Equal(paged, []uuid.UUID{idle.ID, x.ID, boss.ID}) {
		t.Errorf("%v", paged)
	}
	var projects struct {
		Items []struct {
			ID           uuid.UUID
			Owners       []string
			Members      int
			Events       int64
			Bytes        int64   `json:"estimated_bytes"`
			LastEventDay *string `json:"last_event_day"`
		}
	}
	boss.Do("GET", "/v1/instance/projects", nil).Want(200).JSON(&projects)
	if p := projects.Items; len(p) != 1 || p[0].ID != x.ProjectID || !slices.Equal(p[0].Owners, []string{x.Email}) || p[0].Members != 1 ||
		p[0].Events != 3 || p[0].Bytes < 1000 || p[0].LastEventDay == nil {
		t.Errorf("%+v", p)
	}
	// Sizes are an operator's to see; what was sent is not.
	boss.Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).WantCode(404, "not_found")
	x.Do("GET", "/v1/instance/accounts", nil).WantCode(403, "insufficient_role")
}

func TestADisabledAccountIsOutOnEveryNodeAtOnce(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	boss, eve := a.Operator(t), a.Account(t)
	path := "/v1/instance/accounts/" + eve.ID.String()
	login := map[string]string{"email": eve.Email, "password": apptest.Password}
	eve.On(node).Do("GET", "/v1/auth/me", nil).Want(200)
	boss.Do("PATCH", path, map[string]bool{"disabled": true}).Want(200)
	eve.On(node).Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
	a.Client(t).Bearer(eve.RefreshToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")
	node.Client(t).Do("POST", "/v1/auth/login", login).WantCode(403, "account_disabled")
	login["password"] = "Wrong-Horse-7"
	node.Client(t).Do("POST", "/v1/auth/login", login).WantCode(401, "invalid_credentials") // nobody else learns it
	boss.Do("PATCH", path, map[string]bool{"disabled": false}).Want(200)
	a.Login(t, eve.Email).Do("GET", "/v1/auth/me", nil).Want(200)
}

func TestADisabledProjectIsClosedToMembersAndKeysAndLosesNothing(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	boss, x := a.Operator(t), a.Tenant(t)
	x.Ingest(apptest.Event{"name": "e"})
	var write struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&write)
	path, list := "/v1/instance/projects/"+x.ProjectID.String(), "/v1/events?project_id="+x.ProjectID.String()
	batch := x.Batch(apptest.Event{"name": "e"})
	everyWay := func(status int) {
		t.Helper()
		for _, c := range []*apptest.Client{x.Client, a.Client(t).With("X-API-Key", x.Secret)} {
			nimbustest.Eventually(t, "the other node to know", func() bool { return c.On(node).Do("GET", list, nil).Status == status })
		}
		for _, c := range []*apptest.Client{a.Client(t).With("X-API-Key", x.Secret), a.Client(t).With("X-Write-Key", write.Key)} {
			if r := c.Do("POST", "/v1/events", batch); r.Status != status {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
		if r := x.Send(x.Signed(batch)); r.Status != status {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	everyWay(200)
	boss.Do("PATCH", path, map[string]bool{"disabled": true}).Want(200)
	everyWay(403)
	x.Do("GET", list, nil).WantCode(403, "project_disabled")
	boss.Do("PATCH", path, map[string]bool{"disabled": false}).Want(200)
	everyWay(200)
	boss.Do("DELETE", path, nil).Want(204)
	x.Do("GET", list, nil).WantCode(404, "not_found")
	boss.Do("DELETE", path, nil).WantCode(404, "not_found")
}

func TestAnAccountIsDeletedWithWhatOnlyItOwnsOrNotAtAll(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss, x, heir := a.Operator(t), a.Tenant(t), a.Account(t)
	path := "/v1/instance/accounts/" + x.ID.String()
	boss.Do("DELETE", path, nil).WantCode(409, "last_owner")
	x.Do("GET", "/v1/auth/me", nil).Want(200)
	x.Join(heir, "owner")
	var second struct{ Project struct{ ID uuid.UUID } }
	x.Do("POST", "/v1/projects", map[string]string{"name": "alone"}).Want(201).JSON(&second)
	heir.Do("GET", "/v1/projects/"+x.ProjectID.String(), nil).Want(200)
	boss.Do("DELETE", path+"?delete_projects=true", nil).Want(204)
	x.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
	heir.Do("GET", "/v1/projects/"+x.ProjectID.String(), nil).Want(200)
	boss.Do("PATCH", "/v1/instance/projects/"+second.Project.ID.String(), map[string]bool{"disabled": true}).WantCode(404, "not_found")
	boss.Do("DELETE", path, nil).WantCode(404, "not_found")
	a.Client(t).Do("POST", "/v1/auth/login", map[string]string{"email": x.Email, "password": apptest.Password}).WantCode(401, "invalid_credentials")
}

func TestThereIsAlwaysAnOperatorWhoCanLogIn(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss := a.Operator(t) // the first account, so there is no other
	me := "/v1/instance/accounts/" + boss.ID.String()
	boss.Do("PATCH", me, map[string]bool{"operator": false}).WantCode(409, "last_operator")
	boss.Do("PATCH", me, map[string]bool{"disabled": true}).WantCode(409, "last_operator")
	boss.Do("DELETE", me, nil).WantCode(409, "last_operator")
	other := a.Account(t)
	boss.Do("PATCH", "/v1/instance/accounts/"+other.ID.String(), map[string]bool{"operator": true, "disabled": true}).Want(200)
	boss.Do("PATCH", me, map[string]bool{"operator": false}).WantCode(409, "last_operator") // the other one cannot log in
	boss.Do("PATCH", "/v1/instance/accounts/"+other.ID.String(), map[string]bool{"disabled": false}).Want(200)
	boss.Do("PATCH", me, map[string]bool{"operator": false}).Want(200)
	boss.Do("GET", "/v1/instance/accounts", nil).WantCode(403, "insufficient_role")
	a.Login(t, other.Email).Do("GET", "/v1/instance/accounts", nil).Want(200)
}

// No operation of a member is left out, whatever its role, and a deleted project stays closed too.
func TestADisabledProjectIsClosedToEveryOperationOfItsMembers(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss, x := a.Operator(t), a.Tenant(t)
	type request struct {
		target string
		body   any
	}
	requests := map[string]request{}
	for id, op := range api.Operations {
		// An event's id alone names no project: it is looked up in those that the account may read.
		if id == "getEvent" || op.Role == contract.RoleOperator || op.Role == contract.RoleAccount || !takes(op, "bearerAuth") || !auth.Role(op.Role).AtLeast(auth.RoleViewer) {
			continue
		}
		requests[id] = request{target(op, things(t, a, x, op)), body(t, a, x, op, x.ProjectID.String())}
	}
	path := "/v1/instance/projects/" + x.ProjectID.String()
	boss.Do("PATCH", path, map[string]bool{"disabled": true}).Want(200)
	refused := func(deleted bool) {
		for id, r := range requests {
			if op := api.Operations[id]; op.Deleted == deleted {
				if got := x.Do(op.Method, r.target, r.body); got.Status != 403 || problemOf(t, got)["code"] != "project_disabled" {
					t.Errorf("%s: %d %s", id, got.Status, got.Body)
				}
			}
		}
	}
	refused(false)
	boss.Do("DELETE", path, nil).Want(204)
	refused(true)
}

func TestAnAccountMadeByAnOperatorGetsItsPasswordByLink(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_REGISTRATION=closed")
	boss := a.Operator(t)
	var made struct {
		Account instanceAccount
		Link    struct{ Token, Path string }
	}
	boss.Do("POST", "/v1/instance/accounts", map[string]string{"email": "Grace@Example.com"}).Want(201).JSON(&made)
	if made.Account.Email != "grace@example.com" || made.Link.Path != "/reset#"+made.Link.Token {
		t.Errorf("%+v", made)
	}
	boss.Do("POST", "/v1/instance/accounts", map[string]string{"email": "grace@example.com"}).WantCode(409, "email_taken")
	complete := func(token, password string) *apptest.Reply {
		return a.Client(t).Do("POST", "/v1/auth/password-reset/complete", map[string]string{"token": token, "new_password": password})
	}
	complete(made.Link.Token, "weak-password").WantCode(422, "validation_failed")
	complete(made.Link.Token, apptest.Password).Want(200)
	complete(made.Link.Token, apptest.Password).WantCode(404, "link_invalid")
	grace := a.Login(t, "grace@example.com")

	// A link ends every session and every other link.
	var one, two struct{ Token string }
	path := "/v1/instance/accounts/" + made.Account.ID.String() + "/password-reset"
	boss.Do("POST", path, nil).Want(201).JSON(&one)
	boss.Do("POST", path, nil).Want(201).JSON(&two)
	complete(two.Token, "Another-Horse-8").Want(200)
	complete(one.Token, "Another-Horse-9").WantCode(404, "link_invalid")
	grace.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
	a.Client(t).Do("POST", "/v1/auth/login", map[string]string{"email": "grace@example.com", "password": apptest.Password}).WantCode(401, "invalid_credentials")
	a.Client(t).Do("POST", "/v1/auth/password-reset", map[string]string{"email": "grace@example.com"}).WantCode(403, "mail_not_configured")
}

// Every operation of operators that changes something leaves an entry: of a project in its own log, where its members see it,
// of an account in the one that only operators read.
func TestWhatOperatorsDoIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss := a.Operator(t)
	for id, op := range api.Operations {
		if op.Role != contract.RoleOperator || op.Method == "GET" {
			continue
		}
		t.Run(id, func(t *testing.T) {
			x := a.Tenant(t)
			values, content := things(t, a, x, op), body(t, a, x, op, "")
			if r := boss.With("X-Request-Id", id).Do(op.Method, target(op, values), content); r.Status/100 != 2 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			var entries []auditEntry
			var page struct{ Items []auditEntry }
			boss.Do("GET", "/v1/instance/audit", nil).Want(200).JSON(&page)
			entries = page.Items
			if values["project_id"] != "" && id != "deleteInstanceProject" {
				entries = auditOf(x, "")
			}
			found := slices.ContainsFunc(entries, func(e auditEntry) bool {
				return e.RequestID == id && e.ActorID == boss.ID.String() && e.Target != ""
			})
			if !found && id != "deleteInstanceProject" { // whose log nobody reads any more
				t.Errorf("no entry: %+v", entries)
			}
		})
	}
}
