package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// finding is what one look at something found. With advice it is a warning, and wrong means that Nimbus does not keep its
// promises until the advice is followed.
type finding struct {
	about, says, advice string
	wrong               bool
}

// examination collects findings.
type examination struct{ findings []finding }

func (x *examination) fine(about, format string, args ...any) {
	x.findings = append(x.findings, finding{about: about, says: fmt.Sprintf(format, args...)})
}

func (x *examination) warn(about, says, advice string) {
	x.findings = append(x.findings, finding{about: about, says: says, advice: advice})
}

func (x *examination) fail(about, says, advice string) {
	x.findings = append(x.findings, finding{about: about, says: says, advice: advice, wrong: true})
}

// doctor looks at everything a server needs and says what to do. It changes nothing but what a start changes too: it
// starts the embedded database when none runs.
func doctor(ctx context.Context, e *env) error {
	x := &examination{}
	x.settings(e)
	x.process()
	// Before the database, which may be away because of it.
	if e.cfg.Embedded() {
		x.disk(e.cfg.DataDir)
	}
	if e.cfg.RedisURL != "" {
		x.redis(ctx, e.cfg.RedisURL, e.cfg.RedisTimeout)
	}
	d, err := attach(ctx, e)
	if unfit := (*postgres.UnfitError)(nil); errors.As(err, &unfit) {
		x.unfit(unfit.Faults)
		return x.report(e)
	}
	if err != nil {
		advice := "start it, or correct NIMBUS_DATABASE_URL; nothing works without it"
		if e.cfg.Embedded() {
			advice = "mend what it says, or correct NIMBUS_DATA_DIR; nothing works without it"
		}
		x.fail("database", err.Error(), advice)
		return x.report(e)
	}
	defer d.Close(context.WithoutCancel(ctx))
	x.database(ctx, d.Pool, e.cfg.DBPoolSize)
	x.role(ctx, d.Pool)
	x.workers(ctx, d.Pool)
	x.clock(ctx, d.Pool)
	if x.schema(ctx, d.Pool) {
		x.partitions(ctx, d.Pool)
		x.secrets(ctx, d.Pool, e)
	}
	if e.cfg.AnalyticsDatabaseURL != "" {
		x.replica(ctx, d.Pool, e.cfg)
	}
	return x.report(e)
}

// impatience is how long a database of one's own choosing may take to answer; a server would wait for it longer.
const impatience = 3 * time.Second

func attach(ctx context.Context, e *env) (*app.Database, error) {
	if !e.cfg.Embedded() {
		hurried, cancel := context.WithTimeout(ctx, impatience)
		defer cancel()
		ctx = hurried
	}
	return app.AttachDatabase(ctx, e.cfg, e.log)
}

func (x *examination) report(e *env) error {
	wrong := 0
	for _, f := range x.findings {
		mark := "ok  "
		switch {
		case f.wrong:
			mark = "FAIL"
			wrong++
		case f.advice != "":
			mark = "warn"
		}
		fmt.Fprintf(e.stdout, "%s  %-10s  %s\n", mark, f.about, f.says)
		if f.advice != "" {
			fmt.Fprintf(e.stdout, "      %-10s  → %s\n", "", f.advice)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d checks failed", wrong, len(x.findings))
	}
	return nil
}

// settings that are valid and yet unlikely to be meant.
func (x *examination) settings(e *env) {
	host, _, err := net.SplitHostPort(e.cfg.Addr)
	ip := net.ParseIP(host)
	private := err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
	if !e.cfg.Production() && !private {
		x.warn("settings", fmt.Sprintf("NIMBUS_ENVIRONMENT is %s and NIMBUS_ADDR %s takes connections from other machines", e.cfg.Environment, e.cfg.Addr),
			"set NIMBUS_ENVIRONMENT=production, which insists on secrets of your own")
		return
	}
	x.fine("settings", "valid, %s", e.cfg.Environment)
}

// enoughFiles is what a node with some thousand connections opens.
const enoughFiles = 4096

func (x *examination) process() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return // nothing to say about it here
	}
	if limit.Max < enoughFiles {
		x.warn("process", fmt.Sprintf("it may open %d files, and every connection is one", limit.Max), "raise the limit: ulimit -n, or LimitNOFILE of the unit")
		return
	}
	x.fine("process", "%d processors, %d open files allowed", runtime.NumCPU(), limit.Max)
}

