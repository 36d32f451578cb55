package app_test

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

const (
	hexA = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	hexB = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

var production = []string{"NIMBUS_ENVIRONMENT=production", "NIMBUS_BCRYPT_COST=10", "NIMBUS_JWT_SECRET=" + hexA, "NIMBUS_SECRET_KEY=" + hexB}

type authMethods struct {
	Registration string
	Empty        bool
	SetupToken   bool `json:"setup_token"`
	ByMail       bool `json:"password_reset_by_mail"`
}

func methodsOf(c *apptest.Client) authMethods {
	var m authMethods
	c.Do("GET", "/v1/auth/methods", nil).Want(200).JSON(&m)
	return m
}

func newcomer(more ...string) map[string]string {
	body := map[string]string{"email": uuid.NewString() + "@example.com", "password": apptest.Password}
	for i := 0; i < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return body
}

// A server in production is reachable before its operator has an account: the first one needs what only he can know, and
// after it nobody comes in unasked.
func TestAServerInProductionTakesNobodyItsOperatorDoesNotKnow(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, production...)
	c := a.Client(t)
	if m := methodsOf(c); m != (authMethods{Registration: "closed", Empty: true, SetupToken: true}) {
		t.Errorf("%+v", m)
	}
	_, rest, said := strings.Cut(a.Log.String(), `"setup_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if !said || len(token) != 40 {
		t.Fatalf("the log does not say how the first account is made: %s", a.Log.String())
	}
	c.Do("POST", "/v1/auth/register", newcomer()).WantCode(403, "setup_token_required")
	c.Do("POST", "/v1/auth/register", newcomer("setup_token", strings.Repeat("0", 40))).WantCode(403, "setup_token_required")
	var first struct {
		AccessToken string `json:"access_token"`
		Account     struct{ Operator bool }
	}
	c.Do("POST", "/v1/auth/register", newcomer("setup_token", token)).Want(201).JSON(&first)
	if !first.Account.Operator {
		t.Error("the first account does not operate the server")
	}
	c.Bearer(first.AccessToken).Do("GET", "/v1/instance/accounts", nil).Want(200)
	if m := methodsOf(c); m != (authMethods{Registration: "closed"}) {
		t.Errorf("%+v", m)
	}
	c.Do("POST", "/v1/auth/register", newcomer("setup_token", token)).WantCode(403, "registration_closed")

	// A second node, and the same one after a restart, knows the same.
	if b := apptest.BootOn(t, a.DSN, production...); strings.Contains(b.Log.String(), "setup_token") || methodsOf(b.Client(t)).Empty {
		t.Error("a server with an account speaks of the first one")
	}
}

func TestTheOperatorChoosesTheSetupToken(t *testing.T) {
	t.Parallel()
	const token = "chosen-by-the-operator"
	a := apptest.Boot(t, append([]string{"NIMBUS_SETUP_TOKEN=" + token, "NIMBUS_REGISTRATION=open"}, production...)...)
	c := a.Client(t)
	if strings.Contains(a.Log.String(), token) {
		t.Error("the log holds the token")
	}
	c.Do("POST", "/v1/auth/register", newcomer()).WantCode(403, "setup_token_required") // open is for the second
	c.Do("POST", "/v1/auth/register", newcomer("setup_token", token)).Want(201)
	var second struct{ Account struct{ Operator bool } }
	c.Do("POST", "/v1/auth/register", newcomer()).Want(201).JSON(&second)
	if second.Account.Operator {
		t.Error("a stranger operates the server")
	}
}

func TestOfManyFirstAccountsOneOperates(t *testing.T) {
	t.Parallel()
	one, another := twoNodes(t)
	var all sync.WaitGroup
	var operators [8]bool
	for i := range operators {
		c := []*apptest.App{one, another}[i%2].Client(t)
		all.Go(func() {
			var s struct{ Account struct{ Operator bool } }
			c.Do("POST", "/v1/auth/register", newcomer()).Want(201).JSON(&s)
			operators[i] = s.Account.Operator
		})
	}
	all.Wait()
	n := 0
	for _, operates := range operators {
		if operates {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d operators", n)
	}
}

func TestWhereRegisteringNeedsAnInvitation(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	open := apptest.BootOn(t, dsn)
	a := apptest.BootOn(t, dsn, "NIMBUS_REGISTRATION=invite", "NIMBUS_JWT_SECRET="+hexA, "NIMBUS_SECRET_KEY="+hexB)
	x := open.Tenant(t)
	c := a.Client(t)
	if m := methodsOf(c); m.Registration != "invite" || m.Empty {
		t.Errorf("%+v", m)
	}
	c.Do("POST", "/v1/auth/register", newcomer()).WantCode(403, "registration_closed")
	c.Do("POST", "/v1/auth/register", newcomer("invitation", "ni_nothing")).WantCode(404, "link_invalid")

	for1 := x.Invite("viewer", "Grace@Example.com")
	c.Do("POST", "/v1/auth/register", newcomer("invitation", for1)).WantCode(403, "invitation_not_yours")
	var s struct {
		AccessToken string `json:"access_token"`
	}
	body := newcomer("invitation", for1)
	body["email"] = "grace@EXAMPLE.com"
	c.Do("POST", "/v1/auth/register", body).Want(201).JSON(&s)
	c.Bearer(s.AccessToken).Do("GET", "/v1/projects/"+x.ProjectID.String(), nil).Want(200)
	c.Do("POST", "/v1/auth/register", newcomer("invitation", for1)).WantCode(404, "link_invalid")

	// Of two who have the same link, one gets in, and the other has no account.
	token := x.Invite("viewer", "")
	var both sync.WaitGroup
	var replies [2]*apptest.Reply
	for i := range replies {
		both.Go(func() { replies[i] = c.Do("POST", "/v1/auth/register", newcomer("invitation", token)) })
	}
	both.Wait()
	if replies[0].Status+replies[1].Status != http.StatusCreated+http.StatusNotFound {
		t.Errorf("%d and %d", replies[0].Status, replies[1].Status)
	}
}

func TestOnlyAddressesOfAllowedDomainsRegister(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_ALLOWED_EMAIL_DOMAINS=@Example.com,example.org")
	c := a.Client(t)
	a.Account(t) // the first one is the operator's own
	for email, status := range map[string]int{"x@EXAMPLE.com": 201, "x@example.org": 201, "x@sub.example.org": 422, "x@example.net": 422, "x@example.com.evil.net": 422} {
		c.Do("POST", "/v1/auth/register", map[string]string{"email": email, "password": apptest.Password}).Want(status)
	}
}

type invitation struct {
	ID        uuid.UUID
	Role      string
	Email     string
	InvitedBy string `json:"invited_by"`
}

func invitationsOf(x *apptest.Tenant) []invitation {
	var list struct{ Items []invitation }
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/invitations", nil).Want(200).JSON(&list)
	return list.Items
}

// An owner who invites somebody learns nothing of who has an account, and nobody becomes a member who has not said yes.
func TestInvitingTellsNothingAndAddsNobody(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, bob := a.Tenant(t), a.Account(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/invitations"
	invite := func(email string) map[string]any {
		var answer map[string]any
		x.Do("POST", path, map[string]string{"email": email, "role": "admin"}).Want(201).JSON(&answer)
		invitation, _ := answer["invitation"].(map[string]any)
		for _, own := range []string{"id", "email", "created_at", "expires_at"} { // of each invitation its own
			if invitation[own] == nil {
				t.Errorf("%s is missing: %v", own, answer)
			}
			delete(invitation, own)
		}
		delete(answer, "token")
		delete(answer, "path")
		return answer
	}
	known, unknown := invite(strings.ToUpper(bob.Email)), invite("nobody-"+bob.Email)
	if !reflect.DeepEqual(known, unknown) {
		t.Errorf("the answers differ:\n%v\n%v", known, unknown)
	}
	bob.Do("GET", "/v1/projects/"+x.ProjectID.String(), nil).WantCode(404, "not_found")
	list := invitationsOf(x)
	if len(list) != 2 || list[1].Email != bob.Email || list[1].InvitedBy != x.Email || list[1].Role != "admin" {
		t.Errorf("%+v", list)
	}
}

func TestAnInvitationWorksOnceForWhomItIsMade(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, bob, eve := a.Tenant(t), a.Account(t), a.Account(t)
	accept := func(who *apptest.Account, token string) *apptest.Reply {
		return who.Do("POST", "/v1/invitations/accept", map[string]string{"token": token})
	}
	preview := func(token string) *apptest.Reply {
		return a.Client(t).Do("POST", "/v1/invitations/preview", map[string]string{"token": token})
	}
	token := x.Invite("admin", bob.Email)
	var shown struct {
		ProjectName string `json:"project_name"`
		Role, Email string
	}
	preview(token).Want(200).JSON(&shown)
	if shown.ProjectName != t.Name() || shown.Role != "admin" || shown.Email != bob.Email {
		t.Errorf("%+v", shown)
	}
	accept(eve, token).WantCode(403, "invitation_not_yours")
	accept(x.Account, token).WantCode(403, "invitation_not_yours")
	accept(bob, token).Want(200)
	accept(bob, token).WantCode(404, "link_invalid")
	preview(token).WantCode(404, "link_invalid")
	preview("ni_nothing").WantCode(404, "link_invalid")

	// Who is a member already uses nothing up, and keeps his role.
	token = x.Invite("viewer", "")
	accept(bob, token).Want(200)
	var members struct{ Items []member }
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/members", nil).Want(200).JSON(&members)
	if len(members.Items) != 2 || members.Items[1].Role != "admin" {
		t.Errorf("%+v", members.Items)
	}
	x.Do("DELETE", "/v1/projects/"+x.ProjectID.String()+"/invitations/"+invitationsOf(x)[0].ID.String(), nil).Want(204)
	accept(eve, token).WantCode(404, "link_invalid")

	late := x.Invite("viewer", "")
	a.Clock.Add(169 * time.Hour)
	accept(a.Login(t, eve.Email), late).WantCode(404, "link_invalid")

	a.Clock.Add(-169 * time.Hour) // nothing is deleted by a clock that differs from the database's
	db := connect(t, a.DSN)
	if _, err := db.Exec(t.Context(), "UPDATE invitations SET expires_at = now() - interval '400 days'"); err != nil {
		t.Fatal(err)
	}
	a.RunJob(t, "prune expired invitations")
	var left int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM invitations").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d expired invitations are left: %v", left, err)
	}
}

// Whoever loses the right to invite leaves no way in behind.
func TestAnInvitationEndsWithTheRightOfItsMaker(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	boss := a.Operator(t)
	x, bob, eve := a.Tenant(t), a.Account(t), a.Account(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/members/" + bob.ID.String()
	invalid := func(token string) {
		t.Helper()
		eve.Do("POST", "/v1/invitations/accept", map[string]string{"token": token}).WantCode(404, "link_invalid")
		if list := invitationsOf(x); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	}
	x.Join(bob, "owner")
	bobs := &apptest.Tenant{Account: bob, ProjectID: x.ProjectID}
	toOwner := bobs.Invite("owner", "")
	x.Do("PATCH", path, map[string]string{"role": "admin"}).Want(200)
	invalid(toOwner)
	toViewer := bobs.Invite("viewer", "")
	x.Do("PATCH", path, map[string]string{"role": "viewer"}).Want(200)
	invalid(toViewer)
	x.Do("PATCH", path, map[string]string{"role": "admin"}).Want(200)
	invalid(toViewer)
	toViewer = bobs.Invite("viewer", "")
	boss.Do("PATCH", "/v1/instance/accounts/"+bob.ID.String(), map[string]bool{"disabled": true}).Want(200)
	invalid(toViewer)
	boss.Do("PATCH", "/v1/instance/accounts/"+bob.ID.String(), map[string]bool{"disabled": false}).Want(200)
	x.Do("DELETE", path, nil).Want(200)
	x.Join(a.Login(t, bob.Email), "admin")
	invalid(toViewer)
}

func TestRemovingAMemberShowsAndRevokesTheKeysHeMade(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, bob := a.Tenant(t), a.Account(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/members/" + bob.ID.String()
	bobs := &apptest.Tenant{Account: bob, ProjectID: x.ProjectID}
	reads := func(secret string, status int) {
		t.Helper()
		a.Client(t).With("X-API-Key", secret).Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).Want(status)
	}
	var removed struct {
		APIKeys []shownKey `json:"api_keys"`
		Revoked bool       `json:"keys_revoked"`
	}
	x.Join(bob, "admin")
	id, secret := apiKey(bobs, map[string]any{"name": "bob's", "scopes": []string{"events:read"}})
	reads(secret, 200)
	x.Do("DELETE", path, nil).Want(200).JSON(&removed)
	if len(removed.APIKeys) != 1 || removed.APIKeys[0].ID != id || removed.Revoked {
		t.Errorf("%+v", removed)
	}
	reads(secret, 200) // it belongs to the project

	x.Join(bob, "admin")
	x.Do("DELETE", path+"?revoke_keys=true", nil).Want(200).JSON(&removed)
	if len(removed.APIKeys) != 1 || !removed.Revoked {
		t.Errorf("%+v", removed)
	}
	reads(secret, 401)
	if actions := auditOf(x, ""); actions[0].Action != "member.remove" || actions[1].Action != "key.revoke" || actions[1].Target != id {
		t.Errorf("%+v", actions[:2])
	}

	// A viewer leaves, and ends no keys by it.
	x.Join(bob, "viewer")
	bob.Do("DELETE", path+"?revoke_keys=true", nil).WantCode(403, "insufficient_role")
	bob.Do("DELETE", path, nil).Want(200)
}

func TestInvitingHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_RATE_LIMIT_ENABLED=true", "NIMBUS_MAX_MEMBERS_PER_PROJECT=10")
	x, y := a.Tenant(t), a.Tenant(t)
	invite := func(x *apptest.Tenant) *apptest.Reply {
		return x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/invitations", map[string]string{"role": "viewer"})
	}
	for range 10 {
		invite(x).Want(201)
	}
	invite(x).WantCode(422, "limit_reached")
	for range 9 {
		invite(x).WantCode(422, "limit_reached")
	}
	limited := invite(x).WantCode(429, "rate_limited")
	if limited.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	invite(y).Want(201)
}

func TestWhatAnAccountAndAProjectMayHave(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_MAX_PROJECTS_PER_ACCOUNT=2", "NIMBUS_MAX_KEYS_PER_PROJECT=1", "NIMBUS_MAX_MEMBERS_PER_PROJECT=2",
		"NIMBUS_MAX_INSIGHTS_PER_PROJECT=1", "NIMBUS_MAX_BOARDS_PER_PROJECT=1", "NIMBUS_MAX_COHORTS_PER_PROJECT=1")
	x, bob, eve := a.Tenant(t), a.Account(t), a.Account(t)
	project := "/v1/projects/" + x.ProjectID.String()
	full := func(path string, body any) {
		t.Helper()
		x.Do("POST", path, body).WantCode(422, "limit_reached")
	}
	x.Do("POST", "/v1/projects", map[string]string{"name": "second"}).Want(201)
	full("/v1/projects", map[string]string{"name": "third"})
	key := map[string]any{"name": "k", "scopes": []string{"events:read"}}
	x.Do("POST", project+"/api-keys", key).Want(201)
	full(project+"/api-keys", key)
	x.Do("POST", project+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201)
	full(project+"/write-keys", map[string]any{"allowed_origins": []string{}})
	x.Do("POST", project+"/insights", insight("i")).Want(201)
	full(project+"/insights", insight("i"))
	x.Do("POST", project+"/boards", map[string]any{"name": "b"}).Want(201)
	full(project+"/boards", map[string]any{"name": "b"})
	x.Do("POST", project+"/cohorts", map[string]any{"name": "c", "kind": "fixed"}).Want(201)
	full(project+"/cohorts", map[string]any{"name": "c", "kind": "fixed"})
	x.Join(bob, "viewer")
	token := x.Invite("viewer", "")
	eve.Do("POST", "/v1/invitations/accept", map[string]string{"token": token}).WantCode(422, "limit_reached")

	// Making and deleting projects is no way around it, and what was deleted counts no more once it is gone.
	x.Do("DELETE", project, nil).Want(204)
	full("/v1/projects", map[string]string{"name": "third"})
	a.Clock.Add(10 * time.Minute)
	a.RunJob(t, "purge deleted projects")
	x.Do("POST", "/v1/projects", map[string]string{"name": "third"}).Want(201)

	// Together, too.
	var all sync.WaitGroup
	var replies [6]*apptest.Reply
	for i := range replies {
		all.Go(func() { replies[i] = eve.Do("POST", "/v1/projects", map[string]string{"name": "x"}) })
	}
	all.Wait()
	made := 0
	for _, r := range replies {
		if r.Status == http.StatusCreated {
			made++
		}
	}
	if made != 2 {
		t.Errorf("%d projects, want 2", made)
	}
}
