package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	keyA = strings.Repeat("0123456789abcdef", 4)
	keyB = strings.Repeat("fedcba9876543210", 4)
)

// load reads settings in an empty directory, so that no .env of the machine counts. It cannot run in parallel with
// others, because the working directory belongs to the process.
func load(t *testing.T, args []string, environ ...string) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	return loadHere(args, environ...)
}

func loadHere(args []string, environ ...string) (*Config, error) {
	fset := flag.NewFlagSet("nimbus test", flag.ContinueOnError)
	fset.SetOutput(io.Discard)
	c, _, err := Load(fset, args, environ)
	return c, err
}

// shown is the value of one setting as check-config would show it, secrets included.
func shown(c *Config, name string) string {
	for _, s := range c.settings() {
		if s.name == name {
			return s.value.String()
		}
	}
	return "there is no setting " + name
}

// values has three values for each setting that are not its default, and differ from each other.
var values = map[string][3]string{
	"APP_NAME":                      {"one", "two", "three"},
	"ENVIRONMENT":                   {"production", "development", "production"},
	"LOG_LEVEL":                     {"debug", "warn", "error"},
	"LOG_FORMAT":                    {"json", "text", "json"},
	"ADMIN_HOSTS":                   {"a", "a,b", "c"},
	"ADDR":                          {":1", "127.0.0.1:2", "[::1]:3"},
	"ADMIN_ADDR":                    {":4", "127.0.0.1:5", "[::1]:6"},
	"DATABASE_URL":                  {"postgres://a/x", "postgres://b/x", "host=c dbname=x"},
	"ANALYTICS_DATABASE_URL":        {"postgres://d/x", "postgres://e/x", "host=f dbname=x"},
	"REPLICA_MAX_LAG_SECONDS":       {"0", "1", "86400"},
	"DB_POOL_SIZE":                  {"8", "9", "1000"},
	"AUTO_MIGRATE":                  {"false", "true", "false"},
	"DATA_DIR":                      {"/x", "y", "/z"},
	"POSTGRES_BIN":                  {"/x", "/y", "/z"},
	"JWT_SECRET":                    {keyA, keyB, keyA + keyB},
	"JWT_ACCESS_TTL_SECONDS":        {"1", "60", "86400"},
	"JWT_REFRESH_TTL_SECONDS":       {"86401", "604801", "315360000"},
	"BCRYPT_COST":                   {"10", "11", "16"},
	"SECRET_KEY":                    {keyA, keyB, keyB[:32] + keyA[:32]},
	"SECRET_KEY_PREVIOUS":           {keyA, keyA + "," + keyB, keyB},
	"QUERY_TIMEOUT_SECONDS":         {"1", "2", "25"},
	"QUERY_MAX_EVENTS":              {"1", "2", "3"},
	"REDIS_URL":                     {"redis://a:1", "rediss://u:p@b:2/3", "unix:///c.sock"},
	"REDIS_TIMEOUT_MS":              {"1", "2", "10000"},
	"RATE_LIMIT_ENABLED":            {"false", "true", "false"},
	"RATE_LIMIT_PER_MINUTE":         {"1", "2", "1000000"},
	"TRUSTED_PROXIES":               {"10.0.0.0/8", "10.0.0.0/8,fd00::/8", "192.0.2.1/32"},
	"BASE_PATH":                     {"/analytics", "/a/b-c", "/_"},
	"MCP_URL":                       {"https://a.example", "http://b.example:8080/nimbus", "http://c"},
	"MCP_KEY":                       {"one", "two", "three"},
	"PUBLIC_URL":                    {"https://a.example", "http://b.example:8080", "https://c.example/nimbus"},
	"REGISTRATION":                  {"open", "invite", "closed"},
	"ALLOWED_EMAIL_DOMAINS":         {"a.example", "a.example,b.example", "@c.example"},
	"SETUP_TOKEN":                   {keyA[:16], keyB[:20], keyA},
	"SMTP_URL":                      {"smtp://a.example", "smtps://u:p@b.example:465", "smtp://127.0.0.1:25"},
	"MAIL_FROM":                     {"a@a.example", "Nimbus <b@b.example>", "c@c.example"},
	"MAX_PROJECTS_PER_ACCOUNT":      {"1", "2", "1000"},
	"MAX_KEYS_PER_PROJECT":          {"1", "2", "1000"},
	"MAX_MEMBERS_PER_PROJECT":       {"1", "2", "1000"},
	"MAX_INSIGHTS_PER_PROJECT":      {"1", "2", "1000"},
	"MAX_BOARDS_PER_PROJECT":        {"1", "2", "1000"},
	"MAX_ANNOTATIONS_PER_PROJECT":   {"1", "2", "1000"},
	"MAX_CUSTOM_EVENTS_PER_PROJECT": {"1", "2", "1000"},
	"MAX_COHORTS_PER_PROJECT":       {"1", "2", "1000"},
	"MAX_COHORT_PEOPLE":             {"1", "2", "1000000"},
	"AUDIT_RETENTION_DAYS":          {"30", "31", "3650"},
	"OIDC_ISSUER":                   {"https://a.example", "http://b.example/realms/x", "https://c.example/"},
	"OIDC_CLIENT_ID":                {"one", "two", "three"},
	"OIDC_CLIENT_SECRET":            {"one", "two", "three"},
	"OIDC_REDIRECT_URL": {"https://a.example/v1/auth/oidc/callback", "http://b.example/v1/auth/oidc/callback",
		"https://c.example/v1/auth/oidc/callback"},
	"OIDC_NAME":                    {"one", "two", "three"},
	"ALLOWED_ORIGINS":              {"https://a.example", "https://a.example,http://b.example:8080", "*"},
	"COMPAT":                       {"segment", "mixpanel,posthog", "off"},
	"LIVE_MAX_STREAMS":             {"1", "2", "3"},
	"QUOTA_EVENTS_PER_DAY":         {"0", "1", "1000000000000"},
	"QUOTA_STORED_BYTES":           {"0", "1", "1000000000000"},
	"QUOTA_EVENT_NAMES":            {"0", "1", "100000"},
	"MIN_FREE_BYTES":               {"0", "1", "1000000000000"},
	"LIVE_MAX_STREAMS_PER_PROJECT": {"1", "2", "3"},
	"OTLP_ENDPOINT":                {"http://a:4318", "https://b", "http://c:4318/v1/traces"},
	"TRACE_SAMPLE_RATIO":           {"0", "1", "0.25"},
	"SHUTDOWN_TIMEOUT_SECONDS":     {"1", "2", "3"},
	"DRAIN_SECONDS":                {"1", "2", "300"},
}

