package projects_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// clock is a time that passes only when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testBundle is the slice on a database of its own, and one account.
type testBundle struct {
	pool     *pgxpool.Pool
	clock    *clock
	projects *projects.Projects
	keys     *projects.Keys
	api      *projects.API
	account  uuid.UUID
}

func setup(t testing.TB) *testBundle {
	t.Helper()
	b := &testBundle{pool: nimbustest.DB(t), clock: &clock{now: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)}}
	ring := newRing(t, 1)
	b.projects = projects.New(b.pool, ring, projects.Config{Scopes: auth.KeyScopes(api.Operations), Now: b.clock.Now})
	b.keys = projects.NewKeys(b.pool, ring, b.clock.Now)
	b.api = projects.NewAPI(b.projects)
	b.account = b.newAccount(t, "ada@example.com")
	return b
}

// newRing makes a ring whose keys consist of one byte each.
func newRing(t testing.TB, current byte, previous ...byte) *secretbox.Ring {
	t.Helper()
	var keys [][]byte
	for _, p := range previous {
		keys = append(keys, bytes.Repeat([]byte{p}, secretbox.KeyBytes))
	}
	ring, err := secretbox.New(bytes.Repeat([]byte{current}, secretbox.KeyBytes), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func (b *testBundle) newAccount(t testing.TB, email string) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	b.exec(t, `INSERT INTO accounts (id, email, password_hash) VALUES ($1, $2, '')`, id, email)
	return id
}

func (b *testBundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (b *testBundle) count(t testing.TB, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := b.pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (b *testBundle) create(t testing.TB, name string) (projects.Project, projects.Pair) {
	t.Helper()
	project, pair, err := b.projects.Create(t.Context(), b.account, projects.Settings{Name: name})
	if err != nil {
		t.Fatalf("create project: %v", err)
	}
	return project, pair
}

// verify signs a request now with the pair and verifies it.
func (b *testBundle) verify(t testing.TB, pair projects.Pair) (*auth.Principal, error) {
	t.Helper()
	body := []byte(`{"events":[]}`)
	timestamp := unix(b.clock.Now())
	signature := projects.Sign(pair.Secret, timestamp, "POST", "/v1/events", body)
	return b.keys.VerifySignature(t.Context(), pair.ID, timestamp, signature, "POST", "/v1/events",
		func() ([]byte, error) { return body, nil })
}

// works fails the test unless both ways of using the pair work, or with want false both are invalid_key.
func (b *testBundle) works(t testing.TB, pair projects.Pair, want bool, when string) {
	t.Helper()
	_, bySignature := b.verify(t, pair)
	_, bySecret := b.keys.VerifySecret(t.Context(), pair.Secret)
	for how, err := range map[string]error{"signature": bySignature, "secret": bySecret} {
		switch {
		case want && err != nil:
			t.Errorf("%s: the %s of %s should work: %v", when, how, pair.ID, err)
		case !want && !problem.Is(err, problem.CodeInvalidKey):
			t.Errorf("%s: the %s of %s: error %v, want invalid_key", when, how, pair.ID, err)
		}
	}
}

func asAccount(t testing.TB, id uuid.UUID) context.Context {
	return auth.WithPrincipal(t.Context(), &auth.Principal{Kind: auth.KindAccount, AccountID: id})
}

// wantProblem fails the test unless err is this problem in every respect.
func wantProblem(t testing.TB, err error, want *problem.Error, what string) {
	t.Helper()
	var got *problem.Error
	if !errors.As(err, &got) || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: error %#v, want %#v", what, err, want)
	}
}

func wantCode(t testing.TB, err error, want problem.Code, what string) {
	t.Helper()
	if !problem.Is(err, want) {
		t.Errorf("%s: error %v, want %s", what, err, want)
	}
}
