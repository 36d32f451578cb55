package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/test/nimbustest"
)

// cluster is three servers on one database and one Redis.
type cluster struct {
	t        *testing.T
	dsn      string
	redis    *nimbustest.RedisServer
	settings []string
	nodes    []*process
}

const (
	perMinute = 150 // of an account; a key that sends events has twice as many
)

func startCluster(t *testing.T, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dsn: nimbustest.DSN(t), redis: nimbustest.Redis(t)}
	c.settings = []string{"NIMBUS_DATABASE_URL=" + c.dsn, "NIMBUS_REDIS_URL=" + c.redis.URL, "NIMBUS_DB_POOL_SIZE=8",
		// A machine with other work may keep Redis waiting for longer than a server should.
		"NIMBUS_REDIS_TIMEOUT_MS=10000", "NIMBUS_RATE_LIMIT_ENABLED=true", fmt.Sprint("NIMBUS_RATE_LIMIT_PER_MINUTE=", perMinute),
		"NIMBUS_JWT_SECRET=" + strings.Repeat("0123456789abcdef", 4), "NIMBUS_SECRET_KEY=" + strings.Repeat("0123456789abcdef", 4)}
	c.settings = append(c.settings, settings...)
	for range 3 {
		c.nodes = append(c.nodes, start(t, c.settings, "serve"))
	}
	return c
}

// status is that of a request with a header, at a node.
func (c *cluster) status(p *process, method, path, name, value string, body []byte) int {
	req, err := http.NewRequestWithContext(c.t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return 0
	}
	req.Header.Set(name, value)
	req.Header.Set("Content-Type", "application/json")
	status, _, err := do(req)
	if err != nil {
		return 0
	}
	return status
}

// One of three servers is killed while all are being written to, and the schema is brought up to date beside them:
// clients that go on with another server lose nothing and double nothing.
func TestOneOfThreeServersIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	x := register(t, c.nodes[0])
	const clients, each = 4, 40 // fewer requests than the limit, with the ones that are sent again
	var acknowledged atomic.Int32
	var wg sync.WaitGroup
	for k := range clients {
		wg.Go(func() {
			for i := range each {
				user := fmt.Sprintf("%d-%d", k, i)
				for try := k + i; ; try++ {
					if t.Context().Err() != nil {
						return
					}
					if status, _, err := x.send(c.nodes[try%3], user); err == nil && status == http.StatusOK {
						acknowledged.Add(1)
						break
					}
				}
			}
		})
	}
	nimbustest.Eventually(t, "a third of the load", func() bool { return acknowledged.Load() >= clients*each/3 })
	if code := c.nodes[1].end(syscall.SIGKILL); code != -1 {
		t.Errorf("exit code %d of a process that was killed", code)
	}
	if r := nimbus(t, c.settings[:1], "migrate", "up"); r.code != 0 {
		t.Errorf("migrate beside running servers: %d\n%s", r.code, r.stderr)
	}
	wg.Wait()
	stored := x.users(c.nodes[2])
	for user, n := range stored {
		if n != 1 {
			t.Errorf("the event of %s is stored %d times", user, n)
		}
	}
	if len(stored) != clients*each || int(acknowledged.Load()) != clients*each {
		t.Errorf("%d events acknowledged, %d stored, want %d", acknowledged.Load(), len(stored), clients*each)
	}
	if n := x.total(c.nodes[0]); n != clients*each {
		t.Errorf("the metrics count %d, want %d", n, clients*each)
	}
}