var oidcSettings = []string{"NIMBUS_OIDC_ISSUER=https://id.example", "NIMBUS_OIDC_CLIENT_ID=nimbus",
	"NIMBUS_OIDC_REDIRECT_URL=https://nimbus.example" + callbackPath}

// mailSettings is what a mail server needs beside it.
var mailSettings = []string{"NIMBUS_MAIL_FROM=nimbus@example.com", "NIMBUS_PUBLIC_URL=https://nimbus.example"}

func TestEverySettingIsReadFromFlagOverEnvironmentOverDotEnv(t *testing.T) {
	base := []string{"NIMBUS_DATABASE_URL=postgres://h/d", "NIMBUS_JWT_SECRET=" + keyA + "!", "NIMBUS_SECRET_KEY=" + keyA[1:] + "0"}
	for _, s := range (&Config{}).settings() {
		t.Run(s.name, func(t *testing.T) {
			v, ok := values[s.name]
			if !ok {
				t.Fatal("the setting has no values in this test")
			}
			environ := slices.DeleteFunc(slices.Clone(base), func(kv string) bool { return strings.HasPrefix(kv, "NIMBUS_"+s.name+"=") })
			t.Chdir(t.TempDir())
			want := func(source, value string, args, environ []string) {
				t.Helper()
				c, err := loadHere(args, environ...)
				if err != nil {
					t.Fatalf("%s: %v", source, err)
				}
				if got := shown(c, s.name); got != value {
					t.Errorf("%s: %q, want %q", source, got, value)
				}
			}
			d := defaults()
			want("nothing", shown(&d, s.name), nil, environ)
			if s.name == "SMTP_URL" {
				environ = append(environ, mailSettings...)
			}
			if strings.HasPrefix(s.name, "OIDC_") { // these stand together or not at all
				for _, kv := range oidcSettings {
					if !strings.HasPrefix(kv, "NIMBUS_"+s.name+"=") {
						environ = append(environ, kv)
					}
				}
			}
			if err := os.WriteFile(".env", []byte("# a comment\nNIMBUS_"+s.name+"='"+v[0]+"'\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			want(".env", v[0], nil, environ)
			environ = append(environ, "NIMBUS_"+s.name+"="+v[1])
			want("environment over .env", v[1], nil, environ)
			want("flag over environment", v[2], []string{"-" + s.flagName() + "=" + v[2]}, environ)
			want("flag with two dashes", v[2], []string{"--" + s.flagName() + "=" + v[2]}, environ)
		})
	}
}

func TestDefaultsAreThoseOfOneMachine(t *testing.T) {
	c, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("%+v, want %+v", *c, want)
	}
	if !c.Embedded() || c.Production() || c.LogLevel != slog.LevelInfo || c.AccessTTL != time.Hour {
		t.Errorf("%+v", c)
	}
}

func TestAnEmptyVariableIsNotSet(t *testing.T) {
	c, err := load(t, nil, "NIMBUS_DB_POOL_SIZE=", "NIMBUS_JWT_SECRET=", "NIMBUS_SECRET_KEY=")
	if err != nil || c.DBPoolSize != 16 || c.jwtSecretSet || c.secretKeySet {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWordsAfterTheFlagsAreReturned(t *testing.T) {
	t.Chdir(t.TempDir())
	c, rest, err := Load(flag.NewFlagSet("t", flag.ContinueOnError), []string{"-auto-migrate", "-db-pool-size", "9", "down", "2"}, []string{"NIMBUS_AUTO_MIGRATE=false"})
	if err != nil || !slices.Equal(rest, []string{"down", "2"}) || !c.AutoMigrate || c.DBPoolSize != 9 {
		t.Errorf("%+v, %q, %v", c, rest, err)
	}
}

func TestSpecialValues(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		ok        func(*Config) bool
	}{
		{"no admin listener", "NIMBUS_ADMIN_ADDR=off", func(c *Config) bool { return c.AdminAddr == "" }},
		{"origins as JSON", `NIMBUS_ALLOWED_ORIGINS=["https://a.example", "http://b.example"]`,
			func(c *Config) bool {
				return slices.Equal(c.AllowedOrigins, []string{"https://a.example", "http://b.example"})
			}},
		{"origins with spaces and empty parts", "NIMBUS_ALLOWED_ORIGINS= https://a.example ,, ",
			func(c *Config) bool { return slices.Equal(c.AllowedOrigins, []string{"https://a.example"}) }},
		{"a key as base64", "NIMBUS_SECRET_KEY=ASNFZ4mrze/+3LqYdlQyEAEjRWeJq83v/ty6mHZUMhA=", func(c *Config) bool { return len(c.SecretKey) == 32 }},
		{"a key as base64 for URLs", "NIMBUS_SECRET_KEY=ASNFZ4mrze_-3LqYdlQyEAEjRWeJq83v_ty6mHZUMhA", func(c *Config) bool { return len(c.SecretKey) == 32 }},
		{"previous keys with spaces", "NIMBUS_SECRET_KEY_PREVIOUS=" + keyA + " , " + keyB + ",", func(c *Config) bool { return len(c.SecretKeyPrevious) == 2 }},
		{"a proxy with host bits, one without a length, and spaces", "NIMBUS_TRUSTED_PROXIES=10.1.2.3/8 , ::1,",
			func(c *Config) bool { return fmt.Sprint(c.TrustedProxies) == "[10.0.0.0/8 ::1/128]" }},
		{"variables of the tests", "NIMBUS_TEST_DATABASE_URL=x", func(*Config) bool { return true }},
		{"variables of others", "NIMBUSOMETHING=x", func(*Config) bool { return true }},
		{"a cheap hash in development", "NIMBUS_BCRYPT_COST=4", func(c *Config) bool { return c.BcryptCost == 4 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c, err := load(t, nil, tt.env); err != nil || !tt.ok(c) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

const makeOne = "; make one with: openssl rand -hex 32"

func TestWhatSendersKeepInTheEnvironmentIsNotMisspelt(t *testing.T) {
	if _, err := load(t, nil, "NIMBUS_URL=http://n", "NIMBUS_PROJECT_ID=p", "NIMBUS_KEY_ID=nk", "NIMBUS_SECRET=ns", "NIMBUS_WRITE_KEY=nw"); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemHasItsOwnSentence(t *testing.T) {
	production := []string{"NIMBUS_ENVIRONMENT=production", "NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_SECRET_KEY=" + keyA}
	for _, tt := range []struct {
		env  []string
		args []string
		want []string
	}{
		{env: []string{"NIMBUS_ENVIRONMENT=staging"}, want: []string{`NIMBUS_ENVIRONMENT must be development or production, not "staging"`}},
		{env: []string{"NIMBUS_LOG_LEVEL=loud"}, want: []string{"NIMBUS_LOG_LEVEL must be debug, info, warn or error"}},
		{env: []string{"NIMBUS_ADDR=8080"}, want: []string{`NIMBUS_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not "8080"`}},
		{args: []string{"-addr="}, want: []string{`NIMBUS_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not ""`}},
		{env: []string{"NIMBUS_ADMIN_ADDR=no"}, want: []string{`NIMBUS_ADMIN_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not "no"`}},
		{env: []string{"NIMBUS_DB_POOL_SIZE=many"}, want: []string{"NIMBUS_DB_POOL_SIZE must be a whole number"}},
		{env: []string{"NIMBUS_DB_POOL_SIZE=7"}, want: []string{"NIMBUS_DB_POOL_SIZE must be 8 to 1000, not 7"}},
		{env: []string{"NIMBUS_DB_POOL_SIZE=1001"}, want: []string{"NIMBUS_DB_POOL_SIZE must be 8 to 1000, not 1001"}},
		{env: []string{"NIMBUS_AUTO_MIGRATE=maybe"}, want: []string{"NIMBUS_AUTO_MIGRATE must be true or false"}},
		{args: []string{"-data-dir="}, want: []string{"NIMBUS_DATA_DIR must name a directory"}},
		{env: []string{"NIMBUS_ANALYTICS_DATABASE_URL=postgres://h/d"}, want: []string{"NIMBUS_ANALYTICS_DATABASE_URL needs DATABASE_URL: the embedded database has no replica"}},
		{env: []string{"NIMBUS_REPLICA_MAX_LAG_SECONDS=-1"}, want: []string{"NIMBUS_REPLICA_MAX_LAG_SECONDS must be 0 to 86400, not -1"}},
		{env: []string{"NIMBUS_JWT_SECRET=short-secret"}, want: []string{"NIMBUS_JWT_SECRET is 12 bytes long and must be at least 32" + makeOne}},
		{env: []string{"NIMBUS_JWT_SECRET=" + strings.Repeat("abc", 20)}, want: []string{"NIMBUS_JWT_SECRET repeats itself and can be guessed" + makeOne}},
		{env: []string{"NIMBUS_SECRET_KEY=" + keyA[2:]}, want: []string{"NIMBUS_SECRET_KEY must be 32 bytes as hex or base64" + makeOne}},
		{env: []string{"NIMBUS_SECRET_KEY=" + strings.Repeat("ab", 32)}, want: []string{"NIMBUS_SECRET_KEY repeats itself and can be guessed" + makeOne}},
		{env: []string{"NIMBUS_SECRET_KEY_PREVIOUS=" + keyA + ",x"}, want: []string{"NIMBUS_SECRET_KEY_PREVIOUS must be 32 bytes as hex or base64" + makeOne}},
		{env: []string{"NIMBUS_JWT_ACCESS_TTL_SECONDS=0"}, want: []string{"NIMBUS_JWT_ACCESS_TTL_SECONDS must be a whole number of seconds from 1 to 315360000"}},
		{env: []string{"NIMBUS_JWT_ACCESS_TTL_SECONDS=86401"}, want: []string{"NIMBUS_JWT_ACCESS_TTL_SECONDS must be at most 86400: for that long a token that leaks lets others in"}},
		{env: []string{"NIMBUS_JWT_REFRESH_TTL_SECONDS=3600"}, want: []string{"NIMBUS_JWT_REFRESH_TTL_SECONDS must be longer than JWT_ACCESS_TTL_SECONDS"}},
		{env: []string{"NIMBUS_JWT_REFRESH_TTL_SECONDS=99999999999"}, want: []string{"NIMBUS_JWT_REFRESH_TTL_SECONDS must be a whole number of seconds from 1 to 315360000"}},
		{env: []string{"NIMBUS_SHUTDOWN_TIMEOUT_SECONDS=-1"}, want: []string{"NIMBUS_SHUTDOWN_TIMEOUT_SECONDS must be a whole number of seconds from 1 to 315360000"}},
		{env: []string{"NIMBUS_QUERY_TIMEOUT_SECONDS=26"}, want: []string{"NIMBUS_QUERY_TIMEOUT_SECONDS must be at most 25: the request itself ends after 30 s"}},
		{env: []string{"NIMBUS_QUOTA_EVENTS_PER_DAY=-1"}, want: []string{"NIMBUS_QUOTA_EVENTS_PER_DAY must be 0 or more, not -1"}},
		{env: []string{"NIMBUS_QUOTA_EVENT_NAMES=100001"}, want: []string{"NIMBUS_QUOTA_EVENT_NAMES must be 0 to 100000, not 100001"}},
		{env: []string{"NIMBUS_LIVE_MAX_STREAMS_PER_PROJECT=0"}, want: []string{"NIMBUS_LIVE_MAX_STREAMS_PER_PROJECT must be 1 to 1000000, not 0"}},
		{env: []string{"NIMBUS_LIVE_MAX_STREAMS=0"}, want: []string{"NIMBUS_LIVE_MAX_STREAMS must be 1 to 1000000, not 0"}},
		{env: []string{"NIMBUS_QUERY_MAX_EVENTS=0"}, want: []string{"NIMBUS_QUERY_MAX_EVENTS must be at least 1, not 0"}},
		{env: []string{"NIMBUS_BCRYPT_COST=3"}, want: []string{"NIMBUS_BCRYPT_COST must be 10 to 16 (in development from 4), not 3"}},
		{env: []string{"NIMBUS_BCRYPT_COST=17"}, want: []string{"NIMBUS_BCRYPT_COST must be 10 to 16 (in development from 4), not 17"}},
		{env: append([]string{"NIMBUS_BCRYPT_COST=9"}, production...), want: []string{"NIMBUS_BCRYPT_COST must be 10 to 16 (in development from 4), not 9"}},
		{env: []string{"NIMBUS_REDIS_URL=redis:6379"}, want: []string{"NIMBUS_REDIS_URL must be redis://[user:password@]host:port[/db], rediss://… for TLS, or unix:///path/of/socket"}},
		{env: []string{"NIMBUS_REDIS_TIMEOUT_MS=0"}, want: []string{"NIMBUS_REDIS_TIMEOUT_MS must be a whole number of milliseconds from 1 to 10000"}},
		{env: []string{"NIMBUS_RATE_LIMIT_PER_MINUTE=0"}, want: []string{"NIMBUS_RATE_LIMIT_PER_MINUTE must be 1 to 1000000, not 0"}},
		{env: []string{"NIMBUS_RATE_LIMIT_PER_MINUTE=1000001"}, want: []string{"NIMBUS_RATE_LIMIT_PER_MINUTE must be 1 to 1000000, not 1000001"}},
		{env: []string{"NIMBUS_OTLP_ENDPOINT=collector:4318"}, want: []string{"NIMBUS_OTLP_ENDPOINT must be http://host:port or https://host, of an OTLP receiver over HTTP"}},
		{env: []string{"NIMBUS_TRACE_SAMPLE_RATIO=1.1"}, want: []string{"NIMBUS_TRACE_SAMPLE_RATIO must be a number from 0 to 1"}},
		{env: []string{"NIMBUS_TRACE_SAMPLE_RATIO=NaN"}, want: []string{"NIMBUS_TRACE_SAMPLE_RATIO must be a number from 0 to 1"}},
		{env: []string{"NIMBUS_TRUSTED_PROXIES=proxy.example"}, want: []string{`NIMBUS_TRUSTED_PROXIES must be addresses or CIDRs such as 10.0.0.0/8, with commas; "proxy.example" is neither`}},
		{env: []string{"NIMBUS_COMPAT=segment,nobody"}, want: []string{`NIMBUS_COMPAT must be some of segment, mixpanel, posthog, umami, plausible, with commas, or off; not "nobody"`}},
		{env: []string{"NIMBUS_ALLOWED_ORIGINS=[1]"}, want: []string{"NIMBUS_ALLOWED_ORIGINS must be a JSON array of strings, or a list with commas: json: cannot unmarshal number into Go value of type string"}},
		{env: []string{"NIMBUS_ALLOWED_ORIGINS=app.example,https://a.example/x,https://b.example?y,ftp://c.example"}, want: []string{
			`NIMBUS_ALLOWED_ORIGINS must be origins such as https://app.example.com, or *; not "app.example"`,
			`NIMBUS_ALLOWED_ORIGINS must be origins such as https://app.example.com, or *; not "https://a.example/x"`,
			`NIMBUS_ALLOWED_ORIGINS must be origins such as https://app.example.com, or *; not "https://b.example?y"`,
			`NIMBUS_ALLOWED_ORIGINS must be origins such as https://app.example.com, or *; not "ftp://c.example"`}},
		{env: production[:1], want: []string{
			"NIMBUS_JWT_SECRET must be set in production" + makeOne, "NIMBUS_SECRET_KEY must be set in production" + makeOne}},
		{env: []string{"NIMBUS_REGISTRATION=maybe"}, want: []string{`NIMBUS_REGISTRATION must be open, invite or closed, not "maybe"`}},
		{env: []string{"NIMBUS_ALLOWED_EMAIL_DOMAINS=a.example,someone@b.example"}, want: []string{
			`NIMBUS_ALLOWED_EMAIL_DOMAINS must be domains such as example.com, not "someone@b.example"`}},
		{env: []string{"NIMBUS_SETUP_TOKEN=too-short"}, want: []string{"NIMBUS_SETUP_TOKEN must have at least 16 characters: whoever guesses it owns the server"}},
		{env: []string{"NIMBUS_BASE_PATH=analytics/"}, want: []string{
			`NIMBUS_BASE_PATH must be such as /analytics, without a slash at the end, of letters, digits and -._~, not "analytics/"`}},
		{env: []string{"NIMBUS_BASE_PATH=/a", "NIMBUS_OIDC_ISSUER=http://id.example", "NIMBUS_OIDC_CLIENT_ID=x",
			"NIMBUS_OIDC_REDIRECT_URL=http://n.example/v1/auth/oidc/callback"}, want: []string{
			`NIMBUS_OIDC_REDIRECT_URL must be https://<where browsers reach Nimbus>/a/v1/auth/oidc/callback (http in development), not "http://n.example/v1/auth/oidc/callback"`}},
		{env: []string{"NIMBUS_MCP_URL=nimbus.example"}, want: []string{`NIMBUS_MCP_URL must be such as https://nimbus.example.com, not "nimbus.example"`}},
		{env: []string{"NIMBUS_PUBLIC_URL=https://n.example/?x=1"}, want: []string{
			`NIMBUS_PUBLIC_URL must be such as https://nimbus.example.com or https://example.com/nimbus, without a slash at the end, not "https://n.example/?x=1"`}},
		{env: []string{"NIMBUS_SMTP_URL=mail.example"}, want: []string{
			"NIMBUS_SMTP_URL or MAIL_FROM: must be such as smtp://user:password@mail.example.com:587 or smtps://…:465",
			"NIMBUS_MAIL_FROM must be set: mails come from it", "NIMBUS_PUBLIC_URL must be set: links in mails begin with it"}},
		{env: append([]string{"NIMBUS_SMTP_URL=smtp://mail.example", "NIMBUS_MAIL_FROM=nobody"}, mailSettings[1]), want: []string{
			"NIMBUS_SMTP_URL or MAIL_FROM: the sender is not an e-mail address"}},
		{env: []string{"NIMBUS_MAX_PROJECTS_PER_ACCOUNT=0", "NIMBUS_MAX_BOARDS_PER_PROJECT=1001"}, want: []string{
			"NIMBUS_MAX_PROJECTS_PER_ACCOUNT must be 1 to 1000, not 0: the lists are read whole",
			"NIMBUS_MAX_BOARDS_PER_PROJECT must be 1 to 1000, not 1001: the lists are read whole"}},
		{env: []string{"NIMBUS_AUDIT_RETENTION_DAYS=29"}, want: []string{"NIMBUS_AUDIT_RETENTION_DAYS must be at least 30, not 29: the database removes nothing that is younger"}},
		{env: []string{"NIMBUS_AUDIT_RETENTION_DAYS=0"}, want: []string{"NIMBUS_AUDIT_RETENTION_DAYS must be a whole number of days from 1 to 3650"}},
		{env: oidcSettings[1:], want: []string{"NIMBUS_OIDC_ISSUER must be set too: without it nobody can log in with the provider"}},
		{env: oidcSettings[:1], want: []string{"NIMBUS_OIDC_CLIENT_ID must be set: the provider knows Nimbus by it",
			`NIMBUS_OIDC_REDIRECT_URL must be https://<where browsers reach Nimbus>/v1/auth/oidc/callback (http in development), not ""`}},
		{env: append([]string{"NIMBUS_OIDC_ISSUER=http://id.example", "NIMBUS_OIDC_CLIENT_ID=x", "NIMBUS_OIDC_REDIRECT_URL=https://n.example/callback"}, production...), want: []string{
			`NIMBUS_OIDC_ISSUER must be the provider's https URL, such as https://accounts.example.com (http in development), not "http://id.example"`,
			`NIMBUS_OIDC_REDIRECT_URL must be https://<where browsers reach Nimbus>/v1/auth/oidc/callback (http in development), not "https://n.example/callback"`}},
		{env: []string{"NIMBUS_LOGLEVEL=debug", "NIMBUS_ADRESS=:1"}, want: []string{
			"NIMBUS_ADRESS is not a setting of Nimbus; is it misspelt?", "NIMBUS_LOGLEVEL is not a setting of Nimbus; is it misspelt?"}},
		{env: []string{"NIMBUS_ADDR=127.0.0.1:99999", "NIMBUS_ADMIN_ADDR=localhost"}, want: []string{
			`NIMBUS_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not "127.0.0.1:99999"`,
			`NIMBUS_ADMIN_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not "localhost"`}},
		{env: []string{"NIMBUS_ADDR=:8080", "NIMBUS_ADMIN_ADDR=127.0.0.1:8080"}, want: []string{
			`NIMBUS_ADMIN_ADDR must have another port than ADDR, not "127.0.0.1:8080"`}},
		{env: []string{"NIMBUS_DATABASE_URL=mysql://nimbus:hidden@db/nimbus"}, want: []string{
			"NIMBUS_DATABASE_URL must be such as postgres://nimbus:password@host:5432/nimbus"}},
		{env: []string{"NIMBUS_DATABASE_URL=postgres://nimbus:hid/den@db/nimbus", "NIMBUS_ANALYTICS_DATABASE_URL=postgres://h/d?sslmode=verify-ca&sslrootcert=/nowhere/ca"}, want: []string{
			"NIMBUS_DATABASE_URL must be such as postgres://nimbus:password@host:5432/nimbus",
			"NIMBUS_ANALYTICS_DATABASE_URL names a file that cannot be read: open /nowhere/ca: no such file or directory"}},
		{args: []string{"-nothing"}, want: []string{"flag provided but not defined: -nothing"}},
		{args: []string{"-db-pool-size=x", "-log-level=y"}, want: []string{"-db-pool-size must be a whole number", "-log-level must be debug, info, warn or error"}},
	} {
		t.Run(strings.Join(append(tt.env, tt.args...), " "), func(t *testing.T) {
			_, err := load(t, tt.args, tt.env...)
			if err == nil {
				t.Fatal("accepted")
			}
			if got, want := err.Error(), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEveryProblemIsReportedAtOnceAndNoSecretWithIt(t *testing.T) {
	const secret = "Not-For-The-Log"
	_, err := load(t, []string{"-secret-key=" + secret + "2", "-bcrypt-cost=x"},
		"NIMBUS_ADDR=nowhere", "NIMBUS_JWT_SECRET="+secret, "NIMBUS_SECRET_KEY="+secret+"1", "NIMBUS_SECRET_KEY_PREVIOUS="+secret+"3",
		"NIMBUS_LOG_LEVEL=loud", "NIMBUS_MISSPELT="+secret, "NIMBUS_ENVIRONMENT=moon")
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"NIMBUS_ADDR ", "NIMBUS_JWT_SECRET ", "NIMBUS_SECRET_KEY ", "NIMBUS_SECRET_KEY_PREVIOUS ", "NIMBUS_LOG_LEVEL ",
		"NIMBUS_MISSPELT ", "NIMBUS_ENVIRONMENT ", "-secret-key ", "-bcrypt-cost "} {
		if n := len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, name) })); n != 1 {
			t.Errorf("%d lines begin with %q", n, name)
		}
	}
	if len(lines) != 9 {
		t.Errorf("%d lines:\n%s", len(lines), err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a secret is repeated:\n%s", err)
	}
}

func TestABrokenDotEnvIsReportedWithoutItsContentAndWithEverythingElse(t *testing.T) {
	for _, content := range []string{"NIMBUS_JWT_SECRET=\"never closed " + keyA, "NIMBUS JWT SECRET " + keyA + "\n"} {
		t.Chdir(t.TempDir())
		if err := os.WriteFile(".env", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadHere(nil, "NIMBUS_ADDR=nowhere")
		if err == nil || strings.Contains(err.Error(), keyA) || !strings.Contains(err.Error(), "read .env: ") || !strings.Contains(err.Error(), "NIMBUS_ADDR must") {
			t.Errorf("%v", err)
		}
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir(".env", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := loadHere(nil); err == nil || !strings.Contains(err.Error(), "read .env: ") {
		t.Errorf("a .env that cannot be read: %v", err)
	}
}

func TestHelpShowsDefaultsAndNeverWhatIsSet(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	fset := flag.NewFlagSet("nimbus serve", flag.ContinueOnError)
	fset.SetOutput(&out)
	_, _, err := Load(fset, []string{"-h"}, []string{"NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_SECRET_KEY=" + keyB, "NIMBUS_DATABASE_URL=postgres://u:pass-word@h/d"})
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, s := range (&Config{}).settings() {
		if !strings.Contains(out.String(), "-"+s.flagName()) || !strings.Contains(out.String(), "(NIMBUS_"+s.name+")") {
			t.Errorf("the help does not name %s", s.name)
		}
	}
	if !strings.Contains(out.String(), "(default 127.0.0.1:8080)") {
		t.Errorf("no default:\n%s", out.String())
	}
	for _, secret := range []string{keyA, keyB, "pass-word"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the help shows %s", secret)
		}
	}
}

func TestRedactedHidesEverySecret(t *testing.T) {
	for _, dsn := range []string{"postgres://u:pass-word@h/d", "postgres://u@h/d?password=pass-word", "host=h password=pass-word"} {
		c, err := load(t, nil, "NIMBUS_DATABASE_URL="+dsn, "NIMBUS_ANALYTICS_DATABASE_URL="+dsn,
			"NIMBUS_JWT_SECRET="+keyA, "NIMBUS_SECRET_KEY="+keyB, "NIMBUS_SECRET_KEY_PREVIOUS="+keyA)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range c.Redacted() {
			if strings.Contains(value, keyA) || strings.Contains(value, keyB) || strings.Contains(value, "pass-word") {
				t.Errorf("%s shows %s", name, value)
			}
		}
	}
	c, err := load(t, nil, "NIMBUS_DATABASE_URL=postgres://u:pass-word@h/d")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Redacted()
	if got["NIMBUS_DATABASE_URL"] != "postgres://u:xxxxx@h/d" || got["NIMBUS_JWT_SECRET"] != "" || got["NIMBUS_ANALYTICS_DATABASE_URL"] != "" ||
		got["NIMBUS_DB_POOL_SIZE"] != "16" || len(got) != len(c.settings()) {
		t.Errorf("%v", got)
	}
}

// .env.example is where operators look settings up; a setting that is missing there does not exist for them.
func TestDotEnvExampleHasEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	d := defaults()
	var want, got []string
	seen := make(map[string]bool)
	for _, s := range d.settings() {
		if seen[s.name] {
			t.Errorf("%s is there twice", s.name)
		}
		if seen[s.name] = true; s.usage == "" || s.name != strings.ToUpper(s.name) {
			t.Errorf("%s has no help, or is not in upper case", s.name)
		}
		want = append(want, "# NIMBUS_"+s.name+"="+s.value.String())
	}
	lines := strings.Split(string(b), "\n")
	for k, line := range lines {
		if strings.HasPrefix(line, "# NIMBUS_") && strings.Contains(line, "=") {
			got = append(got, line)
			if about := lines[k-1]; !strings.HasPrefix(about, "# ") || !strings.HasSuffix(about, ".") {
				t.Errorf("%s is not explained by the line above it: %q", line, about)
			}
		} else if line != "" && !strings.HasPrefix(line, "# ") {
			t.Errorf("not a comment: %q", line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
