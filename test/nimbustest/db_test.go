package nimbustest

import (
	"context"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabasesAreMigratedAndApart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, two := DB(t), DB(t)
	if _, err := one.Exec(ctx, "CREATE TABLE mine (n int)"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"nimbus_schema_migrations", "projects"} {
		var there bool
		if err := two.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil || !there {
			t.Errorf("table %s there: %v, %v", table, there, err)
		}
	}
	var there bool
	if err := two.QueryRow(ctx, "SELECT to_regclass('mine') IS NOT NULL").Scan(&there); err != nil || there {
		t.Errorf("a table of another test is there: %v, %v", there, err)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var name string
	t.Run("inner", func(t *testing.T) {
		if err := DB(t).QueryRow(ctx, "SELECT current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
	})
	var there bool
	if err := shared.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		t.Errorf("database %s there: %v, %v", name, there, err)
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@h:5432/old?sslmode=disable": "postgres://u:p@h:5432/new?sslmode=disable",
		"host=/run user=u dbname=old":               "host=/run user=u dbname=old dbname=new",
	} {
		if got := withDatabase(dsn, "new"); got != want {
			t.Errorf("withDatabase(%q) = %q, want %q", dsn, got, want)
		}
	}
}

func TestWithHost(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@h:5432/db?sslmode=disable": "postgres://u:p@[::1]:5433/db?sslmode=disable",
		"host=/run user=u dbname=db":               "host=/run user=u dbname=db host=::1 port=5433",
	} {
		if got := withHost(dsn, node{host: "::1", port: 5433}); got != want {
			t.Errorf("withHost(%q) = %q, want %q", dsn, got, want)
		}
	}
}

// BenchmarkDB is what a test pays for its database.
func BenchmarkDB(b *testing.B) {
	ctx := context.Background()
	shared.get(b)
	for _, how := range []string{"file_copy", "wal_log"} {
		b.Run(how, func(b *testing.B) {
			var create, drop time.Duration
			for b.Loop() {
				begun := time.Now()
				if _, err := shared.admin.Exec(ctx, "CREATE DATABASE bench TEMPLATE "+shared.template+" STRATEGY "+how); err != nil {
					b.Fatal(err)
				}
				create += time.Since(begun)
				begun = time.Now()
				if _, err := shared.admin.Exec(ctx, "DROP DATABASE bench WITH (FORCE)"); err != nil {
					b.Fatal(err)
				}
				drop += time.Since(begun)
			}
			b.ReportMetric(float64(create.Milliseconds())/float64(b.N), "ms/create")
			b.ReportMetric(float64(drop.Milliseconds())/float64(b.N), "ms/drop")
		})
	}
}
