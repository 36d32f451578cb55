package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/idempotency"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

type testBundle struct {
	pool    *pgxpool.Pool
	replies *idempotency.Replies
	request idempotency.Request
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	pool := nimbustest.DB(t)
	ring, err := secretbox.New(bytes.Repeat([]byte{7}, secretbox.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	account := uuid.New()
	if _, err := pool.Exec(t.Context(), `INSERT INTO accounts (id, email, password_hash) VALUES ($1, 'ada@example.com', '')`, account); err != nil {
		t.Fatal(err)
	}
	return &testBundle{pool, idempotency.New(pool, ring, time.Now),
		idempotency.Request{Account: account, Operation: "createProject", Key: "k", Hash: []byte("hash")}}
}

// create makes a project in a transaction of its own, as handlers do, and answers.
func (b *testBundle) create(status int, err error) func(context.Context) (idempotency.Reply, error) {
	return func(ctx context.Context) (idempotency.Reply, error) {
		inner := postgres.InTx(ctx, b.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO projects (id, name) VALUES ($1, 'x')`, uuid.New())
			return err
		})
		return idempotency.Reply{Status: status, Body: []byte("the answer")}, errors.Join(inner, err)
	}
}

func (b *testBundle) projects(t *testing.T) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM projects`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatIsNotAnsweredWithSuccessIsUndone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failed := errors.New("failed")
	if _, err := b.replies.Once(t.Context(), b.request, b.create(0, failed)); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	reply, err := b.replies.Once(t.Context(), b.request, b.create(503, nil))
	if err != nil || reply.Status != 503 {
		t.Errorf("%+v, %v", reply, err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = b.replies.Once(t.Context(), b.request, func(ctx context.Context) (idempotency.Reply, error) {
			_, _ = b.create(201, nil)(ctx)
			panic("a crash after what was done")
		})
	}()
	if n := b.projects(t); n != 0 {
		t.Errorf("%d projects of requests that failed", n)
	}
	for range 2 {
		reply, err := b.replies.Once(t.Context(), b.request, b.create(201, nil))
		if err != nil || reply.Status != 201 || string(reply.Body) != "the answer" {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	if n := b.projects(t); n != 1 {
		t.Errorf("%d projects, want 1", n)
	}
}

func TestWhoIsTooEarlyDoesNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.replies.Once(t.Context(), b.request, func(ctx context.Context) (idempotency.Reply, error) {
		_, err := b.replies.Once(t.Context(), b.request, b.create(201, nil))
		if !problem.Is(err, problem.CodeIdempotencyRunning) {
			t.Errorf("the second while the first runs: %v", err)
		}
		other := b.request
		other.Key = "another"
		if _, err := b.replies.Once(t.Context(), other, b.create(201, nil)); err != nil {
			t.Errorf("another key while the first runs: %v", err)
		}
		return b.create(201, nil)(ctx)
	})
	if err != nil || b.projects(t) != 2 {
		t.Errorf("%d projects, %v", b.projects(t), err)
	}
}

func TestAnAnswerUnderALostKeyIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.replies.Once(t.Context(), b.request, b.create(201, nil)); err != nil {
		t.Fatal(err)
	}
	ring, err := secretbox.New(bytes.Repeat([]byte{8}, secretbox.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	_, err = idempotency.New(b.pool, ring, time.Now).Once(t.Context(), b.request, b.create(201, nil))
	if !errors.As(err, new(*secretbox.UnknownKeyError)) || b.projects(t) != 1 {
		t.Errorf("%v, %d projects", err, b.projects(t))
	}
}

func TestWithoutTheDatabaseNothingIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	_, err := b.replies.Once(t.Context(), b.request, func(context.Context) (idempotency.Reply, error) {
		t.Error("it was done")
		return idempotency.Reply{}, nil
	})
	if !postgres.IsUnavailable(err) || !postgres.IsUnavailable(b.replies.Prune(t.Context(), time.Now())) {
		t.Errorf("%v", err)
	}
}

func TestTheAnswersOfOneAccountAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.replies.Once(t.Context(), b.request, b.create(201, nil)); err != nil {
		t.Fatal(err)
	}
	_, err := b.pool.Exec(t.Context(), `INSERT INTO idempotency_keys SELECT account_id, operation, 'key ' || n, request_hash, status, reply_box, secret_key_id, created_at
		FROM idempotency_keys, generate_series(1, 4999) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	more := b.request
	more.Key = "another"
	_, err = b.replies.Once(t.Context(), more, b.create(201, nil))
	if !problem.Is(err, problem.CodeRateLimited) || b.projects(t) != 1 {
		t.Errorf("%v, %d projects", err, b.projects(t))
	}
	if r, err := b.replies.Once(t.Context(), b.request, b.create(201, nil)); err != nil || string(r.Body) != "the answer" {
		t.Errorf("the first answer is gone: %v", err)
	}
}
