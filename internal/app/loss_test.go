package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// An event that is skipped without a result is lost although its sender believes it stored: in any mix of events in
// one request, each is counted once, as accepted, duplicate or rejected.
func TestEveryInputEventAppearsOnceInTheResult(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	known := map[string]bool{} // keys that are stored
	unkeyed := 0
	for round := range 60 {
		n := 1 + random.IntN(150)
		batch := make([]apptest.Event, n)
		var bad []int
		want := apptest.Ingested{}
		for k := range batch {
			key := fmt.Sprint(random.IntN(3000))
			e := apptest.Event{"name": "e", "idempotency_key": key, "props": map[string]any{"round": round}}
			if random.IntN(2) == 0 {
				e["ts"] = "2026-01-15T10:30:00Z"
				key += " with ts" // the ts is part of what identifies an event that has one
			}
			switch random.IntN(8) {
			case 0:
				e["name"] = ""
			case 1:
				e["ts"], e["colour"] = "2099-01-01T00:00:00Z", "two errors are one rejected event"
			case 2:
				e["ts"] = "2099-01-01T00:00:00Z"
			case 3:
				delete(e, "idempotency_key")
				unkeyed++
				want.Accepted++
				batch[k] = e
				continue
			default:
				if known[key] {
					want.Duplicates++
				} else {
					want.Accepted++
				}
				known[key] = true
				batch[k] = e
				continue
			}
			bad = append(bad, k)
			want.Rejected++
			batch[k] = e
		}
		r := x.Send(x.Signed(x.Batch(batch...)))
		var got apptest.Ingested
		r.JSON(&got)
		if wantStatus := 200; want.Accepted+want.Duplicates == 0 {
			wantStatus = 422
			r.Want(wantStatus)
		} else {
			r.Want(wantStatus)
		}
		if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || got.Rejected != want.Rejected ||
			got.Accepted+got.Duplicates+got.Rejected != n {
			t.Fatalf("seed %d, round %d: %d/%d/%d of %d, want %d/%d/%d", seed, round, got.Accepted, got.Duplicates, got.Rejected, n,
				want.Accepted, want.Duplicates, want.Rejected)
		}
		var named []int
		for _, e := range got.Errors {
			named = append(named, e.Index)
		}
		slices.Sort(named)
		if named = slices.Compact(named); !slices.Equal(named, bad) {
			t.Fatalf("seed %d, round %d: errors name the events %v, want %v", seed, round, named, bad)
		}
	}
	if n := x.Count(); n != len(known)+unkeyed {
		t.Errorf("seed %d: %d events are stored, want %d", seed, n, len(known)+unkeyed)
	}
}

// The schema changes while requests wait: acknowledged events are stored, by the old statements or by new ones.
func TestAMigrationWhileEventsAreBufferedLosesNothing(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootOn(t, dsn)
	x := a.Tenant(t)
	// Every statement is prepared, on several connections.
	for k := range 4 {
		x.Ingest(keyed(fmt.Sprintf("before %d", k), 1)...)
		x.Ingest(keyed(fmt.Sprintf("before many %d", k), 100)...)
	}
	stored := 4 * 101
	conn := connect(t, dsn)
	for round, change := range []string{
		"ALTER TABLE events ADD COLUMN added text DEFAULT 'x' NOT NULL",
		"ALTER TABLE event_counts ADD COLUMN added int",
		"ALTER TABLE event_counts ALTER COLUMN count TYPE numeric",
		"ALTER TABLE event_counts ALTER COLUMN count TYPE bigint",
		"ALTER TABLE events DROP COLUMN added",
		"ALTER TABLE events ALTER COLUMN name TYPE varchar(1000)", // what is read changes under prepared statements
	} {
		exec(t, conn, "BEGIN")
		exec(t, conn, "LOCK TABLE event_counts IN ACCESS EXCLUSIVE MODE")
		const senders = 6
		answers := make(chan answer, senders)
		bodies := make([][]byte, senders)
		for k := range bodies {
			bodies[k] = x.Batch(keyed(fmt.Sprintf("%d %d", round, k), 1+k*30)...)
			stored += 1 + k*30
		}
		send := func(body []byte) { answers <- post(x, body) }
		go send(bodies[0]) // it is being written, and holds locks of its own
		nimbustest.Eventually(t, "a flush waits for the migration", func() bool { return gauge(t, a, "nimbus_ingest_oldest_seconds") > 0 })
		for _, body := range bodies[1:] {
			go send(body)
		}
		exec(t, conn, "COMMIT")
		exec(t, conn, change) // waits for what a flush holds, as a real migration does, while the others queue up behind it
		for range senders {
			if got := <-answers; got.status != http.StatusOK {
				want503(t, got)
			}
		}
		for _, body := range bodies {
			if got := flows(t, x, body); got.Rejected != 0 {
				t.Errorf("%s: %+v", change, got)
			}
		}
		nimbustest.Eventually(t, "events are read", func() bool {
			r := x.Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil)
			if r.Status != http.StatusOK && r.Status != http.StatusServiceUnavailable {
				t.Fatalf("%s: %d %s", change, r.Status, r.Body)
			}
			return r.Status == http.StatusOK
		})
	}
	if n := x.Count(); n != stored {
		t.Errorf("%d events are stored, want %d", n, stored)
	}
}

