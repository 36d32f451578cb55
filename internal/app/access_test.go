package app_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var update = flag.Bool("update", false, "write docs/access.md anew")

const (
	tableBegin = "<!-- generated from the contract by go test ./internal/app -run TestTheDocumentation -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// docs/access.md lists for every operation who may call it, and must agree with the contract.
func TestTheDocumentationOfAccessIsTheContract(t *testing.T) {
	t.Parallel()
	const path = "../../docs/access.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no table", path)
	}
	want := before + tableBegin + accessTable() + tableEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Errorf("%s is not what the contract says; run this test with -update", path)
	}
}

func accessTable() string {
	var b strings.Builder
	b.WriteString("| Operation | Accounts | Keys |\n|---|---|---|\n")
	ops := make([]*contract.Operation, 0, len(api.Operations))
	for _, op := range api.Operations {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(x, y *contract.Operation) int { return strings.Compare(x.Path+x.Method, y.Path+y.Method) })
	for _, op := range ops {
		accounts, keys := "–", "–"
		switch {
		case op.Public:
			accounts, keys = "everyone", "everyone"
		case takes(op, "bearerAuth"):
			accounts = op.Role
			if op.Self != "" {
				accounts += "; oneself: every role"
			}
			if op.Deleted {
				accounts += ", of a deleted project"
			}
		case takes(op, "refreshToken"):
			accounts = "refresh token"
		}
		if op.TakesKeys() {
			keys = "`" + op.Scope + "`"
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", op.Method, op.Path, accounts, keys)
	}
	return b.String()
}

// The contract lists the scopes that a key can have; they are those of the operations that take keys, and no others.
func TestTheScopesOfKeysAreThoseOfTheOperationsThatTakeThem(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	keys := "/v1/projects/" + x.ProjectID.String() + "/api-keys"
	for scope := range auth.KeyScopes(api.Operations) {
		x.Do("POST", keys, map[string]any{"name": scope, "scopes": []string{scope}}).Want(201)
	}
	for _, op := range api.Operations {
		if _, known := auth.KeyScopes(api.Operations)[op.Scope]; !known {
			x.Do("POST", keys, map[string]any{"name": "x", "scopes": []string{op.Scope}}).WantCode(422, "validation_failed")
		}
	}
}

type member struct {
	AccountID uuid.UUID `json:"account_id"`
	Email     string
	Role      string
}

func TestMembersComeChangeAndGo(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, bob, eve := a.Tenant(t), a.Account(t), a.Account(t)
	project := "/v1/projects/" + x.ProjectID.String()
	path := project + "/members"
	as := func(role string) map[string]string { return map[string]string{"role": role} }

	bob.Do("GET", project, nil).WantCode(404, "not_found")
	x.Join(bob, "admin")
	var members struct{ Items []member }
	bob.Do("GET", path, nil).Want(200).JSON(&members)
	if m := members.Items; len(m) != 2 || m[1].AccountID != bob.ID || m[1].Role != "admin" {
		t.Errorf("members %+v", m)
	}

	// An admin manages whoever is below an owner, and no more.
	bob.Do("POST", project+"/invitations", as("owner")).WantCode(403, "insufficient_role")
	(&apptest.Tenant{Account: bob, ProjectID: x.ProjectID}).Join(eve, "viewer")
	bob.Do("PATCH", path+"/"+bob.ID.String(), as("owner")).WantCode(403, "insufficient_role")
	bob.Do("PATCH", path+"/"+x.ID.String(), as("viewer")).WantCode(403, "insufficient_role")
	bob.Do("DELETE", path+"/"+x.ID.String(), nil).WantCode(403, "insufficient_role")
	bob.Do("PATCH", path+"/"+eve.ID.String(), as("admin")).Want(200)
	bob.Do("PATCH", path+"/"+eve.ID.String(), as("viewer")).Want(200)
	bob.Do("DELETE", project, nil).WantCode(403, "insufficient_role")

	// A viewer removes nobody but himself.
	eve.Do("DELETE", path+"/"+bob.ID.String(), nil).WantCode(403, "insufficient_role")
	eve.Do("DELETE", path+"/"+eve.ID.String(), nil).Want(200)
	eve.Do("GET", project, nil).WantCode(404, "not_found")

	x.Do("PATCH", path+"/"+x.ID.String(), as("viewer")).WantCode(409, "last_owner")
	x.Do("DELETE", path+"/"+x.ID.String(), nil).WantCode(409, "last_owner")
	x.Do("PATCH", path+"/"+bob.ID.String(), as("owner")).Want(200)
	x.Do("DELETE", path+"/"+x.ID.String(), nil).Want(200)
	bob.Do("GET", path, nil).Want(200)
	x.Do("GET", path, nil).WantCode(404, "not_found")
}

func TestTwoOwnersWhoUnmakeEachOtherAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	one, another := twoNodes(t)
	for name, request := range map[string]func(me, other uuid.UUID) (method string, whom uuid.UUID, body any){
		"demote each other": func(_, other uuid.UUID) (string, uuid.UUID, any) {
			return "PATCH", other, map[string]string{"role": "viewer"}
		},
		"remove each other": func(_, other uuid.UUID) (string, uuid.UUID, any) { return "DELETE", other, nil },
		"demote themselves": func(me, _ uuid.UUID) (string, uuid.UUID, any) { return "PATCH", me, map[string]string{"role": "admin"} },
		"leave":             func(me, _ uuid.UUID) (string, uuid.UUID, any) { return "DELETE", me, nil },
	} {
		for range 5 {
			x := one.Tenant(t)
			y := another.Account(t)
			path := "/v1/projects/" + x.ProjectID.String() + "/members"
			x.Join(y, "owner")
			owners := []*apptest.Account{x.Account, y}
			var replies [2]*apptest.Reply
			var both sync.WaitGroup
			for i, me := range owners {
				both.Go(func() {
					method, whom, body := request(me.ID, owners[1-i].ID)
					replies[i] = me.Do(method, path+"/"+whom.String(), body)
				})
			}
			both.Wait()
			done, left := 0, 0
			for i, r := range replies {
				if r.Status < 300 {
					done++
				}
				if got := owners[i].Do("GET", path, nil); got.Status == 200 && bytes.Contains(got.Body, []byte(`"role":"owner"`)) {
					left++
				}
			}
			if done != 1 || left == 0 {
				t.Errorf("%s: %d succeeded, %d see an owner: %s / %s", name, done, left, replies[0].Body, replies[1].Body)
			}
		}
	}
}

