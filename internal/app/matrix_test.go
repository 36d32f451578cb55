package app_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// credential is one row of the matrix: a kind of credentials with their properties.
type credential struct {
	name   string
	scheme string // of the contract; empty without credentials
	dead   string // the code of why it is: expired or revoked
	scopes []string
	mine   bool      // of the project, or of the account whose things are named
	role   auth.Role // in the project; empty for a stranger
	boss   bool      // operates the instance
	send   func(method, target string, body []byte) *apptest.Reply
}

const signature = "apiKeyId+apiSignature+apiTimestamp"

// verdict is the expected answer by the contract: the status and code of the refusal, or 0.
func (c *credential) verdict(op *contract.Operation) (int, string) {
	switch {
	case op.Public:
		return 0, ""
	case !takes(op, c.scheme):
		return http.StatusUnauthorized, ""
	case c.dead != "":
		return http.StatusUnauthorized, c.dead
	case c.scopes != nil && !slices.Contains(c.scopes, op.Scope):
		return http.StatusForbidden, "insufficient_scope"
	case op.Role == contract.RoleOperator && c.boss:
		return 0, ""
	case op.Role == contract.RoleOperator:
		return http.StatusForbidden, "insufficient_role"
	case op.Role == contract.RoleAccount && (c.mine || !strings.Contains(op.Path, "{")):
		return 0, ""
	case c.scopes != nil && c.mine:
		return 0, ""
	case c.role == "" || op.Role == contract.RoleAccount:
		return http.StatusNotFound, "not_found"
	case !c.role.AtLeast(auth.Role(op.Role)):
		return http.StatusForbidden, "insufficient_role"
	}
	return 0, ""
}

func takes(op *contract.Operation, scheme string) bool {
	return slices.ContainsFunc(op.Security, func(r contract.Requirement) bool {
		return strings.Join(slices.Sorted(maps.Keys(r)), "+") == scheme
	})
}

// world is a project with its members and keys, and an account that is not a member.
type world struct {
	app         *apptest.App
	owner       *apptest.Tenant
	credentials []*credential
}

