package app_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

const idempotencyKey = "Idempotency-Key"

// creations are the operations that create something (201), each of which must take an Idempotency-Key. Exceptions:
// an account is unique by its address, so a second registration is refused; a lost ticket has no value; a merge is
// unique by its two users, so sent again it is the same one (TestAPersonIsShownWithAllHisIDs).
func creations(t *testing.T) []*contract.Operation {
	t.Helper()
	var out []*contract.Operation
	for _, op := range api.Operations {
		if !slices.Contains(op.Statuses, http.StatusCreated) || op.ID == "register" || op.ID == "createLiveTicket" || op.ID == "createMerge" ||
			op.ID == "createPasswordReset" { // two links do no harm, and end together
			continue
		}
		if !slices.ContainsFunc(op.Params, func(p contract.Param) bool { return p.Name == idempotencyKey }) {
			t.Errorf("%s creates something and takes no %s", op.ID, idempotencyKey)
			continue
		}
		out = append(out, op)
	}
	if len(out) == 0 {
		t.Fatal("no operation creates anything")
	}
	return out
}

// Every operation that creates something: sent again it answers the same, byte for byte, and does nothing.
func TestACreationThatIsSentAgainGetsItsAnswerAgain(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	for _, op := range creations(t) {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			x := a.Tenant(t)
			if op.Role == contract.RoleOperator {
				a.Promote(t, x.Account)
			}
			path, content := target(op, things(t, a, x, op)), encode(t, body(t, a, x, op, x.ProjectID.String()))
			key := uuid.NewString()
			first := x.With(idempotencyKey, key).Do(op.Method, path, content).Want(201)
			entries := len(auditOf(x, ""))
			elsewhere := node.Client(t).Bearer(x.AccessToken)
			for _, c := range []*apptest.Client{x.Client, elsewhere} {
				again := c.With(idempotencyKey, key).Do(op.Method, path, content).Want(201)
				if !bytes.Equal(again.Body, first.Body) || again.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
					t.Errorf("%s, want %s", again.Body, first.Body)
				}
			}
			if got := len(auditOf(x, "")); got != entries {
				t.Errorf("%d audit entries, want the %d from before", got, entries)
			}
			// Another request under the same key, the same under another, and someone else under the same.
			x.With(idempotencyKey, key).Do(op.Method, path, append(content, ' ')).WantCode(422, "idempotency_key_reused")
			other := x.With(idempotencyKey, uuid.NewString()).Do(op.Method, path, content)
			if bytes.Equal(other.Body, first.Body) {
				t.Error("another key gets the same answer")
			}
			stranger := a.Tenant(t)
			strangers := stranger.With(idempotencyKey, key).Do(op.Method, path, content)
			if op.Role == contract.RoleOperator {
				strangers.WantCode(403, "insufficient_role")
			} else if strings.Contains(op.Path, "{") {
				strangers.WantCode(404, "not_found")
			} else if strangers.Want(201); bytes.Equal(strangers.Body, first.Body) {
				t.Error("someone else's key gets the same answer")
			}
			x.With(idempotencyKey, "a b").Do(op.Method, path, content).WantCode(422, "validation_failed")
		})
	}
}

func TestACreationThatIsSentManyTimesAtOnceIsDoneOnce(t *testing.T) {
	t.Parallel()
	a, node := twoNodes(t)
	x := a.Account(t)
	key := uuid.NewString()
	clients := []*apptest.Client{x.Client, node.Client(t).Bearer(x.AccessToken)}
	var mu sync.Mutex
	answers := map[string]int{}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for deadline := time.Now().Add(nimbustest.Patience); ; {
				r := clients[i%2].With(idempotencyKey, key).Do("POST", "/v1/projects", map[string]string{"name": "once"})
				if r.Status == http.StatusConflict && r.Header.Get("Retry-After") != "" && time.Now().Before(deadline) {
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				answers[string(r.Body)]++
				return
			}
		})
	}
	all.Wait()
	var page struct{ Items []struct{ ID uuid.UUID } }
	x.Do("GET", "/v1/projects", nil).Want(200).JSON(&page)
	if len(page.Items) != 1 || len(answers) != 1 {
		t.Errorf("%d projects, %d different answers: %v", len(page.Items), len(answers), answers)
	}
}

func TestACreationThatIsBeingAnsweredIsToldToWait(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	db, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	for _, op := range creations(t) {
		x := a.Tenant(t)
		a.Promote(t, x.Account)
		// What the node that answers it holds.
		const lock = `SELECT pg_advisory_lock(hashtextextended('nimbus.idempotency ' || $1::text, 0))`
		if _, err := db.Exec(t.Context(), lock, x.ID.String()+" "+op.ID+" the-key"); err != nil {
			t.Fatal(err)
		}
		r := x.With(idempotencyKey, "the-key").Do(op.Method, target(op, things(t, a, x, op)), body(t, a, x, op, x.ProjectID.String()))
		r.WantCode(409, "idempotency_in_progress")
		if r.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", op.ID, r.Header.Get("Retry-After"))
		}
	}
}

// Only successes are stored: after a refusal the same key may be used again, and a stored answer lasts a day.
func TestAnAnswerIsKeptForADayAndARefusalNotAtAll(t *testing.T) {
	t.Parallel()
	a, _ := twoNodesWith(t, []string{"NIMBUS_MAX_BOARDS_PER_PROJECT=1"})
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/boards"
	add := func() *apptest.Reply {
		return a.Login(t, x.Email).With(idempotencyKey, "k").Do("POST", path, map[string]string{"name": "b"})
	}
	var board struct{ ID string }
	x.Do("POST", path, map[string]string{"name": "in the way"}).Want(201).JSON(&board)
	add().WantCode(422, "limit_reached")
	x.Do("DELETE", path+"/"+board.ID, nil).Want(204)
	add().Want(201)
	add().Want(201)
	older := func(by string) {
		a.Exec(t, `UPDATE idempotency_keys SET created_at = created_at - $1::text::interval`, by)
	}
	older("23 hours")
	add().Want(201)
	a.RunJob(t, "prune idempotency keys")
	add().Want(201)
	older("2 hours")
	add().WantCode(422, "limit_reached") // it is done anew, and there is one by now
}

func TestAnAnswerIsKeptEncrypted(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	_, secret := apiKey(&apptest.Tenant{Account: &apptest.Account{Client: x.With(idempotencyKey, "k")}, ProjectID: x.ProjectID},
		map[string]any{"name": "k", "scopes": []string{"events:read"}})
	db, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	var row string
	if err := db.QueryRow(t.Context(), `SELECT k::text || encode(k.reply_box, 'escape') FROM idempotency_keys k`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, secret) {
		t.Error("the database shows the secret")
	}
}
