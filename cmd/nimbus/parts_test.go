package main_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestPartsAreShownVerifiedAndRebuilt(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	pool, err := postgres.Open(t.Context(), dsn, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	const (
		id      = "018f0000-0000-7000-8000-000000000001"
		project = "project " + id
		found   = project + ", 2026-03-01\n" + project + ": 1 days compared; 1 "
		right   = project + ": 1 days compared; 0 "
		inParts = ": 1 events in 1 parts of 1 days, [0-9]+ bytes; 0 events wait; 0 days to build, 0 with other counts\n"
		damage  = "UPDATE event_part_columns SET data = set_byte(data, 0, get_byte(data, 0) # 1)"
	)
	for _, sql := range []string{
		"SELECT ensure_event_partition('2026-03-01Z')",
		`INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, props)
			VALUES ('` + id + `', event_id_floor('2026-03-01Z'), '2026-03-01Z', now(), 0, 'x', 'u', '{}')`,
		`INSERT INTO event_counts (project_id, granularity, name, bucket, count)
			VALUES ('` + id + `', 86400, 'x', '2026-03-01Z', 1), ('` + id + `', 86400, '', '2026-03-01Z', 1)`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, tt := range []struct {
		name, before, args string // before is done first
		code               int
		stdout             string // the whole of it, as an expression
		stderr             string // a part
	}{
		{"no words", "", "parts", 2, "", "parts takes status, verify or rebuild"},
		{"another word", "", "parts mend", 2, "", "parts takes status, verify or rebuild"},
		{"not an id", "", "parts verify x", 2, "", `parts verify: "x" is not the id of a project`},
		{"no such project", "", "parts verify 018f0000-0000-7000-8000-000000000002", 1, "", "there is no such project"},
		{"nothing is built", "", "parts status", 0,
			project + ": 0 events in 0 parts of 0 days, 0 bytes; 0 events wait; 0 days to build, 1 with other counts\n", ""},
		{"an event waits", "INSERT INTO arrivals (project_id, min_ts, max_ts, ids) VALUES ('" + id +
			"', '2026-03-01Z', '2026-03-01Z', ARRAY[event_id_floor('2026-03-01Z')])", "parts status " + id, 0,
			project + ": 0 events in 0 parts of 0 days, 0 bytes; 1 events wait, the first since 20[-0-9]+T[:0-9]+Z; 0 days to build, 1 with other counts\n", ""},
		{"it is proven all the same", "", "parts verify", 0, right + "are wrong.\n", ""},
		{"a day without parts", "DELETE FROM arrivals", "parts verify", 1, found + "are wrong.\n", "nimbus parts rebuild"},
		{"rebuild", "", "parts rebuild", 0, found + "were built anew.\n", ""},
		{"built", "", "parts status", 0, project + inParts, ""},
		{"verified", "", "parts verify " + id, 0, right + "are wrong.\n", ""},
		{"a damaged part", damage, "parts verify " + id, 1, found + "are wrong.\n", "nimbus parts rebuild"},
		{"rebuild one project", "", "parts rebuild " + id, 0, found + "were built anew.\n", ""},
		{"verified again", "", "parts verify", 0, right + "are wrong.\n", ""},
		{"parts of events that are gone", "DELETE FROM event_counts", "parts verify", 1, found + "are wrong.\n", "nimbus parts rebuild"},
	} {
		if tt.before != "" {
			if _, err := pool.Exec(t.Context(), tt.before); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		got := nimbus(t, []string{"NIMBUS_DATABASE_URL=" + dsn}, strings.Fields(tt.args)...)
		if got.code != tt.code || !regexp.MustCompile("^(?:"+tt.stdout+")$").MatchString(got.stdout) || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%s: exit code %d\n%s%s", tt.name, got.code, got.stdout, got.stderr)
		}
	}
}