// A rotated key dies on every server, also when Redis hangs and when the connections that announce changes have just
// been cut; and the new one works there.
func TestARotatedKeyDiesOnEveryServer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "NIMBUS_RATE_LIMIT_PER_MINUTE=100000", "NIMBUS_REDIS_TIMEOUT_MS=1000") // it asks again and again
	x := register(t, c.nodes[0])
	db, err := pgx.Connect(t.Context(), c.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	body, err := json.Marshal(map[string]any{"project_id": x.project, "events": []map[string]string{{"name": "e"}}})
	if err != nil {
		t.Fatal(err)
	}
	sent := func(p *process) int { return c.status(p, http.MethodPost, "/v1/events", "X-Api-Key", x.secret, body) }
	for _, when := range []struct {
		name   string
		before func()
	}{
		{"as it should be", func() {}},
		{"while Redis hangs and nobody listens", func() {
			c.redis.Hang()
			const listening = `FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`
			nimbustest.Eventually(t, "every server listens", func() bool {
				var n int
				if err := db.QueryRow(t.Context(), "SELECT count(*) "+listening).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n == 3
			})
			if _, err := db.Exec(t.Context(), "SELECT pg_terminate_backend(pid) "+listening); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		name := when.name
		for _, p := range c.nodes {
			nimbustest.Eventually(t, "every server to know the key", func() bool { return sent(p) == http.StatusOK })
		}
		when.before()
		var made struct {
			Secret string `json:"api_key_secret"`
		}
		old := x.secret
		x.call(c.nodes[0], http.MethodPost, "/v1/projects/"+x.project+"/rotate-keys", map[string]any{}, 200, &made)
		if got := sent(c.nodes[0]); got != http.StatusUnauthorized {
			t.Errorf("%s: %d on the server that rotated it, want 401 from its answer on", name, got)
		}
		for _, p := range c.nodes[1:] {
			nimbustest.Eventually(t, name+": the old key to die", func() bool { return sent(p) == http.StatusUnauthorized })
		}
		x.secret = made.Secret
		for _, p := range c.nodes {
			if got := sent(p); got != http.StatusOK {
				t.Errorf("%s: the new key: %d", name, got)
			}
		}
		x.secret = old
		for _, p := range c.nodes {
			if got := sent(p); got != http.StatusUnauthorized {
				t.Errorf("%s: the old key lives again: %d", name, got)
			}
		}
		x.secret = made.Secret
	}
	c.redis.Resume()
}

// What one server has counted, the others refuse: requests of an account, and passwords guessed.
func TestLimitsAreOneForAllServers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	x := register(t, c.nodes[0])
	for _, p := range c.nodes {
		nimbustest.Eventually(t, "Redis", func() bool {
			_, answer, err := do(mustGet(t, p.url+"/v1/health"))
			return err == nil && strings.Contains(string(answer), `"redis":{"status":"ok"}`)
		})
	}
	begun := time.Now()
	var allowed, refused atomic.Int32
	var wg sync.WaitGroup
	for _, p := range c.nodes {
		for range 2 {
			wg.Go(func() {
				for range perMinute / 2 {
					switch status := c.status(p, http.MethodGet, "/v1/auth/me", "Authorization", "Bearer "+x.token, nil); status {
					case http.StatusOK:
						allowed.Add(1)
					case http.StatusTooManyRequests:
						refused.Add(1)
					default:
						t.Errorf("status %d", status)
					}
				}
			})
		}
	}
	wg.Wait()
	// One was used to create the project; each server may hold a lease of 1% that it does not use.
	most := perMinute + int(time.Since(begun).Minutes()*perMinute) + 1
	if n := int(allowed.Load()); n < perMinute-1-3*perMinute/100 || n > most {
		t.Errorf("three servers let %d requests of %d through, want at most %d", n, allowed.Load()+refused.Load(), most)
	}

	// Each server by itself would let the first six pass. Of a guess that comes late, on a busy machine, the wait is over;
	// but it doubles with each.
	var answers []int
	for i := range 18 {
		body := fmt.Appendf(nil, `{"email":%q,"password":"Wrong-Horse-7"}`, x.email)
		answers = append(answers, c.status(c.nodes[i%3], http.MethodPost, "/v1/auth/login", "X-Try", "1", body))
	}
	if i := slices.Index(answers, http.StatusTooManyRequests); i < 6 {
		t.Errorf("guesses spread over the servers: %v, want the seventh or one soon after it to be told to wait", answers)
	}
}

func mustGet(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