type shownKey struct {
	ID, Name   string
	Main       bool
	Scopes     []string
	CreatedBy  *uuid.UUID `json:"created_by"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func TestAnAPIKeyDoesWhatItsScopesSayUntilItEnds(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/api-keys"
	list := func() (keys []shownKey, text string) {
		t.Helper()
		r := x.Do("GET", path, nil).Want(200)
		var page struct{ Items []shownKey }
		r.JSON(&page)
		return page.Items, string(r.Body)
	}
	if keys, _ := list(); len(keys) != 1 || !keys[0].Main || keys[0].ID != x.KeyID || keys[0].CreatedBy == nil || *keys[0].CreatedBy != x.ID {
		t.Errorf("a new project has the keys %+v", keys)
	}
	soon := a.Clock.Now().Add(time.Hour).UTC().Truncate(time.Second)
	id, secret := apiKey(x, map[string]any{"name": "reader", "scopes": []string{"events:read"}, "expires_at": soon})
	keys, text := list()
	if len(keys) != 2 || keys[0].ID != id || keys[0].Main || keys[0].ExpiresAt == nil || !keys[0].ExpiresAt.Equal(soon) || keys[0].LastUsedAt != nil {
		t.Errorf("keys %+v", keys)
	}
	if strings.Contains(text, secret) || strings.Contains(text, x.Secret) {
		t.Error("the list shows a secret")
	}
	reader := node.Client(t).With("X-API-Key", secret)
	events := "/v1/events?project_id=" + x.ProjectID.String()
	reader.Do("GET", events, nil).Want(200)
	reader.Do("POST", "/v1/events", x.Batch(apptest.Event{"name": "e"})).WantCode(403, "insufficient_scope")
	reader.Do("GET", "/v1/metrics?project_id="+x.ProjectID.String(), nil).WantCode(403, "insufficient_scope")

	// Rotating is about the main pair.
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/rotate-keys", nil).Want(200)
	reader.Do("GET", events, nil).Want(200)

	x.Do("PATCH", path+"/"+id, map[string]any{"name": "renamed"}).Want(200)
	x.Do("PATCH", path+"/"+id, map[string]any{"expires_at": soon.Add(time.Second)}).WantCode(422, "validation_failed")
	x.Do("PATCH", path+"/"+id, map[string]any{"expires_at": a.Clock.Now().Add(-time.Second)}).WantCode(422, "validation_failed")
	x.Do("POST", path, map[string]any{"name": "over", "scopes": []string{"events:read"}, "expires_at": a.Clock.Now().Add(-time.Second)}).WantCode(422, "validation_failed")
	x.Do("PATCH", path+"/"+id, map[string]any{"expires_at": soon.Add(-time.Minute)}).Want(200)
	if keys, _ := list(); keys[1].Name != "renamed" || !keys[1].ExpiresAt.Equal(soon.Add(-time.Minute)) {
		t.Errorf("after the changes: %+v", keys)
	}
	node.Clock.Add(time.Hour - time.Minute)
	refused(t, reader, events)
	node.Clock.Add(time.Minute - time.Hour)
	reader.Do("GET", events, nil).Want(200)

	other := a.Tenant(t)
	other.Do("DELETE", "/v1/projects/"+other.ProjectID.String()+"/api-keys/"+id, nil).WantCode(404, "not_found")
	x.Do("DELETE", path+"/"+id, nil).Want(204)
	refused(t, reader, events)
	x.Do("DELETE", path+"/"+id, nil).WantCode(404, "not_found")
	x.Do("PATCH", path+"/"+id, map[string]any{"name": "x"}).WantCode(404, "not_found")
}

// refused waits until a key stops working, because another node is notified of the change by the database.
func refused(t *testing.T, key *apptest.Client, path string) {
	t.Helper()
	nimbustest.Eventually(t, "the key stops working", func() bool { return key.Do("GET", path, nil).Status == 401 })
}

func TestTheLastUseOfKeysAndSessionsIsShownWithoutAWriteForEach(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	x := a.Tenant(t)
	node.Clock.Add(50 * time.Minute) // within the life of the token
	noted := node.Clock.Now().Truncate(time.Second)
	id, secret := apiKey(x, map[string]any{"name": "reader", "scopes": []string{"events:read"}})
	node.Client(t).With("X-API-Key", secret).Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).Want(200)
	node.Client(t).Bearer(x.AccessToken).Do("GET", "/v1/auth/me", nil).Want(200)
	node.Stop() // pending uses are stored then at the latest

	var keys struct{ Items []shownKey }
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/api-keys", nil).Want(200).JSON(&keys)
	i := slices.IndexFunc(keys.Items, func(k shownKey) bool { return k.ID == id })
	if i < 0 || keys.Items[i].LastUsedAt == nil || keys.Items[i].LastUsedAt.Before(noted) {
		t.Errorf("keys %+v", keys.Items)
	}
	var sessions struct{ Items []shownSession }
	x.Do("GET", "/v1/auth/sessions", nil).Want(200).JSON(&sessions)
	if s := sessions.Items[0]; s.LastSeenAt.Before(noted) {
		t.Errorf("session %+v", s)
	}
}

type shownSession struct {
	ID         uuid.UUID
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	IP         string
	UserAgent  string `json:"user_agent"`
	Current    bool
}

func TestAnAccountSeesItsSessionsAndEndsThem(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	me, other := a.Account(t), a.Account(t)
	phone := a.Login(t, me.Email)
	list := func(c *apptest.Account) []shownSession {
		t.Helper()
		var page struct{ Items []shownSession }
		c.Do("GET", "/v1/auth/sessions", nil).Want(200).JSON(&page)
		return page.Items
	}
	mine := list(me)
	if len(mine) != 2 || mine[0].Current || !mine[1].Current || mine[0].IP != "127.0.0.1" || !strings.HasPrefix(mine[0].UserAgent, "Go-http-client") {
		t.Fatalf("sessions %+v", mine)
	}
	path := "/v1/auth/sessions/"
	other.Do("DELETE", path+mine[0].ID.String(), nil).WantCode(404, "not_found")
	phone.Do("GET", "/v1/auth/me", nil).Want(200)
	me.Do("DELETE", path+mine[0].ID.String(), nil).Want(204)
	phone.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
	a.Client(t).Bearer(phone.RefreshToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")
	me.Do("DELETE", path+mine[0].ID.String(), nil).WantCode(404, "not_found")
	if left := list(me); len(left) != 1 || left[0].ID != mine[1].ID {
		t.Errorf("left: %+v", left)
	}
	me.Do("DELETE", path+mine[1].ID.String(), nil).Want(204)
	me.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
}

type auditEntry struct {
	ID         uuid.UUID
	At         time.Time
	Action     string
	ActorKind  string `json:"actor_kind"`
	ActorID    string `json:"actor_id"`
	ActorEmail string `json:"actor_email"`
	Target     string
	Changes    map[string]map[string]any
	IP         string
	RequestID  string `json:"request_id"`
}

func auditOf(x *apptest.Tenant, query string) []auditEntry {
	var page struct{ Items []auditEntry }
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/audit"+query, nil).Want(200).JSON(&page)
	return page.Items
}

// Every operation that changes something under a project leaves an entry. A new one that forgets to is found here.
func TestEveryChangeOfAProjectIsInItsAuditLog(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	reads := []string{"replayQuarantine", "deleteQuarantined", "ingestEvents", "changeProfiles", "queryPeople", "exportPeople", "runMetricsQuery", "createLiveTicket"} // and what begins with ask: events are not settings, and who asks changes nothing
	for id, op := range api.Operations {
		if op.Project == "" || op.Method == "GET" || slices.Contains(reads, id) || strings.HasPrefix(id, "ask") {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			x := a.Tenant(t)
			path, content := target(op, things(t, a, x, op)), body(t, a, x, op, x.ProjectID.String())
			before := len(auditOf(x, ""))
			reply := x.With("X-Request-Id", "the-one").Do(op.Method, path, content)
			if reply.Status/100 != 2 {
				t.Fatalf("%d %s", reply.Status, reply.Body)
			}
			if id == "deleteProject" { // nobody reads its log any more, but the operator
				db, err := pgx.Connect(t.Context(), a.DSN)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = db.Close(t.Context()) }()
				var n int
				err = db.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE project_id = $1 AND action = 'project.delete'`, x.ProjectID).Scan(&n)
				if err != nil || n != 1 {
					t.Errorf("%d entries, %v", n, err)
				}
				return
			}
			entries := auditOf(x, "")
			if len(entries) != before+1 {
				t.Fatalf("%d entries after %d", len(entries), before)
			}
			e := entries[0]
			if e.ActorKind != "account" || e.ActorID != x.ID.String() || e.ActorEmail != x.Email || e.RequestID != "the-one" || e.IP != "127.0.0.1" || e.Target == "" || e.Action == "" {
				t.Errorf("entry %+v", e)
			}
			for _, secret := range []string{x.Secret, "ns_", "nw_", "ni_"} {
				if text, _ := json.Marshal(e.Changes); strings.Contains(string(text), secret) {
					t.Errorf("the entry holds a secret: %s", text)
				}
			}
		})
	}
}