// newWorld makes one. past is the same program on the same database with a clock long ago: the credentials it issues
// have expired.
func newWorld(t *testing.T, a, past *apptest.App, op *contract.Operation) *world {
	t.Helper()
	w := &world{app: a, owner: a.Tenant(t)}
	project := "/v1/projects/" + w.owner.ProjectID.String()
	stranger := a.Tenant(t)
	stranger.Ingest(apptest.Event{"name": "e"}) // so that the stranger's project is not merely empty

	with := func(header func() (string, string)) func(string, string, []byte) *apptest.Reply {
		return func(method, target string, body []byte) *apptest.Reply {
			name, value := header()
			return raw(a.Client(t).With(name, value), method, target, body)
		}
	}
	bearer := func(token func() string) func(string, string, []byte) *apptest.Reply {
		return with(func() (string, string) { return "Authorization", "Bearer " + token() })
	}
	fixed := func(token string) func() string { return func() string { return token } }
	add := func(c *credential) { w.credentials = append(w.credentials, c) }

	add(&credential{name: "no credentials", send: func(method, target string, body []byte) *apptest.Reply {
		return raw(a.Client(t), method, target, body)
	}})

	// A session of its own for each request, because some operations end it.
	for _, role := range []auth.Role{auth.RoleViewer, auth.RoleAdmin, auth.RoleOwner, ""} {
		c := &credential{name: "access token of " + string(role), scheme: "bearerAuth", role: role, mine: role == auth.RoleOwner}
		email := w.owner.Email
		switch role {
		case "":
			c.name, email = "access token of a stranger", stranger.Email
		case auth.RoleViewer, auth.RoleAdmin:
			member := a.Account(t)
			w.owner.Join(member, string(role))
			email = member.Email
		case auth.RoleOwner:
		}
		c.send = bearer(func() string { return a.Login(t, email).AccessToken })
		add(c)
	}
	boss := a.Operator(t)
	add(&credential{name: "access token of an operator", scheme: "bearerAuth", boss: true,
		send: bearer(func() string { return a.Login(t, boss.Email).AccessToken })})
	add(&credential{name: "refresh token", scheme: "refreshToken", role: auth.RoleOwner, mine: true,
		send: bearer(func() string { return a.Login(t, w.owner.Email).RefreshToken })})
	add(&credential{name: "refresh token in a cookie", scheme: "refreshCookie+sameSite", role: auth.RoleOwner, mine: true,
		send: func(method, target string, body []byte) *apptest.Reply {
			cookie := auth.RefreshCookie + "=" + a.Login(t, w.owner.Email).RefreshToken
			return raw(a.Client(t).With("Cookie", cookie).With("X-Nimbus-Session", "cookie"), method, target, body)
		}})
	ended := a.Login(t, w.owner.Email)
	ended.Do("POST", "/v1/auth/logout", nil).Want(204)
	expired := past.Login(t, w.owner.Email)
	add(&credential{name: "revoked access token", scheme: "bearerAuth", dead: "session_ended", send: bearer(fixed(ended.AccessToken))})
	add(&credential{name: "revoked refresh token", scheme: "refreshToken", dead: "session_ended", send: bearer(fixed(ended.RefreshToken))})
	add(&credential{name: "expired access token", scheme: "bearerAuth", dead: "token_expired", send: bearer(fixed(expired.AccessToken))})
	add(&credential{name: "expired refresh token", scheme: "refreshToken", dead: "token_expired", send: bearer(fixed(expired.RefreshToken))})

	// Each API key twice: sent, and signed with.
	all := slices.Sorted(maps.Keys(auth.KeyScopes(api.Operations)))
	others := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == op.Scope })
	key := func(name, id, secret string, c credential) {
		sent, signed := c, c
		sent.name, sent.scheme = name+", sent", "apiKey"
		sent.send = with(func() (string, string) { return "X-API-Key", secret })
		signed.name, signed.scheme = name+", signed with", signature
		signed.send = func(method, target string, body []byte) *apptest.Reply {
			if body == nil {
				body = []byte{}
			}
			return a.Client(t).Send(a.Client(t).Signed(id, secret, method, target, body, a.Clock.Now().Unix()))
		}
		add(&sent)
		add(&signed)
	}
	id, secret := apiKey(w.owner, map[string]any{"name": "all", "scopes": all})
	key("API key", id, secret, credential{scopes: all, mine: true})
	id, secret = apiKey(w.owner, map[string]any{"name": "wrong scope", "scopes": others})
	key("API key of other scopes", id, secret, credential{scopes: others, mine: true})
	id, secret = apiKey(w.owner, map[string]any{"name": "revoked", "scopes": all})
	w.owner.Do("DELETE", project+"/api-keys/"+id, nil).Want(204)
	key("revoked API key", id, secret, credential{dead: "invalid_key"})
	longAgo := *w.owner
	longAgo.Account = past.Login(t, w.owner.Email)
	id, secret = apiKey(&longAgo, map[string]any{"name": "expired", "scopes": all, "expires_at": past.Clock.Now().Add(time.Hour)})
	key("expired API key", id, secret, credential{dead: "invalid_key"})
	key("API key of another project", stranger.KeyID, stranger.Secret, credential{scopes: all})

	writeKey := func(name string, x *apptest.Tenant, c credential) {
		var made struct {
			ID  uuid.UUID
			Key string
		}
		path := "/v1/projects/" + x.ProjectID.String() + "/write-keys"
		x.Do("POST", path, map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&made)
		if c.dead != "" {
			x.Do("DELETE", path+"/"+made.ID.String(), nil).Want(204)
		}
		c.name, c.scheme = name, "writeKey"
		c.send = with(func() (string, string) { return "X-Write-Key", made.Key })
		add(&c)
	}
	writeKey("write key", w.owner, credential{scopes: auth.WriteKeyScopes, mine: true})
	writeKey("revoked write key", w.owner, credential{dead: "invalid_key"})
	writeKey("write key of another project", stranger, credential{scopes: auth.WriteKeyScopes})

	if op.Deleted {
		w.owner.Do("DELETE", project, nil).Want(204)
	}
	return w
}

