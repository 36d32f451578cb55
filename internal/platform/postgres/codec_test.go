package postgres_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/nimbustest"
)

// What goes in comes out, and PostgreSQL understands it the same way as its own literals.
func TestCodecsRoundTrip(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	ids := []uuid.UUID{uuid.MustParse("3fa85f64-5717-4562-b3fc-2c963f66afa6"), {}}
	times := []time.Time{time.Date(1971, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)}
	for _, tt := range []struct {
		name    string
		query   string
		arg     any
		literal string
	}{
		{"uuid", "SELECT $1::uuid::text", ids[0], "3fa85f64-5717-4562-b3fc-2c963f66afa6"},
		{"uuids", "SELECT $1::uuid[]::text", ids, "{3fa85f64-5717-4562-b3fc-2c963f66afa6,00000000-0000-0000-0000-000000000000}"},
		{"texts", "SELECT $1::text[]::text", []string{"", "ä", `a"b\`}, `{"",ä,"a\"b\\"}`},
		{"int4s", "SELECT $1::int[]::text", []int32{-1, 0, 86400}, "{-1,0,86400}"},
		{"int8s", "SELECT $1::bigint[]::text", []int64{-1 << 63, 7}, "{-9223372036854775808,7}"},
		{"times", "SELECT $1::timestamptz[]::text", times, `{"1971-01-01 00:00:00.000001+00","2026-01-15 10:30:00+00"}`},
		{"jsonb", "SELECT $1::jsonb[]::text", []json.RawMessage{json.RawMessage(`{"a":[1,null]}`), json.RawMessage(`{}`)}, `{"{\"a\": [1, null]}","{}"}`},
		{"empty", "SELECT $1::uuid[]::text", []uuid.UUID{}, "{}"},
		{"none", "SELECT coalesce($1::uuid[]::text, 'null')", []uuid.UUID(nil), "null"},
		{"other slices go on as before", "SELECT $1::float8[]::text", []float64{1.5}, "{1.5}"},
	} {
		var got string
		if err := pool.QueryRow(t.Context(), tt.query, tt.arg).Scan(&got); err != nil || got != tt.literal {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.literal)
		}
	}
	var gotID uuid.UUID
	var gotIDs []uuid.UUID
	var gotTimes []time.Time
	if err := pool.QueryRow(t.Context(), "SELECT $1::uuid, $2::uuid[], $3::timestamptz[]", ids[0], ids, times).Scan(&gotID, &gotIDs, &gotTimes); err != nil {
		t.Fatal(err)
	}
	for k := range gotTimes {
		gotTimes[k] = gotTimes[k].UTC()
	}
	var props, null json.RawMessage
	var parsed map[string]int
	rows := "SELECT d, nullif(d, d), d FROM (SELECT '{\"a\": 1}'::jsonb AS d) AS t"
	if err := pool.QueryRow(t.Context(), rows).Scan(&props, &null, &parsed); err != nil || string(props) != `{"a": 1}` || null != nil || parsed["a"] != 1 {
		t.Errorf("%s, %s, %v: %v", props, null, parsed, err)
	}
	if gotID != ids[0] || !reflect.DeepEqual(gotIDs, ids) || !reflect.DeepEqual(gotTimes, times) {
		t.Errorf("%v %v %v", gotID, gotIDs, gotTimes)
	}
	if err := pool.QueryRow(t.Context(), "SELECT NULL::uuid").Scan(&gotID); err == nil {
		t.Error("NULL was scanned into a uuid")
	}
	var maybe *uuid.UUID
	if err := pool.QueryRow(t.Context(), "SELECT NULL::uuid").Scan(&maybe); err != nil || maybe != nil {
		t.Errorf("%v, %v", maybe, err)
	}
}