func TestTheAuditLogIsFilteredPagedAndExported(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, bob := a.Tenant(t), a.Account(t)
	project := "/v1/projects/" + x.ProjectID.String()
	x.Join(bob, "admin")
	for i := range 5 {
		bob.Do("PATCH", project, map[string]string{"name": fmt.Sprint("name ", i)}).Want(200)
	}
	x.Do("POST", project+"/rotate-keys", nil).Want(200)
	all := auditOf(x, "")
	if len(all) != 9 || all[0].Action != "key.rotate" || all[8].Action != "project.create" {
		t.Fatalf("%+v", all)
	}
	if c := all[1].Changes["name"]; c["old"] != "name 3" || c["new"] != "name 4" || len(all[1].Changes) != 1 {
		t.Errorf("changes %v", all[1].Changes)
	}
	at := func(e auditEntry) string { return url.QueryEscape(e.At.Format(time.RFC3339Nano)) }
	for query, want := range map[string][]auditEntry{
		"?action=project.update":                        all[1:6],
		"?action=member.add&action=key.rotate":          {all[0], all[6]},
		"?actor=" + bob.ID.String():                     all[1:7],
		"?actor=" + uuid.NewString():                    {},
		"?since=" + at(all[2]):                          all[:3],
		"?until=" + at(all[2]):                          all[3:],
		"?since=" + at(all[4]) + "&until=" + at(all[2]): all[3:5],
	} {
		got := auditOf(x, query)
		if len(got) != len(want) || len(got) > 0 && (got[0].ID != want[0].ID || got[len(got)-1].ID != want[len(want)-1].ID) {
			t.Errorf("%s: %d entries, want %d", query, len(got), len(want))
		}
		lines := exportOf(t, x, query)
		if len(lines) != len(got) || len(got) > 0 && lines[0].ID != got[0].ID {
			t.Errorf("%s: %d lines are exported, %d entries listed", query, len(lines), len(got))
		}
	}
	for _, limit := range []int{1, 3, 9} {
		var paged []auditEntry
		for cursor := ""; ; {
			var page struct {
				Items      []auditEntry
				NextCursor *string `json:"next_cursor"`
			}
			x.Do("GET", fmt.Sprintf("%s/audit?limit=%d%s", project, limit, cursor), nil).Want(200).JSON(&page)
			paged = append(paged, page.Items...)
			if page.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *page.NextCursor
			if len(paged) > len(all) {
				t.Fatal("the pages do not end")
			}
		}
		if !slices.EqualFunc(paged, all, func(x, y auditEntry) bool { return x.ID == y.ID }) {
			t.Errorf("limit %d: %d entries", limit, len(paged))
		}
	}
	x.Do("GET", project+"/audit?cursor=nonsense", nil).WantCode(422, "validation_failed")
}

func exportOf(t *testing.T, x *apptest.Tenant, query string) []auditEntry {
	t.Helper()
	r := x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/audit/export"+query, nil).Want(200)
	var out []auditEntry
	for line := range bytes.Lines(r.Body) {
		var e auditEntry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, e)
	}
	return out
}
