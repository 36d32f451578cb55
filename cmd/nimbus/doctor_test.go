package main_test

import (
	"bufio"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// doctor examines until it finds what is said here: of what answers too late, on a busy machine, it says that it is away.
func doctor(t *testing.T, settings []string, so func(got result) bool) (got result) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	}()
	nimbustest.Eventually(t, "the doctor says it", func() bool {
		got = nimbus(t, settings, "doctor")
		return so(got)
	})
	return got
}

func TestDoctorFindsNothingWrongWithARunningServer(t *testing.T) {
	t.Parallel()
	settings := []string{"NIMBUS_DATA_DIR=" + dataDir(t)}
	p := start(t, settings, "serve")
	register(t, p)
	got := doctor(t, settings, func(got result) bool { return got.code == 0 && !strings.Contains(got.stdout, "FAIL") })
	for _, about := range []string{"settings", "process", "database", "role", "clock", "schema", "events", "secrets", "disk"} {
		if !regexp.MustCompile(`(?m)^(ok  |warn)  ` + about + ` `).MatchString(got.stdout) {
			t.Errorf("nothing is said about %s:\n%s", about, got.stdout)
		}
	}
	if !strings.Contains(got.stdout, "1 API keys can be decrypted") || !strings.Contains(got.stdout, "durable") {
		t.Errorf("%s", got.stdout)
	}
}

// Each thing that can be wrong is found, named, and comes with what to do.
func TestDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	t.Parallel()
	srv := nimbustest.PrivateServer(t, false) // which is fast because it is not durable
	dsn := srv.DSN(embedded.Database)
	settings := []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_ADDR=:0", "NIMBUS_ANALYTICS_DATABASE_URL=" + dsn, "NIMBUS_SECRET_KEY=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	want := func(settings []string, code int, parts ...string) {
		t.Helper()
		doctor(t, settings, func(got result) bool {
			return got.code == code && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(got.stdout+got.stderr, part) })
		})
	}
	want(settings, 1, "fsync is off: a 200 is not durable", "set fsync = on", "synchronous_commit is off", "full_page_writes is off",
		"warn  schema", "run nimbus migrate up", "it is not a standby", "the primary answers questions", "takes connections from other machines", "3 of 9 checks failed")
	if got := nimbus(t, settings, "migrate", "up"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	pool, err := postgres.Open(t.Context(), dsn, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `INSERT INTO projects (id, name) VALUES ('018f0000-0000-7000-8000-000000000001', 'x');
		INSERT INTO api_keys (id, project_id, secret_box, secret_key_id, secret_hash) VALUES ('nk_x', '018f0000-0000-7000-8000-000000000001', '', 'elsewhere', '')`); err != nil {
		t.Fatal(err)
	}
	want(settings, 1, "1 of 1 API keys are encrypted under a key that is not here", "NIMBUS_SECRET_KEY_PREVIOUS", "no partition yet: events_")
	if _, err := pool.Exec(t.Context(), `UPDATE nimbus_schema_migrations SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	want(settings, 1, "warn  schema", "which may use it", "install the newer binary")
	if _, err := pool.Exec(t.Context(), `UPDATE nimbus_schema_migrations SET compatible_from = version`); err != nil {
		t.Fatal(err)
	}
	want(settings, 1, "FAIL  schema", "newer than this binary")
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want([]string{"NIMBUS_DATABASE_URL=postgres://nobody@127.0.0.1:1/none", "NIMBUS_DATA_DIR=" + dataDir(t)}, 1, "FAIL  database", "nothing works without it")
}

// The functions are as much of Citus as doctor asks.
func TestDoctorLooksAtTheWorkersOfCitus(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	pool, err := postgres.Open(t.Context(), dsn, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `CREATE TABLE pg_dist_node (n int)`); err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		"true, 'on on on'":          "ok    workers     2 of Citus, durable",
		"true, 'off on off'":        "FAIL  workers     w1:5432: fsync is off: a 200 is not durable",
		"true, 'on on off'":         "FAIL  workers     w1:5432: synchronous_commit is off",
		"false, 'no route to host'": "FAIL  workers     w1:5432 does not answer: no route to host",
	} {
		if _, err := pool.Exec(t.Context(), `CREATE OR REPLACE FUNCTION run_command_on_workers(command text, OUT nodename text, OUT nodeport int, OUT success boolean, OUT result text)
			RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN
				EXECUTE command INTO STRICT result; -- it is one that a worker understands
				RETURN QUERY VALUES ('w1', 5432, `+answer+`), ('w2', 5432, true, 'on on on');
			END $$`); err != nil {
			t.Fatal(err)
		}
		if got := nimbus(t, []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_DATA_DIR=" + dataDir(t)}, "doctor"); !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not said:\n%s%s", want, got.stdout, got.stderr)
		}
	}
}

func TestDoctorExaminesRedis(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_REDIS_URL=" + srv.URL, "NIMBUS_REDIS_TIMEOUT_MS=10000"}
	want := func(pattern string) {
		t.Helper()
		doctor(t, settings, func(got result) bool { return regexp.MustCompile(pattern).MatchString(got.stdout) })
	}
	tell := func(command string) {
		t.Helper()
		conn, err := net.Dial("unix", strings.TrimPrefix(srv.URL, "unix://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
			t.Fatal(err)
		}
		if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "+OK\r\n" {
			t.Fatalf("%s: %q %v", command, answer, err)
		}
	}
	want(`ok    redis       Redis \d+\.\d+\.\d+, \d+\.\d ms away`)
	tell("CONFIG SET maxmemory 64mb")
	want(`warn  redis       its maxmemory is 64 MiB and its maxmemory-policy noeviction`)
	tell("CONFIG SET maxmemory-policy allkeys-lru")
	want(`warn  redis       its maxmemory-policy is allkeys-lru`)
	tell("CONFIG SET maxmemory-policy volatile-ttl")
	want(`ok    redis `)
	tell("REPLICAOF 127.0.0.1 1")
	want(`warn  redis       it is a replica`)
	srv.Hang()
	want(`FAIL  redis       .+\n.*start it, or correct NIMBUS_REDIS_URL`)
	srv.Resume()
	srv.Kill()
	want(`FAIL  redis       connect: .*\n.*start it, or correct NIMBUS_REDIS_URL`)
}

func TestDoctorSaysHowFarBehindTheReplicaIs(t *testing.T) {
	t.Parallel()
	primary := nimbustest.PrivateServer(t, false, func(c *embedded.Config) { c.Settings["synchronous_commit"] = "on" })
	standby := nimbustest.Standby(t, primary)
	settings := []string{"NIMBUS_DATABASE_URL=" + primary.DSN(embedded.Database), "NIMBUS_ANALYTICS_DATABASE_URL=" + standby.DSN(),
		"NIMBUS_ADDR=:0", "NIMBUS_DATA_DIR=" + dataDir(t)}
	says := func(want string) {
		t.Helper()
		doctor(t, settings, func(got result) bool { return strings.Contains(got.stdout, want) })
	}
	says("ok    replica     a standby that replays within")
	standby.Exec("SELECT pg_wal_replay_pause()")
	if got := nimbus(t, settings, "migrate", "up"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	says("while it is more than 10 s behind, the primary answers questions")
}
