package ingest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestSalvageStoresOnceWhatIsNotRefused(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := NewStore(pool), uuid.New()
	at := time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC)
	event := func(key string) *Row { return writeAt(project, key, at) }
	poison := func(key string) *Row {
		w := event(key)
		w.Name = "not text for PostgreSQL: \x00"
		return w
	}
	withoutTime := func(w *Row) *Row {
		w.KeyHash = uuid.New()
		return w
	}
	if err := s.Append(t.Context(), []*Row{event("before")}); err != nil {
		t.Fatal(err)
	}
	execute(t, pool, `SELECT ensure_event_partition('2019-05-01Z')`)
	if err := s.partitions.Ensure(t.Context(), at, 1, func(int) time.Time { return at.AddDate(0, 1, 0) }); err != nil {
		t.Fatal(err)
	}
	execute(t, pool, `DROP TABLE events_201905`) // this process still believes in it
	may := writeAt(project, "may", at.AddDate(0, 1, 0))
	writes := []*Row{
		poison("1"), event("new"), event("before"), poison("2"), event("new"), withoutTime(poison("3")), may, withoutTime(event("keyed")),
	}
	want := []Outcome{Refused, Stored, Duplicate, Refused, Duplicate, Refused, Stored, Stored}

	refusals, err := s.Salvage(t.Context(), writes)
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range writes {
		if w.outcome != want[k] {
			t.Errorf("event %d: outcome %d, want %d", k, w.outcome, want[k])
		}
	}
	if len(refusals) != 3 || refusals[0].id != writes[0].ID || refusals[1].id != writes[3].ID || refusals[2].id != writes[5].ID {
		t.Errorf("refused: %v", refusals)
	}
	for _, r := range refusals {
		if r.cause == nil {
			t.Errorf("%s was refused without a cause", r.id)
		}
	}
	if n := count(t, pool, `SELECT count(*) FROM events`); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	if n := count(t, pool, `SELECT count(*) FROM event_keys WHERE key_hash = $1`, writes[7].KeyHash); n != 1 || count(t, pool, `SELECT count(*) FROM event_keys`) != 1 {
		t.Error("the keys are not those of what is stored")
	}
	wantCounted(t, pool, "after the salvage")
}

// Whatever ends it, nothing stays, and the writes are as if it had not been tried.
func TestASalvageThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := NewStore(pool), uuid.New()
	at := time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC)
	execute(t, pool, `ALTER TABLE event_counts RENAME TO away`)
	bad := writeAt(project, "b", at)
	bad.Name = "\x00"
	writes := []*Row{writeAt(project, "a", at), bad}
	if refusals, err := s.Salvage(t.Context(), writes); err == nil || refusals != nil {
		t.Errorf("%v, %v", refusals, err)
	}
	if n := count(t, pool, `SELECT count(*) FROM events`); n != 0 || writes[0].outcome != waiting || bad.outcome != waiting {
		t.Errorf("%d events, states %d and %d", n, writes[0].outcome, bad.outcome)
	}
}
