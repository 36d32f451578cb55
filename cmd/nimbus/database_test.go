package main_test

import (
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// A role that may not make tables, as on PostgreSQL 15 and later where the database belongs to another, is told so by every
// command that would need it, at once, with the GRANT.
func TestARoleThatMayNotMakeTablesIsToldTheGrant(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	admin, err := postgres.Open(t.Context(), dsn, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	role := "r" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := admin.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := admin.Exec(t.Context(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	}()
	settings := []string{"NIMBUS_DATABASE_URL=" + dsn + " user=" + role, "NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_SECRET_KEY=" + keyA}
	grant := `GRANT USAGE, CREATE ON SCHEMA "public" TO "` + role + `"`
	for _, args := range [][]string{{"serve"}, {"migrate", "up"}, {"restore", earlier(t)}} {
		begun := time.Now()
		if got := nimbus(t, settings, args...); got.code != 1 || !strings.Contains(got.stderr, grant) {
			t.Errorf("%v: %d\n%s", args, got.code, got.stderr)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%v took %s", args, took)
		}
	}
	if got := nimbus(t, settings, "doctor"); got.code != 1 || !strings.Contains(got.stdout, "FAIL  role") || !strings.Contains(got.stdout, grant) {
		t.Errorf("doctor: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	// What only reads does without.
	if got := nimbus(t, settings, "migrate", "status"); got.code != 0 {
		t.Errorf("migrate status: %d\n%s", got.code, got.stderr)
	}
}

// Each wait of a start ends when it is told to.
func TestAStartThatWaitsEndsOnSIGTERM(t *testing.T) {
	t.Parallel()
	end := func(settings []string, waits string) {
		t.Helper()
		p := launch(t, binary, append(settings, "NIMBUS_DATA_DIR="+dataDir(t), "NIMBUS_SECRET_KEY="+keyA), "serve")
		p.await(regexp.MustCompile(waits))
		begun := time.Now()
		p.end(syscall.SIGTERM)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("it ended %s after the signal:\n%s", took, p.text())
		}
	}
	t.Run("for a database that is away", func(t *testing.T) {
		t.Parallel()
		end([]string{"NIMBUS_DATABASE_URL=postgres://nobody@127.0.0.1:1/none"}, "waiting for the database")
	})
	t.Run("for a database that says nothing", func(t *testing.T) {
		t.Parallel()
		var lc net.ListenConfig
		ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		p := launch(t, binary, []string{"NIMBUS_DATABASE_URL=postgres://nobody@" + ln.Addr().String() + "/none?sslmode=disable",
			"NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_SECRET_KEY=" + keyA}, "serve")
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := time.Now()
		p.end(syscall.SIGTERM)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("it ended %s after the signal:\n%s", took, p.text())
		}
	})
	t.Run("for another that migrates", func(t *testing.T) {
		t.Parallel()
		dsn := nimbustest.EmptyDSN(t)
		admin, err := postgres.Open(t.Context(), dsn, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		if _, err := admin.Exec(t.Context(), "SELECT pg_advisory_lock(x'6e696d627573'::bigint)"); err != nil {
			t.Fatal(err)
		}
		end([]string{"NIMBUS_DATABASE_URL=" + dsn}, "another process is migrating")
	})
	t.Run("for a lock on a table", func(t *testing.T) {
		t.Parallel()
		dsn := nimbustest.DSN(t)
		admin, err := postgres.Open(t.Context(), dsn, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		if _, err := admin.Exec(t.Context(), "DROP TABLE nimbus_schema_migrations; CREATE TABLE schema_migrations (version bigint, dirty bool); INSERT INTO schema_migrations VALUES (8, false)"); err != nil {
			t.Fatal(err)
		}
		tx, err := admin.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(t.Context()) }()
		if _, err := tx.Exec(t.Context(), "LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		p := launch(t, binary, []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_SECRET_KEY=" + keyA}, "serve")
		nimbustest.Eventually(t, "it waits for the lock", func() bool {
			var n int
			err := tx.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass").Scan(&n)
			return err == nil && n > 0
		})
		begun := time.Now()
		p.end(syscall.SIGTERM)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("it ended %s after the signal:\n%s", took, p.text())
		}
	})
}
