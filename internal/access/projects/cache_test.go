package projects_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// watching starts the cache of another node and returns once it remembers keys.
func (b *testBundle) watching(t *testing.T) *projects.Keys {
	t.Helper()
	keys := projects.NewKeys(b.pool, newRing(t, 1), b.clock.Now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		keys.Watch(ctx, b.pool, slog.New(slog.NewTextHandler(io.Discard, nil)))
	}()
	t.Cleanup(func() { cancel(); <-done })
	nimbustest.Eventually(t, "the cache is live", keys.Live)
	return keys
}

func TestEveryNodeForgetsAKeyThatStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.watching(t)
	for name, stop := range map[string]func(p projects.Project) error{
		"rotation": func(p projects.Project) error {
			_, _, err := b.projects.RotateKeys(t.Context(), b.account, p.ID, 0)
			return err
		},
		"deletion": func(p projects.Project) error { return b.projects.Delete(t.Context(), p.ID) },
	} {
		project, pair := b.create(t, name)
		for range 2 {
			if _, err := keys.VerifySecret(t.Context(), pair.Secret); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := stop(project); err != nil {
			t.Fatal(err)
		}
		nimbustest.Eventually(t, name+" is known to the other node", func() bool {
			_, err := keys.VerifySecret(t.Context(), pair.Secret)
			return problem.Is(err, problem.CodeInvalidKey)
		})
	}
}

func TestARememberedKeyStillExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.watching(t)
	project, pair := b.create(t, "grace")
	if _, _, err := b.projects.RotateKeys(t.Context(), b.account, project.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := keys.VerifySecret(t.Context(), pair.Secret); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.advance(time.Hour + time.Second)
	if _, err := keys.VerifySecret(t.Context(), pair.Secret); !problem.Is(err, problem.CodeInvalidKey) {
		t.Errorf("after its end: %v", err)
	}
}

// When the connection that listens is lost, nothing is remembered until there is a new one: a message may be lost too.
func TestALostConnectionEmptiesTheCache(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.watching(t)
	project, pair := b.create(t, "lost")
	if _, err := keys.VerifySecret(t.Context(), pair.Secret); err != nil {
		t.Fatal(err)
	}
	// The change and the loss at once, so that the message of the change goes nowhere.
	b.exec(t, `ALTER TABLE api_keys DISABLE TRIGGER api_keys_changed`)
	b.exec(t, `UPDATE api_keys SET expires_at = '2000-01-01' WHERE project_id = $1`, project.ID)
	if _, err := keys.VerifySecret(t.Context(), pair.Secret); err != nil {
		t.Fatalf("the test is wrong, the key was not remembered: %v", err)
	}
	b.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	nimbustest.Eventually(t, "the key is looked up again", func() bool {
		_, err := keys.VerifySecret(t.Context(), pair.Secret)
		return problem.Is(err, problem.CodeInvalidKey)
	})
	nimbustest.Eventually(t, "the cache is live again", keys.Live)
}

// The node that changes a key does not wait for its own message.
// Notifications are of one database. A listener in another one hears as much as behind a pooler in transaction mode.
func TestNothingIsRememberedWhereChangesAreNotHeard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.pool.Config()
	var listens atomic.Bool
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if listens.CompareAndSwap(false, true) {
			c.Database = "postgres"
		}
		return nil
	}
	deaf, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	keys := projects.NewKeys(b.pool, newRing(t, 1), b.clock.Now)
	ctx, cancel := context.WithCancel(t.Context())
	said := make(warnings, 100)
	var watching sync.WaitGroup
	watching.Go(func() { keys.Watch(ctx, deaf, slog.New(slog.NewTextHandler(said, nil))) })
	if line := <-said; !strings.Contains(line, "does a pooler in transaction mode stand before PostgreSQL?") || keys.Live() {
		t.Errorf("live: %v, said %s", keys.Live(), line)
	}
	cancel()
	watching.Wait()
}

type warnings chan string

func (w warnings) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

func TestForgetMakesTheNextRequestAskAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.watching(t)
	_, pair := b.create(t, "forgotten")
	if _, err := keys.VerifySecret(t.Context(), pair.Secret); err != nil {
		t.Fatal(err)
	}
	keys.Forget()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// It has to ask the database again, which a cancelled context does not allow.
	if _, err := keys.VerifySecret(ctx, pair.Secret); !errors.Is(err, context.Canceled) {
		t.Errorf("after Forget: %v", err)
	}
}
