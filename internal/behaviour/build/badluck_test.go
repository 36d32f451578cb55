package build_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
)

// built is a project of which everything is in parts.
func built(t *testing.T, seed uint64) (*history, *build.Builder) {
	t.Helper()
	h := newHistory(t, seed)
	b := h.builder()
	for range 6 {
		h.ingest()
		h.finishAll()
		h.catchUp(b)
	}
	h.provenParts()
	return h, b
}

// heals fails the test unless answers are right while parts are bad, and the next round of the builder makes them good.
func (h *history) heals(b *build.Builder, days ...int32) {
	h.t.Helper()
	h.compare()                                                             // from the events
	if err := h.store.MarkDirty(h.t.Context(), project, days); err != nil { // as whoever asked does
		h.t.Fatal(err)
	}
	h.compare()
	h.catchUp(b)
	h.provenParts()
	h.compare()
	h.compareCatalogue("after the parts were built anew")
}

// A part of a later version is left by a newer binary, before a downgrade.
func TestAPartOfALaterVersionIsBuiltAnew(t *testing.T) {
	t.Parallel()
	h, b := built(t, 21)
	var day int32
	var header []byte
	if err := h.pool.QueryRow(t.Context(), "SELECT day, header FROM event_parts ORDER BY rows DESC LIMIT 1").Scan(&day, &header); err != nil {
		t.Fatal(err)
	}
	header[0]++
	body := header[:len(header)-4]
	binary.LittleEndian.PutUint32(header[len(body):], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	h.exec(h.pool, "UPDATE event_parts SET header = $1 WHERE day = $2", header, day)
	r, err := b.Verify(t.Context(), project, false)
	if err != nil || len(r.Wrong) != 1 || r.Wrong[0] != day {
		t.Errorf("days %v are wrong, want %d: %v", r.Wrong, day, err)
	}
	h.heals(b, day)
}

// A merge that meets a part which it cannot read builds the day from its events.
func TestAMergeOfPartsThatCannotBeReadBuildsTheDay(t *testing.T) {
	t.Parallel()
	h, b := built(t, 22)
	h.ingest()
	h.finishAll()
	h.catchUp(build.New(h.store, build.Options{LeastEvents: 1, Share: 1, MergeParts: 100, Now: func() time.Time { return origin }}))
	h.exec(h.pool, "UPDATE event_part_columns SET data = substring(data FROM 2) WHERE col = 1")
	for merged := true; merged; {
		var err error
		if merged, err = b.Merge(t.Context(), project); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Verify(t.Context(), project, true); err != nil { // days of one part, which nothing merged
		t.Fatal(err)
	}
	h.catchUp(b)
	h.provenParts()
	h.compare()
}

// Columns that are gone are damage, whatever took them.
func TestMissingColumnsAreReadFromTheEvents(t *testing.T) {
	t.Parallel()
	h, b := built(t, 23)
	var day int32
	if err := h.pool.QueryRow(t.Context(), "SELECT day FROM event_parts ORDER BY rows DESC LIMIT 1").Scan(&day); err != nil {
		t.Fatal(err)
	}
	h.exec(h.pool, "DELETE FROM event_part_columns WHERE day = $1 AND col < 3", day)
	h.heals(b, day)
}

// A disk that fills while parts are written leaves what was there, and the next round goes on.
func TestADiskThatFillsChangesNothing(t *testing.T) {
	t.Parallel()
	h, b := built(t, 24)
	h.exec(h.pool, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON event_part_columns FOR EACH ROW WHEN (NEW.col = 3) EXECUTE FUNCTION full_disk()`)
	full := func(err error) bool {
		var pg *pgconn.PgError
		return errors.As(err, &pg) && pg.Code == "53100"
	}
	parts := func() (ids string) {
		if err := h.pool.QueryRow(t.Context(), "SELECT string_agg(id::text, ' ' ORDER BY id) FROM event_parts").Scan(&ids); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	before := parts()
	from := behaviour.DayAt(origin)
	if err := b.Rebuild(t.Context(), project, from); !full(err) {
		t.Errorf("building a day on a full disk: %v", err)
	}
	h.ingest()
	h.finishAll()
	err := b.Project(t.Context(), project)
	if err != nil && !full(err) {
		t.Errorf("taking in what arrived on a full disk: %v", err)
	}
	if after := parts(); after != before {
		t.Errorf("parts changed from\n%s\nto\n%s", strings.ReplaceAll(before, " ", "\n"), after)
	}
	h.compare()
	h.compareCatalogue("on a full disk")
	h.exec(h.pool, "DROP TRIGGER full_disk ON event_part_columns")
	h.catchUp(b)
	h.provenParts()
	h.compare()
	h.compareCatalogue("when there is room again")
}

// A downgrade drops the tables of parts, and what they were made of stays: an upgrade builds them anew.
func TestPartsThatADowngradeDroppedAreBuiltAnew(t *testing.T) {
	t.Parallel()
	h, b := built(t, 25)
	h.exec(h.pool, "TRUNCATE event_parts, event_part_columns, event_part_days, catalogue, arrivals, arrival_cursors")
	h.compare() // from the events, every day of them
	if err := b.Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.catchUp(b)
	h.provenParts()
	h.compare()
	h.compareCatalogue("after an upgrade")
}
