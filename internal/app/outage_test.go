package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	ingestion "github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// restartable is a private server and what starts it again in the same place.
func restartable(t *testing.T) (dsn string, kill, again func()) {
	t.Helper()
	var cfg embedded.Config
	srv := nimbustest.PrivateServer(t, true, func(c *embedded.Config) { cfg = *c })
	dsn = srv.DSN(embedded.Database)
	kill = func() {
		if err := syscall.Kill(srv.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-srv.Done()
	}
	again = func() {
		back, err := embedded.Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		srv = back
		t.Cleanup(func() { _ = back.Stop(context.WithoutCancel(t.Context())) })
	}
	return dsn, kill, again
}

// The database goes away and comes back, twice, and the server is never restarted.
func TestADatabaseThatIsAwayIs503AndThenEverythingFlowsAgain(t *testing.T) {
	t.Parallel()
	dsn, kill, again := restartable(t)
	a := apptest.BootOn(t, dsn)
	x := a.Tenant(t)
	if got := x.Ingest(keyed("before", 3)...); got.Accepted != 3 {
		t.Fatalf("%+v", got)
	}
	stored := 3
	for round := range 2 {
		kill()
		body := x.Batch(keyed(fmt.Sprint(round), 5)...)
		nimbustest.Eventually(t, "an answer that says so", func() bool { return post(x, body).status == http.StatusServiceUnavailable })
		want503(t, post(x, body))
		if got := readiness(t, a); got != http.StatusServiceUnavailable {
			t.Errorf("readiness is %d without a database", got)
		}
		if got := get(t, a, "/health").StatusCode; got != http.StatusOK {
			t.Errorf("liveness is %d: the server would be restarted for the database's fault", got)
		}
		again()
		flows(t, x, body)
		stored += 5
		nimbustest.Eventually(t, "readiness is green again", func() bool { return readiness(t, a) == http.StatusOK })
		nimbustest.Eventually(t, "key changes are received again", func() bool { return gauge(t, a, "nimbus_key_watch_listening") == 1 })
	}
	if n := x.Count(); n != stored {
		t.Errorf("%d events are stored, want %d", n, stored)
	}
}

// Some systems drop rows after a number of failed flushes. Nimbus must not.
func TestNothingIsDroppedAfterManyFailedFlushes(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootOn(t, dsn)
	x := a.Tenant(t)
	heal := fault(t, dsn, "STATEMENT", "RAISE EXCEPTION 'gone' USING ERRCODE = '57P03';")
	const attempts = 50
	bodies := [][]byte{x.Batch(keyed("one", 1)...), x.Batch(keyed("few", 10)...), x.Batch(keyed("many", 500)...)}
	for range attempts {
		for _, body := range bodies {
			want503(t, post(x, body))
		}
	}
	heal()
	for k, want := range []int{1, 10, 500} {
		if got := flows(t, x, bodies[k]); got.Accepted != want || got.Duplicates != 0 {
			t.Errorf("after %d failed flushes: %+v, want all %d accepted", attempts, got, want)
		}
	}
	if n := x.Count(); n != 511 {
		t.Errorf("%d events are stored, want 511", n)
	}
}

// A queue that fills up during an outage answers 503: it neither grows nor drops.
func TestAnOutageLongerThanTheQueueIs503AndNotLoss(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	const queueRows, senders, perRequest = 400, 60, 50
	a := apptest.BootWith(t, dsn, func(c *ingestion.BatcherConfig) { c.QueueRows, c.FlushRows = queueRows, 100 })
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "warm"}) // the key is known, so that nothing else needs the database
	release := lock(t, dsn, "event_counts")
	bodies := make([][]byte, senders)
	for k := range bodies {
		bodies[k] = x.Batch(keyed(fmt.Sprint(k), perRequest)...)
	}
	answers := make([]answer, senders)
	var wg sync.WaitGroup
	for k := range senders {
		wg.Go(func() { answers[k] = post(x, bodies[k]) })
	}
	nimbustest.Eventually(t, "the queue is full", func() bool { return gauge(t, a, "nimbus_ingest_queue_full_total") > 0 })
	for range 200 { // the outage lasts, and a failed flush frees no more room than it had
		if got := post(x, bodies[0]); got.status != http.StatusOK {
			want503(t, got)
		}
		if rows := gauge(t, a, "nimbus_ingest_queue_rows"); rows > queueRows {
			t.Fatalf("%v events are waiting, %d may", rows, queueRows)
		}
	}
	release()
	wg.Wait()
	for k, got := range answers {
		if got.status != http.StatusOK {
			want503(t, got)
			flows(t, x, bodies[k])
		}
	}
	if n := x.Count(); n != 1+senders*perRequest {
		t.Errorf("%d events are stored, want %d", n, 1+senders*perRequest)
	}
}

