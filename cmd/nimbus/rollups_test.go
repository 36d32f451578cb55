package main_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestRollupsAreVerifiedAndRebuilt(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	pool, err := postgres.Open(t.Context(), dsn, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	id := uuid.MustParse("018f0000-0000-7000-8000-000000000001")
	if _, err := pool.Exec(t.Context(), `INSERT INTO event_counts (project_id, granularity, name, bucket, count) VALUES ($1, 60, 'x', '2026-03-01Z', 1)`, id); err != nil {
		t.Fatal(err)
	}
	const difference = `project 018f0000-0000-7000-8000-000000000001, 60s, "x", 2026-03-01T00:00:00Z: 1, should be no row` + "\n"
	for _, tt := range []struct {
		name, args     string
		code           int
		stdout, stderr string // the whole of the one, a part of the other
	}{
		{"no words", "rollups", 2, "", "rollups takes verify or rebuild"},
		{"another word", "rollups mend", 2, "", "rollups takes verify or rebuild"},
		{"not an id", "rollups verify x", 2, "", `"x" is not the id of a project`},
		{"no such project", "rollups verify 018f0000-0000-7000-8000-000000000002", 1,
			"0 days of projects compared; 0 counts differ, on 0 of the days.\n", "there is no such project"},
		{"a difference", "rollups verify", 1, difference + "1 days of projects compared; 1 counts differ, on 1 of the days.\n", "nimbus rollups rebuild corrects them"},
		{"of one project", "rollups verify " + id.String(), 1, difference + "1 days of projects compared; 1 counts differ, on 1 of the days.\n", "done=1 total=1"},
		{"rebuild", "rollups rebuild " + id.String(), 0, difference + "1 days of projects compared; 1 counts were corrected, on 1 of the days.\n", "done=1 total=1"},
		{"verified again", "rollups verify", 0, "0 days of projects compared; 0 counts differ, on 0 of the days.\n", ""},
	} {
		got := nimbus(t, []string{"NIMBUS_DATABASE_URL=" + dsn}, strings.Fields(tt.args)...)
		if got.code != tt.code || got.stdout != tt.stdout || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%s: exit code %d\n%s%s", tt.name, got.code, got.stdout, got.stderr)
		}
	}
}
