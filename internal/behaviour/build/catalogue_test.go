package build_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/behaviour/catalogue"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// catalogued is everything that the catalogue answers, as text.
func (h *history) catalogued() map[string]string {
	h.t.Helper()
	s := catalogue.New(h.store, time.Minute, func() time.Time { return origin.AddDate(0, 0, days-1) })
	said := map[string]string{}
	events, _, err := s.Events(h.t.Context(), project, "", 100, days)
	if err != nil {
		h.t.Fatal(err)
	}
	names := []string{""}
	for _, e := range events {
		said[e.Name] = fmt.Sprint(e.Events, e.First, e.Last, e.Days)
		names = append(names, e.Name)
	}
	for _, name := range names {
		props, n, _, err := s.Props(h.t.Context(), project, name, "", 100)
		if err != nil {
			h.t.Fatal(err)
		}
		for i := range props {
			p := &props[i]
			said[name+"."+p.Prop] = fmt.Sprint(n, p.Events, p.First, p.Last, p.Numbers, p.Min, p.Max)
			values, unlisted, _, err := s.Values(h.t.Context(), project, name, p.Prop, "", 1000)
			if err != nil {
				h.t.Fatal(err)
			}
			if p.Prop == "plan" {
				var all []string
				for _, v := range values {
					all = append(all, fmt.Sprint(v.Value.Text, "=", v.Events))
				}
				slices.Sort(all)
				said[name+".plan="] = fmt.Sprint(all)
			}
			for _, v := range values {
				unlisted += v.Events
			}
			if unlisted != p.Events {
				h.t.Errorf("%d values of %s.%s of %d events", unlisted, name, p.Prop, p.Events)
			}
		}
	}
	return said
}

// readCatalogue answers the same from the events.
func (h *history) readCatalogue() map[string]string {
	h.t.Helper()
	said := map[string]string{}
	ask := func(sql string, args ...any) {
		rows, err := h.pool.Query(h.t.Context(), sql, args...)
		if err != nil {
			h.t.Fatal(err)
		}
		var key, value string
		if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { said[key] = value; return nil }); err != nil {
			h.t.Fatal(err)
		}
	}
	ask(`SELECT e.name, concat_ws(' ', count(*), extract(epoch FROM min(e.ts)) * 1000000, extract(epoch FROM max(e.ts)) * 1000000,
			(SELECT '[' || string_agg((SELECT count(*)::text FROM events o WHERE o.name = e.name AND date_bin('1 day', o.ts, $1) = d), ' ' ORDER BY d) || ']'
			 FROM generate_series($1::timestamptz, $1 + interval '4 days', '1 day') d))
		FROM events e GROUP BY e.name`, origin)
	ask(`SELECT n.name || '.' || p.prop, concat_ws(' ', count(*), count(*), extract(epoch FROM min(e.ts)) * 1000000,
			extract(epoch FROM max(e.ts)) * 1000000, count(*), min((e.props -> p.prop)::float8), max((e.props -> p.prop)::float8))
		FROM events e, LATERAL (VALUES (e.name), ('')) n(name), LATERAL (VALUES ('plan'), ('amount')) p(prop) GROUP BY n.name, p.prop`)
	ask(`SELECT t.name || '.plan=', '[' || string_agg(t.plan || '=' || t.n, ' ' ORDER BY t.plan) || ']'
		FROM (SELECT n.name, e.props ->> 'plan' AS plan, count(*) AS n FROM events e, LATERAL (VALUES (e.name), ('')) n(name) GROUP BY 1, 2) t
		GROUP BY t.name`)
	return said
}

func normal(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = strings.NewReplacer(".000000", "").Replace(v)
	}
	return out
}

func (h *history) compareCatalogue(when string) {
	h.t.Helper()
	got, want := normal(h.catalogued()), normal(h.readCatalogue())
	if !maps.Equal(got, want) {
		for k := range want {
			if got[k] != want[k] {
				h.t.Errorf("%s: %s is\n%s\nwant\n%s", when, k, got[k], want[k])
			}
		}
		h.t.Fatalf("%s: the catalogue has %d entries, want %d, after\n%s", when, len(got), len(want), strings.Join(h.log, "\n"))
	}
}

// An event that was stored a moment ago is found, before anything was built and behind what was.
func TestTheCatalogueKnowsWhatWasJustStored(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 11)
	h.ingest()
	h.finishAll()
	h.compareCatalogue("before anything was built")
	h.catchUp(h.builder())
	h.compareCatalogue("when all is built")
	for range 3 {
		h.ingest()
	}
	h.finish(1) // the others are under way, and hold the builder back
	h.compareCatalogue("behind what was built")
	if err := h.builder().Project(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	h.compareCatalogue("while the builder is held back")
	h.finishAll()
	h.catchUp(h.builder())
	h.compareCatalogue("at last")
}