// raw sends a body that is encoded already.
func raw(c *apptest.Client, method, target string, body []byte) *apptest.Reply {
	if body == nil {
		return c.Do(method, target, nil)
	}
	return c.Do(method, target, body)
}

// The contract alone decides who may do what: for every operation and every kind of credentials, the answer is the
// one that follows from its security, x-scope and x-role. Another tenant's thing gets, word for word, the answer for
// a thing that does not exist.
func TestEveryOperationLetsInWhomTheContractSaysAndNobodyElse(t *testing.T) {
	t.Parallel()
	a, past := twoNodesWith(t, []string{"NIMBUS_SMTP_URL=smtp://127.0.0.1:1", "NIMBUS_MAIL_FROM=nimbus@example.com", "NIMBUS_PUBLIC_URL=https://nimbus.example"})
	past.Clock.Add(-30 * 24 * time.Hour) // longer than any session lives
	a.Account(t)                         // the first one operates the server, and is none of those below
	for _, id := range api.OperationIDs {
		op := api.Operations[id]
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, a, past, op)
			// Refused credentials first: accepted ones change the world.
			slices.SortStableFunc(w.credentials, func(x, y *credential) int {
				refusedX, _ := x.verdict(op)
				refusedY, _ := y.verdict(op)
				return refusedY - refusedX
			})
			shared := things(t, a, w.owner, op)
			refusedBody := encode(t, body(t, a, w.owner, op, w.owner.ProjectID.String()))
			admitted := 0
			for _, c := range w.credentials {
				status, code := c.verdict(op)
				if status == 0 {
					admitted++
					got := c.send(op.Method, target(op, things(t, a, w.owner, op)), encode(t, body(t, a, w.owner, op, w.owner.ProjectID.String())))
					if got.Status/100 > 3 {
						t.Errorf("%s: %d, want to be let in: %s", c.name, got.Status, got.Body)
					}
					continue
				}
				got := c.send(op.Method, target(op, shared), refusedBody)
				if got.Status != status || code != "" && problemOf(t, got)["code"] != code {
					t.Errorf("%s: %d, want %d %s: %s", c.name, got.Status, status, code, got.Body)
				}
				if status != http.StatusNotFound {
					continue
				}
				none := ghosts(op)
				absent := c.send(op.Method, target(op, none), encode(t, body(t, a, w.owner, op, none["project_id"])))
				if absent.Status != got.Status || !reflect.DeepEqual(problemOf(t, absent), problemOf(t, got)) {
					t.Errorf("%s: what is not theirs and what is not there are told apart:\n%s\n%s", c.name, got.Body, absent.Body)
				}
			}
			if admitted == 0 {
				t.Error("nobody is let in")
			}
		})
	}
}

// twoNodes starts the program twice, on one database and with the same secrets.
func twoNodes(t *testing.T, settingsOfTheSecond ...string) (*apptest.App, *apptest.App) {
	t.Helper()
	return twoNodesWith(t, nil, settingsOfTheSecond...)
}

func twoNodesWith(t *testing.T, settings []string, settingsOfTheSecond ...string) (*apptest.App, *apptest.App) {
	t.Helper()
	dsn := nimbustest.DSN(t)
	secret := func() string {
		b := make([]byte, 32)
		rand.Read(b) // never fails
		return hex.EncodeToString(b)
	}
	settings = append(settings, "NIMBUS_JWT_SECRET="+secret(), "NIMBUS_SECRET_KEY="+secret())
	return apptest.BootOn(t, dsn, settings...), apptest.BootOn(t, dsn, append(settings, settingsOfTheSecond...)...)
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// problemOf is a problem without what differs from request to request.
func problemOf(t *testing.T, r *apptest.Reply) map[string]any {
	t.Helper()
	var p map[string]any
	r.JSON(&p)
	delete(p, "request_id")
	return p
}