// A lock that is held for longer than a flush may take.
func TestALockThatIsHeldIs503AndThenEventsFlow(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, quick)
	x := a.Tenant(t)
	release := lock(t, dsn, "event_counts")
	body := x.Batch(keyed("locked", 3)...)
	for range 3 {
		want503(t, post(x, body))
	}
	// The timed-out statements must not keep waiting in the database.
	own := connect(t, dsn)
	nimbustest.Eventually(t, "no statement is left waiting", func() bool {
		var waiting int
		if err := own.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 0
	})
	release()
	flows(t, x, body)
	if n := x.Count(); n != 3 {
		t.Errorf("%d events are stored, want 3", n)
	}
}

// An administrator, or a statement_timeout of the operator's, ends a flush.
func TestAFlushThatIsCanceledIs503(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	// A flush that is ended is tried again, and then waits for the lock as long as it may.
	a := apptest.BootWith(t, dsn, func(c *ingestion.BatcherConfig) { c.FlushTime = 2 * time.Second })
	x := a.Tenant(t)
	release := lock(t, dsn, "event_counts")
	own := connect(t, dsn)
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		body := x.Batch(keyed(end, 2)...)
		done := make(chan answer, 1)
		go func() { done <- post(x, body) }()
		nimbustest.Eventually(t, "the flush is ended", func() bool {
			var n int
			if err := own.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE "+end+"(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n > 0
		})
		want503(t, <-done)
	}
	release()
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		if got := flows(t, x, x.Batch(keyed(end, 2)...)); got.Accepted != 2 {
			t.Errorf("%s: %+v", end, got)
		}
	}
}

// If readiness stayed green while a flusher hangs, the load balancer would send more senders to this node.
func TestReadinessIsRedWhenAFlusherIsStuck(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, func(c *ingestion.BatcherConfig) {
		patient(c)
		c.StalledTime = 100 * time.Millisecond
	})
	x := a.Tenant(t)
	release := lock(t, dsn, "event_counts")
	body := x.Batch(keyed("stuck", 1)...)
	done := make(chan answer, 1)
	go func() { done <- post(x, body) }()
	var red *apptest.Reply
	nimbustest.Eventually(t, "readiness is red", func() bool {
		red = a.Client(t).Do("GET", "/v1/health", nil)
		return red.Status == http.StatusServiceUnavailable
	})
	if !strings.Contains(string(red.Body), "has been waiting") {
		t.Errorf("readiness does not say why: %s", red.Body)
	}
	if gauge(t, a, "nimbus_ingest_oldest_seconds") < 0.1 {
		t.Error("the metrics do not show the age")
	}
	release()
	if got := <-done; got.Accepted != 1 {
		t.Errorf("what waited: %+v", got)
	}
	nimbustest.Eventually(t, "readiness is green again", func() bool { return readiness(t, a) == http.StatusOK })
}

func TestADiskThatIsFullIs503AndHeals(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootOn(t, dsn)
	x := a.Tenant(t)
	heal := fault(t, dsn, "STATEMENT", "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';")
	small, large := x.Batch(keyed("small", 2)...), x.Batch(keyed("large", 300)...)
	want503(t, post(x, small))
	want503(t, post(x, large))
	want503(t, post(x, small))
	red := a.Client(t).Do("GET", "/v1/health", nil) // although the database answers reads
	if red.Status != http.StatusServiceUnavailable || !strings.Contains(string(red.Body), "disk full: ") {
		t.Errorf("readiness is %d and does not say why: %s", red.Status, red.Body)
	}
	heal()
	flows(t, x, small)
	flows(t, x, large)
	nimbustest.Eventually(t, "readiness is green after a flush that succeeded", func() bool { return readiness(t, a) == http.StatusOK })
	if n := x.Count(); n != 302 {
		t.Errorf("%d events are stored, want 302", n)
	}
}

// Others take every connection the database has.
func TestAConnectionStormIsNeverA500(t *testing.T) {
	t.Parallel()
	srv := nimbustest.PrivateServer(t, false, func(c *embedded.Config) { c.Settings = map[string]string{"max_connections": "12"} })
	dsn := srv.DSN(embedded.Database)
	a := apptest.BootWith(t, dsn, quick)
	x := a.Tenant(t)
	own := connect(t, dsn)
	var storm []*pgx.Conn
	defer func() {
		for _, c := range storm {
			_ = c.Close(t.Context())
		}
	}()
	body := x.Batch(keyed("storm", 2)...)
	refused := 0
	nimbustest.Eventually(t, "senders feel the storm", func() bool {
		// The server's own connections are ended, and others are quicker to take their places.
		exec(t, own, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nimbus'")
		for {
			c, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				break
			}
			storm = append(storm, c)
		}
		got := post(x, body)
		if got.status != http.StatusOK {
			want503(t, got)
			refused++
		}
		return refused >= 5 && readiness(t, a) == http.StatusServiceUnavailable
	})
	for _, c := range storm {
		_ = c.Close(t.Context())
	}
	storm = nil
	flows(t, x, body)
	nimbustest.Eventually(t, "readiness is green again", func() bool { return readiness(t, a) == http.StatusOK })
	if n := x.Count(); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
}

