package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// The rows are of every size around that of the buffers they go through.
func TestWhatIsCopiedIsReadBack(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE "a b" (id uuid, "N" bigint, at timestamptz, text text, optional text, json jsonb)`); err != nil {
		t.Fatal(err)
	}
	at := time.Date(1969, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	id := uuid.New()
	texts := []string{"", "a", "é\n\t\\N", strings.Repeat("x", 65_530), strings.Repeat("y", 65_531), strings.Repeat("z", 300_000)}
	for range 3_000 {
		texts = append(texts, "many", "")
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return postgres.Copy(t.Context(), tx, "a b", []string{"id", "N", "at", "text", "optional", "json"}, len(texts),
			func(k int, r *postgres.CopyRow) {
				r.UUID(id)
				r.Int64(int64(-k))
				r.Time(at.Add(time.Duration(k) * time.Microsecond))
				r.Text(texts[k])
				r.OptionalText(texts[k])
				r.JSONB([]byte(`{"k": [1, "ü"]}`))
			})
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(t.Context(), `SELECT id, "N", at, text, optional, json->'k'->>1 FROM "a b" ORDER BY "N" DESC`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	k := 0
	for ; rows.Next(); k++ {
		var (
			gotID    uuid.UUID
			n        int64
			when     time.Time
			text     string
			optional *string
			json     string
		)
		if err := rows.Scan(&gotID, &n, &when, &text, &optional, &json); err != nil {
			t.Fatal(err)
		}
		if gotID != id || n != int64(-k) || !when.Equal(at.Add(time.Duration(k)*time.Microsecond)) || text != texts[k] ||
			(optional == nil) != (text == "") || optional != nil && *optional != text || json != "ü" {
			t.Fatalf("row %d: %s %d %s %.20q %v %s", k, gotID, n, when, text, optional, json)
		}
	}
	if rows.Err() != nil || k != len(texts) {
		t.Errorf("%d rows, %v, want %d", k, rows.Err(), len(texts))
	}
}

func TestACopyThatFailsStoresNothingAndTheConnectionLivesOn(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE unique_texts (text text UNIQUE)"); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]func(int, *postgres.CopyRow){
		"a duplicate":      func(_ int, r *postgres.CopyRow) { r.Text("same") },
		"no UTF-8":         func(_ int, r *postgres.CopyRow) { r.Text("\xff") },
		"a column too few": func(int, *postgres.CopyRow) {},
	} {
		err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			return postgres.Copy(t.Context(), tx, "unique_texts", []string{"text"}, 10_000, row)
		})
		if err == nil || name == "a duplicate" && !postgres.IsUnique(err, "") || name == "no UTF-8" && !postgres.IsData(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := rows(t, pool, "unique_texts"); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
	if n := pool.Stat().NewConnsCount(); n > 1 {
		t.Errorf("%d connections were needed", n)
	}
}