// One event that the database refuses shares its transaction with others.
func TestAPoisonedEventInASharedFlushHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, patient)
	x, y := a.Tenant(t), a.Tenant(t)
	fault(t, dsn, "ROW", "IF NEW.name = 'poison' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22P02'; END IF;")
	release := lock(t, dsn, "event_counts")
	const senders = 8
	answers := make([]chan answer, 1+senders)
	send := func(k int, who *apptest.Tenant, batch ...apptest.Event) {
		answers[k] = make(chan answer, 1)
		body := who.Batch(batch...)
		go func() { answers[k] <- post(who, body) }()
	}
	send(0, x, keyed("first", 1)...)
	nimbustest.Eventually(t, "a flush is stuck", func() bool { return gauge(t, a, "nimbus_ingest_oldest_seconds") > 0 })
	for k := 1; k <= senders; k++ {
		batch := keyed(fmt.Sprint(k), 10)
		if k == 3 {
			batch[4]["name"] = "poison"
		}
		if k == 5 {
			batch = []apptest.Event{{"name": "poison"}}
		}
		send(k, []*apptest.Tenant{x, y}[k%2], batch...)
	}
	nimbustest.Eventually(t, "the others wait together", func() bool { return gauge(t, a, "nimbus_ingest_queue_rows") >= 71 })
	release()
	for k, c := range answers {
		got := <-c
		switch {
		case k == 0 && got.Accepted == 1:
		case k == 3 && got.Accepted == 9 && got.Rejected == 1 && len(got.Errors) == 1 && got.Errors[0].Index == 4:
		case k == 5 && got.status == http.StatusUnprocessableEntity:
		case k != 0 && k != 3 && k != 5 && got.Accepted == 10:
		default:
			t.Errorf("request %d: %d %s", k, got.status, got.body)
		}
	}
	if n := x.Count() + y.Count(); n != 1+9+6*10 {
		t.Errorf("%d events are stored, want %d", n, 1+9+6*10)
	}
}

// The database refuses an event of a request and then has no room for another. The rest of the request must not be
// stored: its sender gets a 503, and without keys the events of the retry could not be deduplicated.
func TestARequestWithAPoisonedEventIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, patient)
	x := a.Tenant(t)
	const refuse = "IF NEW.name = 'poison' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22P02'; END IF;"
	heal := fault(t, dsn, "ROW", refuse+" IF NEW.name = 'last' THEN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END IF;")
	body := x.Batch(apptest.Event{"name": "first"}, apptest.Event{"name": "second"}, apptest.Event{"name": "poison"}, apptest.Event{"name": "last"})
	sender := a.Client(t).With("X-API-Key", x.Secret) // not signed: a signature would tell
	sender.Do("POST", "/v1/events", body).WantCode(503, "database_unavailable")
	if n := x.Count(); n != 0 {
		t.Errorf("%d events of a request that was refused are stored", n)
	}
	heal()
	fault(t, dsn, "ROW", refuse)
	var got apptest.Ingested
	sender.Do("POST", "/v1/events", body).Want(200).JSON(&got)
	if n := x.Count(); n != 3 || got.Accepted != 3 || got.Rejected != 1 || len(got.Errors) != 1 || got.Errors[0].Index != 2 {
		t.Errorf("%d events are stored, and the answer is %+v", n, got)
	}
}
