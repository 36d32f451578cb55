package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/arrivals"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var (
	exported = uuid.MustParse("018f0000-0000-7000-8000-00000000000e")
	october  = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
)

// storeSome stores events of any time of a month in a transaction, which is open then.
func storeSome(ctx context.Context, tx pgx.Tx, r *rand.Rand, n int) error {
	var stored []arrivals.Event
	for range n {
		ts := october.Add(time.Duration(r.IntN(31*24*3600)) * time.Second)
		var hash [events.IDHashBytes]byte
		for i := range hash {
			hash[i] = byte(r.UintN(256))
		}
		id := events.NewID(ts, hash)
		if _, err := tx.Exec(ctx, `INSERT INTO events (project_id, id, ts, received_at, seq, name, props) VALUES ($1, $2, $3, now(), 0, $4, '{}')`,
			exported, id, ts, []string{"a", "b"}[r.IntN(2)]); err != nil {
			return err
		}
		stored = append(stored, arrivals.Event{ProjectID: exported, ID: id, TS: ts})
	}
	return arrivals.Append(ctx, tx, stored)
}

func exportDB(t *testing.T) (*pgxpool.Pool, *Reader) {
	t.Helper()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", october); err != nil {
		t.Fatal(err)
	}
	return pool, NewReader(replica.Without(pool), time.Minute)
}

// export is one who exports.
type export struct {
	filter Filter
	at     *place
	seen   map[uuid.UUID]int
}

func newExport() *export {
	return &export{filter: Filter{ProjectID: exported, Received: true, Limit: 37}, seen: map[uuid.UUID]int{}}
}

// page takes one page, and says whether there was no more for then. The place goes through its text, as it does over HTTP.
func (e *export) page(ctx context.Context, r *Reader) (bool, error) {
	p, err := r.Received(ctx, &e.filter, e.at)
	if err != nil {
		return false, err
	}
	for i := range p.Events {
		e.seen[p.Events[i].ID]++
	}
	e.at, err = decodePlace(&e.filter, encodePlace(&e.filter, &p.resume))
	return p.caughtUp, err
}

// finish goes on until all events that are there were listed: transactions of other tests on the server hold some back.
func (e *export) finish(t *testing.T, r *Reader, pool *pgxpool.Pool) {
	t.Helper()
	var stored int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE $1::text[] IS NULL OR name = ANY($1)", e.filter.Names).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	nimbustest.Eventually(t, fmt.Sprintf("all %d events are listed", stored), func() bool {
		for caughtUp := false; !caughtUp; {
			var err error
			if caughtUp, err = e.page(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		return len(e.seen) >= stored
	})
	for id, n := range e.seen {
		if n != 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
	if len(e.seen) != stored {
		t.Errorf("%d events are listed of %d", len(e.seen), stored)
	}
}

// Exports that begin before, while and after events are written, beside rollbacks, a transaction that commits long after
// later ones, and a builder of parts that removes what it has passed, list every event once.
func TestAnExportListsEveryEventOnceWhileOthersWrite(t *testing.T) {
	t.Parallel()
	pool, reader := exportDB(t)
	seed := rand.New(rand.NewPCG(7, 7))
	begin := func() pgx.Tx {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		return tx
	}
	tx := begin()
	if err := errors.Join(storeSome(t.Context(), tx, seed, 300), tx.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	before := newExport()
	if _, err := before.page(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	slow := begin()
	if err := storeSome(t.Context(), slow, seed, 100); err != nil {
		t.Fatal(err)
	}
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	failed := make(chan error, 16)
	for w := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range 40 {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					if err := storeSome(t.Context(), tx, r, 1+r.IntN(60)); err != nil {
						return err
					}
					if r.IntN(5) == 0 {
						return errUndone
					}
					return nil
				})
				if err != nil && !errors.Is(err, errUndone) {
					failed <- err
					return
				}
			}
		})
	}
	during := newExport()
	for _, e := range []*export{before, during} {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := e.page(t.Context(), reader); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	others.Go(func() {
		b := build.New(behaviour.NewStore(pool), build.Options{LeastEvents: 1, StepEvents: 200, Share: 1})
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := b.Project(t.Context(), exported); err != nil {
				failed <- err
				return
			}
		}
	})
	writers.Wait()
	if err := slow.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	close(done)
	others.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	before.finish(t, reader, pool)
	during.finish(t, reader, pool)
	newExport().finish(t, reader, pool)
	named := newExport()
	named.filter.Names = []string{"a"}
	named.finish(t, reader, pool)
}

var errUndone = errors.New("undone")

// Arrivals are kept for a week beside exports, and not for one that nobody uses; a cursor before what is kept is refused.
func TestAnExportThatFellBehindBeginsAgain(t *testing.T) {
	t.Parallel()
	pool, reader := exportDB(t)
	store := behaviour.NewStore(pool)
	write := func() {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return storeSome(t.Context(), tx, rand.New(rand.NewPCG(1, 2)), 10) })
		if err != nil {
			t.Fatal(err)
		}
	}
	prune := func(before time.Time) {
		err := store.Work(t.Context(), exported, func(w *behaviour.Work) error { return w.PruneArrivals(t.Context(), before) })
		if err != nil {
			t.Fatal(err)
		}
	}
	expired := func(at *place) bool {
		_, err := reader.Received(t.Context(), &newExport().filter, at)
		if err != nil && !problem.Is(err, problem.CodeCursorExpired) {
			t.Fatal(err)
		}
		return err != nil
	}
	e := newExport()
	e.finish(t, reader, pool)
	first := *e.at
	write()
	prune(time.Now().Add(-time.Hour))
	if expired(&first) {
		t.Error("a cursor is refused although all behind it is kept")
	}
	e.finish(t, reader, pool)
	prune(time.Now().Add(time.Hour)) // everything, the row of the export too
	if !expired(&first) {
		t.Error("a cursor is taken although the export's row is gone")
	}
	if newExport().finish(t, reader, pool); !expired(&first) {
		t.Error("a cursor of an earlier row is taken")
	}
	again := newExport()
	again.finish(t, reader, pool)
	second := *again.at
	if _, err := pool.Exec(t.Context(), `UPDATE arrival_cursors SET updated_at = now() + interval '2 hours' WHERE consumer = 'export'`); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "DELETE FROM events"); err != nil {
		t.Fatal(err)
	}
	write()
	prune(time.Now().Add(time.Hour)) // what arrived
	if !expired(&second) {
		t.Error("a cursor is taken although what arrived behind it is gone")
	}
}

// Whatever a cursor is, it is a place of this export or an error.
func FuzzPlace(f *testing.F) {
	filter := &newExport().filter
	f.Add(encodePlace(filter, &place{generation: uuid.New(), xid: 7, seq: 1, read: 3}))
	f.Add("Ag")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := decodePlace(filter, s); err == nil && encodePlace(filter, p) != s {
			t.Errorf("%q is taken for %q", s, encodePlace(filter, p))
		}
	})
}