func TestASlowDatabaseIsAnsweredInBoundedTime(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, quick)
	x := a.Tenant(t)
	heal := fault(t, dsn, "STATEMENT", "PERFORM pg_sleep(3600);")
	body := x.Batch(keyed("slow", 2)...)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { want503(t, post(x, body)) })
	}
	answered := make(chan struct{})
	go func() { wg.Wait(); close(answered) }()
	// 20 requests share a few flushes, each of which is given up after a quarter of a second, and not after an hour.
	nimbustest.Await(t, "every request is answered", answered)
	heal()
	flows(t, x, body)
	if n := x.Count(); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
}

// A database that is paused (SIGSTOP) closes no connection and refuses none: only our own time-outs end the wait.
func TestADatabaseThatHangsIs503AndThenEventsFlow(t *testing.T) {
	t.Parallel()
	srv := nimbustest.PrivateServer(t, false)
	a := apptest.BootWith(t, srv.DSN(embedded.Database), quick)
	x := a.Tenant(t)
	flows(t, x, x.Batch(keyed("warm", 1)...))
	signal := func(s syscall.Signal) {
		_ = syscall.Kill(srv.Pid(), s) // first, so that it starts nobody else
		for _, pid := range childrenOf(t, srv.Pid()) {
			_ = syscall.Kill(pid, s) // one that has just ended does not hang
		}
	}
	defer signal(syscall.SIGCONT)
	signal(syscall.SIGSTOP)
	body := x.Batch(keyed("hang", 2)...)
	want503(t, post(x, body))
	want503(t, post(x, body))
	if got := readiness(t, a); got != http.StatusServiceUnavailable {
		t.Errorf("readiness is %d while the database hangs", got)
	}
	signal(syscall.SIGCONT)
	flows(t, x, body)
	nimbustest.Eventually(t, "readiness is green again", func() bool { return readiness(t, a) == http.StatusOK })
	if n := x.Count(); n != 3 {
		t.Errorf("%d events are stored, want 3", n)
	}
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, f := range strings.Fields(string(b)) {
		var n int
		if _, err := fmt.Sscan(f, &n); err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// The clock is set while requests wait, by hours, forwards and backwards.
func TestAClockThatJumpsStopsNothing(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	a := apptest.BootWith(t, dsn, patient)
	x := a.Tenant(t)
	stored := 0
	for _, jump := range []time.Duration{3 * time.Hour, -8 * time.Hour, 50 * time.Hour, -45 * time.Hour} {
		release := lock(t, dsn, "event_counts")
		done := make(chan answer, 1)
		body := x.Batch(keyed(jump.String(), 2)...)
		go func() { done <- post(x, body) }()
		nimbustest.Eventually(t, "a request waits", func() bool { return gauge(t, a, "nimbus_ingest_oldest_seconds") > 0 })
		a.Clock.Add(jump)
		if age := gauge(t, a, "nimbus_ingest_oldest_seconds"); age < 0 || age > nimbustest.Patience.Seconds() {
			t.Errorf("after a jump of %s a request has waited for %v s", jump, age)
		}
		nimbustest.Eventually(t, "readiness is green after a jump", func() bool { return readiness(t, a) == http.StatusOK })
		release()
		if got := <-done; got.Accepted != 2 {
			t.Errorf("what waited during a jump of %s: %+v", jump, got)
		}
		if got := x.Ingest(apptest.Event{"name": "now"}); got.Accepted != 1 { // its ts is the new time
			t.Errorf("after a jump of %s: %+v", jump, got)
		}
		stored += 3
		for line := range strings.Lines(a.Metrics(t)) {
			if strings.Contains(line, "age_seconds") && strings.Contains(line, " -") {
				t.Errorf("after a jump of %s: %s", jump, line)
			}
		}
	}
	if n := x.Count(); n != stored {
		t.Errorf("%d events are stored, want %d", n, stored)
	}
}

// Every loop of a node exports the age of its last iteration.
func TestEveryLoopShowsItsAge(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	got := a.Metrics(t)
	for _, want := range []string{"nimbus_ingest_flushers 2\n", "nimbus_ingest_oldest_seconds ", "nimbus_key_watch_age_seconds ",
		`nimbus_job_age_seconds{job="make event partitions ahead"} `, `nimbus_job_age_seconds{job="purge deleted projects"} `,
		`nimbus_job_age_seconds{job="prune ended sessions"} `, `nimbus_job_age_seconds{job="prune expired keys"} `} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the metrics", want)
		}
	}
}