// durable is what PostgreSQL must do for a 200 to mean what it says. local stands for a standby that is not waited for.
var durable = map[string][]string{
	"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}

func (x *examination) database(ctx context.Context, pool *pgxpool.Pool, poolSize int) {
	begun := time.Now()
	var version string
	var connections int
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('max_connections')::int`).
		Scan(&version, &connections); err != nil {
		x.fail("database", err.Error(), "look into PostgreSQL's log")
		return
	}
	took := time.Since(begun)
	healthy := true
	for name, good := range durable {
		var value string
		if err := pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			x.fail("database", err.Error(), "look into PostgreSQL's log")
			return
		}
		if !strings.Contains(" "+strings.Join(good, " ")+" ", " "+value+" ") {
			healthy = false
			x.fail("database", fmt.Sprintf("%s is %s: a 200 is not durable", name, value), fmt.Sprintf("set %s = on in postgresql.conf and reload", name))
		}
	}
	if node := app.Connections(poolSize); connections < 2*node {
		x.warn("database", fmt.Sprintf("max_connections is %d and this node alone may use %d", connections, node),
			"with several nodes, raise max_connections, lower NIMBUS_DB_POOL_SIZE, or put PgBouncer between (session mode)")
	}
	if healthy {
		x.fine("database", "PostgreSQL %s, %.1f ms away, durable", version, float64(took.Microseconds())/1000)
	}
}

// unfit says what a start would refuse.
func (x *examination) unfit(faults []postgres.Fault) {
	for _, f := range faults {
		x.fail("role", f.Says, f.Do)
	}
}

// role looks at what the role of the database may do, and at the settings that it was given.
func (x *examination) role(ctx context.Context, pool *pgxpool.Pool) {
	faults, err := postgres.Examine(ctx, pool, db.Tables)
	if err != nil {
		x.fail("role", err.Error(), "look into PostgreSQL's log")
		return
	}
	x.unfit(faults)
	if len(faults) == 0 {
		x.fine("role", "it may make and change what Nimbus needs, in sessions of its own")
	}
}

// Signatures are good for 300 s of difference between the clocks of sender and server.
const (
	skewWorthSaying = 2 * time.Second
	skewTooMuch     = 60 * time.Second
)

func (x *examination) clock(ctx context.Context, pool *pgxpool.Pool) {
	before := time.Now()
	var there time.Time
	if err := pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&there); err != nil {
		x.fail("clock", err.Error(), "look into PostgreSQL's log")
		return
	}
	skew := there.Sub(before.Add(time.Since(before) / 2)).Round(time.Millisecond)
	says := fmt.Sprintf("the database's clock is %s off this machine's", skew)
	switch off := skew.Abs(); {
	case off > skewTooMuch:
		x.fail("clock", says, "run NTP (chrony or systemd-timesyncd) on both: signed requests are refused when clocks differ by 300 s, and nothing is deleted for its age")
	case off > skewWorthSaying:
		x.warn("clock", says, "run NTP (chrony or systemd-timesyncd) on both")
	default:
		x.fine("clock", "%s", says)
	}
}

func (x *examination) schema(ctx context.Context, pool *pgxpool.Pool) (current bool) {
	err := db.Check(ctx, pool)
	switch {
	case err == nil:
		st, err := db.ReadStatus(ctx, pool)
		if err != nil {
			x.fail("schema", err.Error(), "look into PostgreSQL's log")
			return false
		}
		if st.Newer {
			x.warn("schema", fmt.Sprintf("version %d, newer than the %d of this binary, which may use it", st.Current, st.Latest),
				"install the newer binary here too: nimbus backup and nimbus migrate are refused to this one")
			return true
		}
		x.fine("schema", "version %d, the one this binary needs", st.Current)
		return true
	case errors.Is(err, db.ErrBehind), errors.Is(err, db.ErrUnfinished):
		x.warn("schema", err.Error(), "nimbus serve does so at its start, unless NIMBUS_AUTO_MIGRATE is false")
	default:
		x.fail("schema", err.Error(), "")
	}
	return false
}

func (x *examination) partitions(ctx context.Context, pool *pgxpool.Pool) {
	var missing []string
	if err := pool.QueryRow(ctx, `SELECT coalesce(array_agg(name), '{}') FROM (SELECT 'events_' || to_char(now() AT TIME ZONE 'UTC' + n * interval '1 month', 'YYYYMM') AS name
		FROM generate_series(0, 1) AS n) AS m WHERE to_regclass(name) IS NULL`).Scan(&missing); err != nil {
		x.fail("events", err.Error(), "look into PostgreSQL's log")
		return
	}
	if len(missing) > 0 {
		x.warn("events", "no partition yet: "+strings.Join(missing, ", "), "a running server makes them, at its start and every hour: is one running?")
		return
	}
	x.fine("events", "the partitions of this month and the next are there")
}

func (x *examination) secrets(ctx context.Context, pool *pgxpool.Pool, e *env) {
	switch err := e.cfg.LoadSecretKey(); {
	case errors.Is(err, fs.ErrNotExist): // making some would only say that they are not those of the keys
		x.warn("secrets", err.Error(), "set NIMBUS_SECRET_KEY or NIMBUS_DATA_DIR to what the server has; its first start makes them")
		return
	case err != nil:
		x.fail("secrets", err.Error(), "")
		return
	}
	ring, err := secretbox.New(e.cfg.SecretKey, e.cfg.SecretKeyPrevious...)
	if err != nil {
		x.fail("secrets", err.Error(), "correct NIMBUS_SECRET_KEY")
		return
	}
	rows, err := pool.Query(ctx, "SELECT secret_key_id, count(*) FROM api_keys GROUP BY 1")
	if err != nil {
		x.fail("secrets", err.Error(), "look into PostgreSQL's log")
		return
	}
	defer rows.Close()
	total, old, lost := 0, 0, 0
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			x.fail("secrets", err.Error(), "look into PostgreSQL's log")
			return
		}
		total += n
		switch {
		case !ring.Has(id):
			lost += n
		case id != ring.CurrentID():
			old += n
		}
	}
	switch {
	case rows.Err() != nil:
		x.fail("secrets", rows.Err().Error(), "look into PostgreSQL's log")
	case lost > 0:
		x.fail("secrets", fmt.Sprintf("%d of %d API keys are encrypted under a key that is not here, and cannot sign", lost, total),
			"set NIMBUS_SECRET_KEY_PREVIOUS to the key they were made under, or replace them: rotate a project's main key, delete any other")
	case old > 0:
		x.warn("secrets", fmt.Sprintf("%d of %d API keys are encrypted under a previous key", old, total), "run nimbus keys rewrap, then drop NIMBUS_SECRET_KEY_PREVIOUS")
	default:
		x.fine("secrets", "%d API keys can be decrypted", total)
	}
}

// A checkpoint and a month of a busy project fit into the first; below the second PostgreSQL is about to stop.
const (
	diskWorthSaying = 5 << 30
	diskTooLittle   = 1 << 30
)

func (x *examination) disk(dir string) {
	free, all, err := embedded.DiskSpace(dir)
	if err != nil {
		x.fail("disk", err.Error(), "correct NIMBUS_DATA_DIR")
		return
	}
	says := fmt.Sprintf("%.1f of %.1f GiB are free for %s", float64(free)/(1<<30), float64(all)/(1<<30), dir)
	const advice = "free some, or set data_retention_days on projects; when it is full, events are refused with 503 and none is lost"
	switch {
	case free < diskTooLittle:
		x.fail("disk", says, advice)
	case free < diskWorthSaying:
		x.warn("disk", says, advice)
	default:
		x.fine("disk", "%s", says)
	}
}

func (x *examination) redis(ctx context.Context, url string, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	r, err := redis.Inspect(ctx, url)
	if err != nil {
		x.fail("redis", err.Error(), "start it, or correct NIMBUS_REDIS_URL; until then each node limits alone, and live streams see the events of their own node only")
		return
	}
	healthy := true
	warn := func(says, advice string) {
		healthy = false
		x.warn("redis", says, advice)
	}
	if took := r.RoundTrip.Round(time.Microsecond); r.RoundTrip > timeout {
		warn(fmt.Sprintf("it answered after %s, and NIMBUS_REDIS_TIMEOUT_MS is %d", took, timeout.Milliseconds()),
			"put it nearer, or raise NIMBUS_REDIS_TIMEOUT_MS: a call that takes longer makes the node go on alone")
	}
	if r.MaxMemory > 0 && r.Eviction != "noeviction" && !strings.HasPrefix(r.Eviction, "volatile-") {
		warn("its maxmemory-policy is "+r.Eviction+": when memory is short it forgets counts of failed logins like any other key",
			"set maxmemory-policy volatile-ttl, which drops first what would end first, and give Nimbus a Redis of its own")
	}
	if r.MaxMemory > 0 && r.Eviction == "noeviction" {
		warn(fmt.Sprintf("its maxmemory is %d MiB and its maxmemory-policy noeviction: when that is full, every node limits alone until there is room", r.MaxMemory>>20),
			"set maxmemory-policy volatile-ttl: every key of Nimbus ends by itself")
	}
	if r.Replica {
		warn("it is a replica, which takes no writes", "name the primary in NIMBUS_REDIS_URL")
	}
	if r.Cluster {
		warn("it is a node of a Redis Cluster", "use one primary: Nimbus does not follow keys to other nodes")
	}
	if healthy {
		x.fine("redis", "Redis %s, %.1f ms away", r.Version, float64(r.RoundTrip.Microseconds())/1000)
	}
}

func (x *examination) replica(ctx context.Context, primary *pgxpool.Pool, cfg *config.Config) {
	pool, err := postgres.Open(ctx, cfg.AnalyticsDatabaseURL, 2, postgres.WithReadOnly())
	if err != nil {
		x.fail("replica", err.Error(), "correct NIMBUS_ANALYTICS_DATABASE_URL")
		return
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	lag, err := replica.Probe(ctx, primary, pool)
	var late *replica.LateError
	switch {
	case errors.As(err, &late) && cfg.ReplicaMaxLag == 0:
		x.warn("replica", err.Error(), "look at its disk and network: answers are that old, since NIMBUS_REPLICA_MAX_LAG_SECONDS is 0")
	case errors.As(err, &late):
		x.warn("replica", err.Error(), fmt.Sprintf("look at its disk and network: while it is more than %d s behind, the primary answers questions", cfg.ReplicaMaxLag))
	case err != nil:
		x.warn("replica", err.Error(), "mend it, or unset NIMBUS_ANALYTICS_DATABASE_URL: until then the primary answers questions")
	default:
		x.fine("replica", "a standby that replays within %s what the primary writes", lag.Round(time.Millisecond))
	}
}
