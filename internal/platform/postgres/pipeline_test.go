package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func rows(t *testing.T, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAPipelineHappensAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE parent (id int PRIMARY KEY);
		CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		statements []string
		want       string // of the error; empty: none
	}{
		{"all is well", []string{"INSERT INTO child VALUES (1, 1)", "INSERT INTO parent VALUES (1)"}, ""},
		{"the last statement fails", []string{"INSERT INTO parent VALUES (2)", "INSERT INTO parent VALUES (1)"}, "23505"},
		{"the first statement fails", []string{"INSERT INTO parent VALUES (1)", "INSERT INTO parent VALUES (3)"}, "23505"},
		{"the commit fails", []string{"INSERT INTO parent VALUES (4)", "INSERT INTO child VALUES (4, 99)"}, "23503"},
		{"a statement cannot be prepared", []string{"INSERT INTO parent VALUES (5)", "INSERT INTO nowhere VALUES (5)"}, "42P01"},
		{"all is well again", []string{"INSERT INTO parent VALUES (6)"}, ""},
	} {
		before := rows(t, pool, "parent")
		var p postgres.Pipeline
		for _, sql := range c.statements {
			if _, err := p.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		err := p.Commit(t.Context(), pool)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if stored := rows(t, pool, "parent") - before; stored != 0 && err != nil || stored == 0 && err == nil {
			t.Errorf("%s: %v, and %d rows are stored", c.name, err, stored)
		}
	}
	if n := pool.Stat().NewConnsCount(); n > 1 {
		t.Errorf("%d connections were needed: a failure costs one each time", n)
	}
}

func TestAPipelineHasNoAnswers(t *testing.T) {
	t.Parallel()
	var p postgres.Pipeline
	if rows, err := p.Query(t.Context(), "SELECT 1"); err == nil {
		rows.Close()
		t.Error("a query seems to have an answer")
	}
	if err := p.QueryRow(t.Context(), "SELECT 1").Scan(); err == nil {
		t.Error("a row seems to be there")
	}
}