// Parts that an earlier release built are in no catalogue: a survey builds their days.
func TestASurveyCataloguesThePartsOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 12)
	for range 4 {
		h.ingest()
		h.finishAll()
	}
	h.catchUp(h.builder())
	h.exec(h.pool, "TRUNCATE catalogue")
	if err := h.builder().Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.compareCatalogue("after a survey")
	before, err := h.store.Size(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	var built, again string
	row := "SELECT string_agg(id::text, ' ' ORDER BY id) FROM event_parts"
	if err := h.pool.QueryRow(t.Context(), row).Scan(&built); err != nil {
		t.Fatal(err)
	}
	if err := h.builder().Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.pool.QueryRow(t.Context(), row).Scan(&again); err != nil || again != built {
		t.Errorf("a second survey builds %d events again: %v", before.Events, err)
	}
}

// The values of a day are bounded while it is built by many steps; nothing is lost of the counts.
func TestTheCatalogueIsBounded(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 13)
	h.catchUp(h.builder()) // from now on it follows what arrives
	var n int
	for step := range 5 {
		tx := h.begin()
		var stored []behaviour.StoredEvent
		for i := range 150 {
			e := h.event()
			for behaviour.DayOf(e.ID) != behaviour.DayAt(origin) {
				e = h.event()
			}
			n++
			e.Props = fmt.Appendf(nil, `{"p": "v%d", "often": "x%d"}`, step*150+i, i%3)
			stored = append(stored, e)
		}
		h.write(tx, stored)
		h.finishAll()
	}
	h.catchUp(build.New(h.store, build.Options{LeastEvents: 1, StepEvents: 150, Share: 1, Now: func() time.Time { return h.now }}))
	s := catalogue.New(h.store, time.Minute, func() time.Time { return h.now })
	often, unlisted, more, err := s.Values(t.Context(), project, "", "often", "X1", 10)
	if err != nil || len(often) != 1 || often[0].Events != int64(n/3) || unlisted != 0 || more {
		t.Errorf("of the frequent values X1 is %v, %d unlisted: %v", often, unlisted, err)
	}
	if _, _, more, err = s.Values(t.Context(), project, "", "often", "", 2); err != nil || !more {
		t.Errorf("of three values two are all: %v", err)
	}
	rare, unlisted, _, err := s.Values(t.Context(), project, "", "p", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(rare))+unlisted != int64(n) {
		t.Errorf("%d values and %d events with others, of %d", len(rare), unlisted, n)
	}
	var most int
	if err := h.pool.QueryRow(t.Context(), "SELECT max(jsonb_array_length(listed)) FROM catalogue").Scan(&most); err != nil ||
		most != catalogue.MaxValues {
		t.Errorf("a day lists %d values: %v", most, err)
	}
}

// BenchmarkCatalogue asks a catalogue that is full: 10,000 names of ten props, and a prop of 200 values on each of 90 days.
func BenchmarkCatalogue(b *testing.B) {
	pool := nimbustest.DB(b)
	if _, err := pool.Exec(b.Context(), `
		INSERT INTO catalogue SELECT $1, 2147483647, 'name_' || n, CASE p WHEN 0 THEN '' ELSE 'prop_' || p END,
			CASE p WHEN 0 THEN 'name_' || n ELSE 'prop_' || p END, n, now(), now(), 0, 0, 0, n, 0, 0, 'infinity', '-infinity', 0, '[]'
		FROM generate_series(1, 10000) n, generate_series(0, 10) p`, project); err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec(b.Context(), `
		INSERT INTO catalogue SELECT $1, day, 'name_1', 'prop_1', 'prop_1', 1000, now(), now(), 0, 0, 0, 1000, 0, 0, 'infinity', '-infinity', 0,
			(SELECT jsonb_agg(jsonb_build_array(5, '/page/' || day || '/' || v, 5)) FROM generate_series(1, 200) v)
		FROM generate_series(20000, 20089) day`, project); err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec(b.Context(), "VACUUM ANALYZE catalogue"); err != nil {
		b.Fatal(err)
	}
	s := catalogue.New(behaviour.NewStore(pool), time.Minute, time.Now)
	for name, ask := range map[string]func() error{
		"names":                     func() error { _, _, err := s.Events(b.Context(), project, "", 100, 30); return err },
		"names that contain a text": func() error { _, _, err := s.Events(b.Context(), project, "E_77", 100, 30); return err },
		"props":                     func() error { _, _, _, err := s.Props(b.Context(), project, "name_77", "", 100); return err },
		"values": func() error {
			_, _, _, err := s.Values(b.Context(), project, "name_1", "prop_1", "/77", 100)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				if err := ask(); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(best.Microseconds())/1000, "min-ms")
		})
	}
}
